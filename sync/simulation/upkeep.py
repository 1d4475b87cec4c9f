"""What X gives before a tweet: ids of media and tokens, each for a time, and not always."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from sync.accounts import OAuth2Credentials
from sync.media import Media, Upload
from sync.media_check import sha256_of
from sync.media_uploading import MediaUploadError, Withhold
from sync.posting import Certainty
from sync.renewals import RENEW_BEFORE_NS, TokenSetup
from sync.sealing import SealingKey
from sync.tokens import Renewal, end_mono_ns

if TYPE_CHECKING:
    from sync.simulation.process import Process
    from timebase import LoopClock

ACCOUNT_WITH_TOKENS = "coffee"
SEALED_WITH = SealingKey(b"k" * 32)
UPLOAD_FAULTS = (*["none"] * 5, "refused", "processing fails", "lost")
UPLOAD_LIVES_S = (86_400.0, 62.0, 75.0)
"""How long X keeps an upload: a day, or so short that it is worth nothing a few seconds later."""
RENEWAL_FAULTS = (*["none"] * 4, "no_route", "lost_before", "lost_after", "refused")
LEFT_S = (1790.0, 1815.0)
"""What is left of an account's first token: it is due for renewal now, or in a few seconds."""
RENEWED_LIVES_S = (7200.0, 1750.0)


@dataclass(slots=True, kw_only=True)
class Begun:
    """A request for an upload or a renewal, whose first byte has left."""

    what: str
    engine: int
    epoch: int
    newest_epoch: int
    at_mono_ns: int
    secret: str = ""


@dataclass(slots=True)
class Upkeep:
    """X's side of it; it outlives engines.

    Attributes:
        begun: every request that has left.
        uploads: what has been given, with the SHA-256 of the bytes that came and when X drops it, by media id.
        good: the refresh token that X takes, by account; an empty one when the sign-in is over.
        due_mono_ns: when the first tokens are due for every process that has read them, whatever the wall clock said then.
    """

    clock: "LoopClock"
    rng: random.Random
    begun: list[Begun] = field(default_factory=list)
    uploads: dict[str, tuple[Upload, str, int]] = field(default_factory=dict)
    good: dict[str, str] = field(default_factory=dict)
    due_mono_ns: int = 0
    calm: bool = False
    _file: OAuth2Credentials | None = None

    def has(self, media_ids: Iterable[str]) -> bool:
        """Whether X has all these media now."""
        return all(one in self.uploads and self.clock.mono_ns() < self.uploads[one][2] for one in media_ids)

    def uploader(self, process: "Process") -> "Uploads":
        """What uploads media for a process."""
        return Uploads(process, self)

    def tokens(self, process: "Process") -> TokenSetup:
        """What renews tokens for a process."""
        if self._file is None:
            self._file = first_credentials(self.clock, left_s=self.rng.uniform(*LEFT_S))
        self.due_mono_ns = max(self.due_mono_ns, end_mono_ns(self._file, self.clock) - RENEW_BEFORE_NS)
        return TokenSetup(accounts=(self._file,), key=SEALED_WITH, endpoint=Tokens(process, self), take=lambda _: None)

    def fault(self, among: tuple[str, ...]) -> str:
        """What happens to the next request; nothing once all is quiet."""
        return "none" if self.calm else self.rng.choice(among)

    def life_s(self, among: tuple[float, ...]) -> float:
        """How long X keeps what it gives now; once all is quiet the first of these, the usual."""
        return among[0] if self.calm else self.rng.choice(among)

    def begin(self, process: "Process", what: str, *, secret: str = "") -> None:
        """Note that a request has left."""
        epoch = process.epoch if process.engine is None else process.engine.epoch
        newest, now_ns = process.world.newest_epoch(), self.clock.mono_ns()
        number = process.number
        self.begun.append(Begun(what=what, engine=number, epoch=epoch, newest_epoch=newest, at_mono_ns=now_ns, secret=secret))
        process.world.say(f"engine {number} asks X for {what}")


def first_credentials(clock: "LoopClock", *, left_s: float) -> OAuth2Credentials:
    """An account's tokens as its file has them."""
    return OAuth2Credentials(
        account_id=ACCOUNT_WITH_TOKENS,
        user_id="17",
        handle=ACCOUNT_WITH_TOKENS,
        client_id="app",
        access_token=SecretStr("access-0"),
        refresh_token=SecretStr("refresh-0"),
        scopes=("tweet.read",),
        expires_utc=clock.utc() + timedelta(seconds=left_s),
        signed_in_utc=clock.utc() - timedelta(hours=1),
    )


class Uploads:
    """The media uploader of a process."""

    def __init__(self, process: "Process", upkeep: Upkeep) -> None:
        self._process, self._upkeep, self._clock = process, upkeep, upkeep.clock

    async def upload(self, account_id: str, media: Media, path: Path, withhold: Withhold) -> Upload:
        upkeep = self._upkeep
        fault, takes_s = upkeep.fault(UPLOAD_FAULTS), upkeep.rng.uniform(0.01, 1.0)
        # An upload is several requests; each asks first whether it may leave.
        for part in ("an upload", "an upload's end"):
            await self._process.point()
            if reason := withhold():
                raise MediaUploadError(reason)
            upkeep.begin(self._process, part)
            await self._clock.sleep(takes_s)
        await self._process.point()
        if fault != "none":
            raise MediaUploadError(fault)
        life = timedelta(seconds=upkeep.life_s(UPLOAD_LIVES_S))
        now_utc = self._clock.utc()
        given = Upload(
            account_id=account_id,
            upload_key=media.upload_key,
            media_id=str(1000 + len(upkeep.uploads)),
            uploaded_utc=now_utc,
            expires_utc=now_utc + life,
        )
        ends_ns = self._clock.mono_ns() + life // timedelta(microseconds=1) * 1000
        upkeep.uploads[given.media_id] = given, sha256_of(path), ends_ns
        return given


class Tokens:
    """The token endpoint of a process: a refresh token is good once."""

    def __init__(self, process: "Process", upkeep: Upkeep) -> None:
        self._process, self._upkeep, self._clock = process, upkeep, upkeep.clock

    async def renew(self, credentials: OAuth2Credentials) -> Renewal:
        upkeep, shown = self._upkeep, credentials.refresh_token.get_secret_value()
        fault, takes_s = upkeep.fault(RENEWAL_FAULTS), upkeep.rng.uniform(0.01, 1.0)
        await self._process.point()
        if fault == "no_route":
            return Renewal(certainty=Certainty.NOT_SENT, reason="connection refused")
        upkeep.begin(self._process, "new tokens", secret=shown)
        await self._clock.sleep(takes_s)
        await self._process.point()
        if fault == "lost_before":
            return Renewal(certainty=Certainty.UNKNOWN, reason="connection reset")
        if fault == "refused" or shown != upkeep.good.get(credentials.account_id, "refresh-0"):
            upkeep.good[credentials.account_id] = ""
            return Renewal(certainty=Certainty.REFUSED, reason="400 invalid_grant")
        number = len(upkeep.begun)
        fresh = {"access_token": SecretStr(f"access-{number}"), "refresh_token": SecretStr(f"refresh-{number}")}
        upkeep.good[credentials.account_id] = f"refresh-{number}"
        await self._process.point()
        if fault == "lost_after":
            return Renewal(certainty=Certainty.UNKNOWN, reason="connection reset")
        life = timedelta(seconds=upkeep.life_s(RENEWED_LIVES_S))
        return Renewal(
            certainty=Certainty.POSTED,
            credentials=credentials.model_copy(update={**fresh, "expires_utc": self._clock.utc() + life}),
        )
