"""OAuth 2.0 tokens are renewed long before they end, by one task of the one engine that fires; a post never waits for it.

A refresh token is good once, so each renewal is told to the ledger before it is asked for and after it was answered. What
lies between (a crash, an answer that never came) is not tried again: the token may be used up, and to use it twice ends the
sign-in. The account goes on with the access token it has, to its end, and says that it needs a sign-in.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sync.accounts import CredentialsError, OAuth2Credentials
from sync.errors import FencedError, LedgerConflictError, LedgerError
from sync.finishing import finished
from sync.posting import Certainty
from sync.sealing import SealingKey
from sync.token_records import TokenRecord, TokenRecords
from sync.tokens import Renewal, TokenEndpoint, end_mono_ns
from sync.writer import Writer
from timebase import Backoff, Clock

RENEW_BEFORE_NS: Final = 1_800_000_000_000
"""A quarter of the two hours that X gives: time for a person to sign the account in again if it is refused."""
LOOK_S: Final = 15.0
BETWEEN_NS: Final = 60_000_000_000
"""Least time between two renewals of an account, should X ever give tokens that are due when they come."""
KEEP_ATTEMPTS_MAX: Final = 600
"""Tries to keep new tokens in a ledger in trouble, some minutes in all."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSetup:
    """What renewing needs from outside.

    Attributes:
        accounts: with OAuth 2.0 tokens, as their files have them.
        key: seals renewed ones.
        endpoint: renews.
        take: makes the publisher use an account's tokens from its next request on.
    """

    accounts: tuple[OAuth2Credentials, ...]
    key: SealingKey
    endpoint: TokenEndpoint
    take: Callable[[OAuth2Credentials], None]


@dataclass(slots=True, kw_only=True)
class _Tokens:
    """One account's tokens and what stands against renewing them."""

    credentials: OAuth2Credentials
    ends_mono_ns: int
    generation: int = 0
    fault: str = ""
    in_doubt: bool = False
    under_way: bool = False
    told: str = ""
    next_try_ns: int = 0
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=5.0, most_s=120.0, floor_s=1.0))

    @property
    def advice(self) -> str:
        return f"cuebird account sign-in {self.credentials.account_id} --oauth2"


class Renewals:
    """Renews the tokens of the accounts.

    Args:
        epoch: of the engine; a fenced one renews nothing.
        wanted: whether tokens are to be kept fresh now.
        changed: called when an account looks different.
        alarm: told of what a person should know.
    """

    def __init__(
        self,
        setup: TokenSetup,
        records: TokenRecords,
        *,
        writer: Writer,
        clock: Clock,
        epoch: int,
        wanted: Callable[[], bool],
        changed: Callable[[], None],
        alarm: Callable[[str, str], Awaitable[None]],
    ) -> None:
        self._setup, self._records, self._writer, self._clock = setup, records, writer, clock
        self._epoch, self._wanted, self._changed, self._alarm = epoch, wanted, changed, alarm
        self._tokens = {one.account_id: _Tokens(credentials=one, ends_mono_ns=end_mono_ns(one, clock)) for one in setup.accounts}
        self._look = asyncio.Event()
        self._unread = ""

    def look(self) -> None:
        """Something has changed: look at the tokens now."""
        self._look.set()

    def fault(self, account_id: str) -> str:
        """Why an account must not post; empty when nothing stands against it."""
        tokens = self._tokens.get(account_id)
        return f"{tokens.fault}; {tokens.advice}" if tokens is not None and tokens.fault else ""

    def detail(self, account_id: str) -> str:
        """What a person should know of an account's tokens; empty when all is well."""
        tokens = self._tokens.get(account_id)
        if tokens is None or tokens.fault or not tokens.in_doubt or tokens.under_way:
            return self.fault(account_id)
        ends = f"{tokens.credentials.expires_utc:%H:%M:%S} UTC"
        return f"needs a sign-in before {ends}: its last renewal has no outcome; {tokens.advice}"

    async def remember(self) -> None:
        """Take up what the ledger has: newer tokens, sign-ins, refusals, and renewals without an outcome.

        Raises:
            LedgerError: it cannot be read.
        """
        known = await self._writer.run(self._records.all)
        for account_id, tokens in self._tokens.items():
            if (record := known.get(account_id)) is not None:
                self._compare(tokens, record)

    async def run(self) -> None:
        """Keep tokens fresh until cancelled.

        Raises:
            FencedError: another engine has taken over.
        """
        while True:
            self._look.clear()
            await self._tend()
            sleeping = asyncio.create_task(self._clock.sleep(LOOK_S), name="renewals-sleep")
            looking = asyncio.create_task(self._look.wait(), name="renewals-look")
            try:
                await asyncio.wait({sleeping, looking}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleeping.cancel()
                looking.cancel()

    async def _tend(self) -> None:
        try:
            await self.remember()
        except LedgerError as error:
            if str(error) != self._unread:
                await self._alarm("warning", f"tokens are not renewed: {error}")
            self._unread = str(error)
            return
        self._unread = ""
        for tokens in self._tokens.values():
            await self._say(tokens)
            if self._wanted() and self._is_due(tokens):
                # One after the other, in this task and no other; a stop waits for the outcome.
                await finished(self._renew(tokens))

    def _is_due(self, tokens: _Tokens) -> bool:
        now_ns = self._clock.mono_ns()
        may = not tokens.fault and not tokens.in_doubt and now_ns >= tokens.next_try_ns
        return may and tokens.ends_mono_ns - now_ns <= RENEW_BEFORE_NS

    async def _renew(self, tokens: _Tokens) -> None:
        old, generation = tokens.credentials, tokens.generation
        try:
            await self._writer.run(self._records.begin, old, generation, epoch=self._epoch)
        except LedgerConflictError:
            return  # The next look shows what is there.
        except FencedError:
            raise
        except LedgerError as error:
            await self._alarm("critical", f"the tokens of {old.account_id} are not renewed: {error}")
            self._wait(tokens)
            return
        tokens.in_doubt = tokens.under_way = True
        try:
            await self._ask(tokens, old, generation)
        finally:
            tokens.under_way = False
        await self._say(tokens)
        self._changed()

    async def _ask(self, tokens: _Tokens, old: OAuth2Credentials, generation: int) -> None:
        renewal = await self._setup.endpoint.renew(old)
        _log.info("tokens_renewal", extra={"account_id": old.account_id, "certainty": renewal.certainty.value})
        match renewal.certainty:
            case Certainty.POSTED:
                await self._take(tokens, renewal)
            case Certainty.REFUSED:
                tokens.fault = f"X refused to renew its tokens ({renewal.reason})"
                await self._keep(tokens, self._records.give_up, old, generation, fault=tokens.fault)
            case Certainty.NOT_SENT:
                await self._keep(tokens, self._records.give_up, old, generation, fault="")
                await self._not_sent(tokens, renewal.reason)
            case Certainty.UNKNOWN:
                _log.warning("tokens_in_doubt", extra={"account_id": old.account_id, "reason": renewal.reason})

    async def _take(self, tokens: _Tokens, renewal: Renewal) -> None:
        new = renewal.credentials
        assert new is not None  # POSTED comes with them
        # The access token is used at once (X may have ended the one before), the refresh token only when it is kept.
        self._setup.take(new)
        await self._keep(tokens, self._records.finish, new, tokens.generation)
        tokens.credentials, tokens.generation = new, tokens.generation + 1
        tokens.ends_mono_ns = end_mono_ns(new, self._clock)
        tokens.told, tokens.next_try_ns = "", self._clock.mono_ns() + BETWEEN_NS
        tokens.backoff.reset()

    async def _keep(self, tokens: _Tokens, write: Callable[..., None], *arguments: object, **named: object) -> None:
        """Write an outcome, however long the ledger needs; until then the account stays in doubt."""
        backoff = Backoff(first_s=0.05, most_s=2.0, floor_s=0.02)
        for attempt in range(KEEP_ATTEMPTS_MAX):
            try:
                await self._writer.run(write, *arguments, **named)
            except LedgerConflictError:
                break  # Signed in anew meanwhile: the next look takes that up.
            except LedgerError as error:
                _log.error("tokens_not_kept", extra={"account_id": tokens.credentials.account_id, "reason": str(error)})
                if attempt == 0:
                    await self._alarm(
                        "critical", f"what became of the tokens of {tokens.credentials.account_id} is not kept: {error}"
                    )
                await self._clock.sleep(backoff.next_s())
            else:
                tokens.in_doubt = False
                return

    async def _not_sent(self, tokens: _Tokens, reason: str) -> None:
        self._wait(tokens)
        sentence = f"the tokens of {tokens.credentials.account_id} are not renewed yet ({reason}); trying again"
        if tokens.told != sentence:
            tokens.told = sentence
            ended = self._clock.mono_ns() >= tokens.ends_mono_ns
            await self._alarm("critical" if ended else "warning", sentence)

    def _wait(self, tokens: _Tokens) -> None:
        tokens.next_try_ns = self._clock.mono_ns() + int(tokens.backoff.next_s() * 1e9)

    async def _say(self, tokens: _Tokens) -> None:
        """Alarm once of what a person must mend."""
        account_id = tokens.credentials.account_id
        wrong = self.detail(account_id)
        if wrong and tokens.told != wrong:
            tokens.told = wrong
            await self._alarm("critical", f"account {account_id}: {wrong}")

    def _compare(self, tokens: _Tokens, record: TokenRecord) -> None:
        """Take a record's tokens where they are newer, and what it says of renewing them."""
        ours = tokens.credentials
        if record.signed_in_utc < ours.signed_in_utc:
            return
        try:
            newer = (record.signed_in_utc, record.generation) > (ours.signed_in_utc, tokens.generation)
            kept = record.opened(self._setup.key) if newer else ours
        except CredentialsError as error:
            tokens.fault = str(error)
            return
        if newer:
            tokens.credentials, tokens.generation = kept, record.generation
            tokens.ends_mono_ns = end_mono_ns(kept, self._clock)
            tokens.told, tokens.next_try_ns = "", 0
            self._setup.take(kept)
        before = tokens.fault, tokens.in_doubt
        tokens.fault, tokens.in_doubt = record.fault, record.renewing_since_utc is not None
        if newer or before != (tokens.fault, tokens.in_doubt):
            self._changed()


def time_left(expires_utc: datetime, now_utc: datetime) -> str:
    """How long a token still holds, for people."""
    minutes = (expires_utc - now_utc) // timedelta(minutes=1)
    if expires_utc <= now_utc:
        return "ended"
    return f"{minutes // 60} h {minutes % 60:02} min left" if minutes >= 60 else f"{minutes} min left"


def standing(file: OAuth2Credentials, record: TokenRecord | None, key: SealingKey | None, now_utc: datetime) -> str:
    """How an account's tokens stand, in a few words for a list."""
    if record is None or key is None or record.signed_in_utc < file.signed_in_utc:
        return time_left(file.expires_utc, now_utc)
    try:
        left = time_left(record.opened(key).expires_utc, now_utc)
    except CredentialsError:
        return "needs a sign-in: sealed with another key"
    if record.fault or record.renewing_since_utc is not None:
        return f"{left}, needs a sign-in"
    return left


def newest(accounts: Collection[OAuth2Credentials], known: dict[str, TokenRecord], key: SealingKey) -> list[OAuth2Credentials]:
    """The tokens that are good now: the ledger's of the same sign-in or a later one, else the file's.

    Raises:
        CredentialsError: the key does not open them.
    """
    found = []
    for one in accounts:
        record = known.get(one.account_id)
        found.append(one if record is None or record.signed_in_utc < one.signed_in_utc else record.opened(key))
    return found
