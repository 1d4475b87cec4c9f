"""Media ready before they are needed: uploaded while cues are armed, renewed before they expire, alarmed of when they are not.

What X has is in the ledger, by account, file and alternative text, so that a restart uploads nothing again. A cue
whose media is not ready declines at the gate, or posts its text alone; nothing here decides that.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from schedules.airing import Airing
from sync.board import Board
from sync.conditions import SpotCondition
from sync.cues import Cue
from sync.errors import LedgerError
from sync.media import NOT_LOOKED_AT, Media, MediaStanding, Upload
from sync.media_files import MediaStore
from sync.media_records import MediaRecords
from sync.media_uploading import MediaUploader, MediaUploadError
from sync.receipts import FiringRecord
from sync.states import FiringState, Mode
from sync.writer import Writer
from timebase import Backoff, Clock

AHEAD = timedelta(hours=6)
"""How long before its window a spot's media are uploaded, and for how long a goal's must last from any moment."""
NEEDED_MAX = timedelta(hours=12)
"""Longest that an upload is asked to last: it lasts a day."""
LOOK_EVERY_S = 30.0
"""How often media are looked at when nothing else happens."""
REHEARSED_ID = "rehearsal"
"""Stands in a rehearsal's body where X's media id would: nobody can mistake it for one."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A cue whose media should be ready.

    Attributes:
        until_utc: for how long.
        open_now: it could fire at any moment.
    """

    cue: Cue
    until_utc: datetime
    open_now: bool


def need_of(cue: Cue, airings: Iterable[Airing], *, open_now: bool, now_utc: datetime) -> Need | None:
    """Whether the cue's media should be ready, and until when; None when there is time.

    Args:
        airings: of the cue's spots on its channel.
        open_now: the cue could fire now.
    """
    if not isinstance(cue.on, SpotCondition):
        return Need(cue=cue, until_utc=now_utc + AHEAD, open_now=open_now)
    near = [one for one in airings if one.closes_utc >= now_utc and one.opens_utc <= now_utc + AHEAD]
    if not near:
        return None
    closes_utc = max(one.closes_utc for one in near) + timedelta(milliseconds=cue.deadline_ms)
    return Need(cue=cue, until_utc=min(closes_utc, now_utc + NEEDED_MAX), open_now=open_now)


def needs_of(board: Board, mode: Mode, now_utc: datetime) -> Iterator[Need]:
    """Cues with media that may fire in this mode, and could soon."""
    for stored in board.cues:
        cue = stored.cue
        if not cue.media or not stored.approved or stored.hold_reason or mode is Mode.OFF:
            continue
        airings = board.airings_of(cue.on.channel, cue.on.spots) if isinstance(cue.on, SpotCondition) else ()
        need = need_of(cue, airings, open_now=board.is_open(cue, mode, now_utc), now_utc=now_utc)
        if need is not None:
            yield need


class MediaUploads:
    """Keeps the media of cues ready, one upload at a time, and knows how each of them stands.

    Args:
        uploader: None where nothing can be posted live.
        mode: the mode now.
        stop_reason: why nothing may be sent now (a kill, the end); empty while it may.
        needs: the cues whose media should be ready.
        changed: called when one becomes ready, or does not.
        alarm: told of what a person should know.
    """

    def __init__(
        self,
        *,
        records: MediaRecords,
        store: MediaStore,
        uploader: MediaUploader | None,
        writer: Writer,
        clock: Clock,
        mode: Callable[[], Mode],
        stop_reason: Callable[[], str],
        needs: Callable[[], Iterable[Need]],
        changed: Callable[[], None],
        alarm: Callable[[str, str], Awaitable[None]],
    ) -> None:
        self._records, self._store, self._uploader = records, store, uploader
        self._writer, self._clock = writer, clock
        self._mode, self._stop_reason, self._needs = mode, stop_reason, needs
        self._changed, self._alarm = changed, alarm
        self._uploads: dict[tuple[str, str], Upload] = {}
        self._faults: dict[tuple[str, str], str] = {}
        self._retry: dict[tuple[str, str], tuple[int, Backoff]] = {}
        self._rehearsed: dict[str, str] = {}
        self._alarmed: set[str] = set()
        self._look = asyncio.Event()

    # --- what the engine asks -------------------------------------------------------------------

    def standings(self, cue: Cue) -> Mapping[Mode, Mapping[str, MediaStanding]]:
        """How the cue's media stand now, by mode and upload key; nothing for a cue without media."""
        if not cue.media:
            return {}
        return {
            Mode.LIVE: {one.upload_key: self._live(cue.account_id, one) for one in cue.media},
            Mode.REHEARSAL: {one.upload_key: self._rehearsal(one) for one in cue.media},
        }

    def fault(self, cue: Cue, media: Iterable[Media], mode: Mode) -> str:
        """Why the first of these is not ready; empty when all are."""
        standings = self.standings(cue).get(mode, {})
        for one in media:
            if fault := standings.get(one.upload_key, NOT_LOOKED_AT).fault:
                return f"{one.file}: {fault}"
        return ""

    def look(self) -> None:
        """Something has changed: look at the media again now."""
        self._look.set()

    def reload(self) -> None:
        """The cues have been read again: what was found of their files counts no more."""
        self._rehearsed.clear()
        self._retry.clear()
        self.look()

    async def take_refusal(self, record: FiringRecord) -> None:
        """Forget the media of a post that X called invalid, so that the next one has others.

        Raises:
            LedgerError: that cannot be recorded.
        """
        if record.state is not FiringState.REFUSED or record.http_status != 400:
            return
        media_ids = frozenset(_media_ids(record.body))
        self._uploads = {key: one for key, one in self._uploads.items() if one.media_id not in media_ids}
        if media_ids:
            await self._writer.run(self._records.forget, record.account_id, media_ids)
            self.look()

    # --- tending --------------------------------------------------------------------------------

    async def remember(self) -> None:
        """Read what X has.

        Raises:
            LedgerError: it cannot be read.
        """
        for upload in await self._writer.run(self._records.uploads):
            self._uploads[upload.account_id, upload.upload_key] = upload

    async def run(self) -> None:
        """Keep the media ready until cancelled."""
        while True:
            self._look.clear()
            mode = self._mode()
            needs = sorted(self._needs(), key=lambda need: (not need.open_now, need.until_utc))
            await self._tell_what_is_not_ready(needs, mode)
            for need in needs:
                for media in need.cue.media:
                    await self._tend(need, media, mode)
            await self._tell_what_is_not_ready(needs, mode)
            await self._wait(idle=not needs)

    async def _tend(self, need: Need, media: Media, mode: Mode) -> None:
        if mode is Mode.REHEARSAL and media.upload_key not in self._rehearsed:
            self._rehearsed[media.upload_key] = await self._writer.aside(self._store.fault, media)
            self._changed()
        if mode is Mode.LIVE and self._is_due(need, media):
            await self._upload(need.cue.account_id, media)

    def _is_due(self, need: Need, media: Media) -> bool:
        key, now_utc = (need.cue.account_id, media.upload_key), self._clock.utc()
        upload = self._uploads.get(key)
        if upload is not None and upload.lasts(need.until_utc, now_utc):
            return False
        not_before_mono_ns, _ = self._retry.get(key, (0, None))
        return self._clock.mono_ns() >= not_before_mono_ns and not self._withhold()

    async def _upload(self, account_id: str, media: Media) -> None:
        key = (account_id, media.upload_key)
        try:
            upload = await self._try(account_id, media)
        except Exception as error:
            if not isinstance(error, MediaUploadError):
                # A cue without its media costs a post; a dead engine costs the evening.
                _log.exception("media_upload_failed", extra={"account_id": account_id, "sha256": media.sha256})
            await self._failed(key, media, str(error))
            return
        self._uploads[key] = upload
        self._faults.pop(key, None)
        self._retry.pop(key, None)
        facts = {"account_id": account_id, "media_id": upload.media_id, "sha256": media.sha256}
        _log.info("media_uploaded", extra=facts)
        self._changed()
        try:
            await self._writer.run(self._records.keep, upload, sha256=media.sha256)
        except LedgerError as error:
            await self._alarm("warning", f"{media.file} is uploaded, but a restart will not know it: {error}")

    async def _try(self, account_id: str, media: Media) -> Upload:
        if self._uploader is None:
            raise MediaUploadError("no publisher is configured")
        # Before a byte leaves: what changed on the disk since its approval goes nowhere.
        if fault := await self._writer.aside(self._store.fault, media):
            raise MediaUploadError(fault)
        return await self._uploader.upload(account_id, media, self._store.path_of(media), self._withhold)

    async def _failed(self, key: tuple[str, str], media: Media, reason: str) -> None:
        if self._withhold():
            return  # It was stopped on purpose, and begins again when it may.
        _, backoff = self._retry.get(key, (0, Backoff(first_s=2.0, most_s=300.0, floor_s=1.0)))
        self._retry[key] = (self._clock.mono_ns() + round(backoff.next_s() * 1e9), backoff)
        news = self._faults.get(key) != reason
        self._faults[key] = reason
        self._changed()
        if news:
            await self._alarm("warning", f"{media.file} cannot be uploaded for account {key[0]}: {reason}; it is tried again")

    async def _tell_what_is_not_ready(self, needs: Iterable[Need], mode: Mode) -> None:
        """One alarm when a cue that could fire lacks its media, and a word when it has them."""
        for need in needs if mode is Mode.LIVE else ():
            cue, fault = need.cue, self.fault(need.cue, need.cue.media, mode)
            if fault and need.open_now and cue.cue_id not in self._alarmed:
                self._alarmed.add(cue.cue_id)
                what = "its text leaves alone" if cue.media_fallback == "text" else "it is disarmed"
                await self._alarm("critical", f"{cue.name}: its media {fault}; {what} until the media is ready")
            elif not fault and cue.cue_id in self._alarmed:
                self._alarmed.discard(cue.cue_id)
                await self._alarm("info", f"{cue.name}: its media is ready")

    async def _wait(self, *, idle: bool) -> None:
        """Until something happens or, unless there is nothing to tend, until the next look."""
        if idle:
            await self._look.wait()
            return
        tasks = [
            asyncio.create_task(self._look.wait(), name="media-look"),
            asyncio.create_task(self._clock.sleep(self._pause_s()), name="media-pause"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _pause_s(self) -> float:
        now_ns = self._clock.mono_ns()
        due_s = [(not_before_ns - now_ns) / 1e9 for not_before_ns, _ in self._retry.values() if not_before_ns > now_ns]
        return min([*due_s, LOOK_EVERY_S])

    # --- inside ---------------------------------------------------------------------------------

    def _withhold(self) -> str:
        return self._stop_reason() or ("" if self._mode() is Mode.LIVE else f"the mode is {self._mode()}")

    def _live(self, account_id: str, media: Media) -> MediaStanding:
        upload = self._uploads.get((account_id, media.upload_key))
        if upload is not None and upload.usable(self._clock.utc()):
            return MediaStanding(media_id=upload.media_id)
        fault = self._faults.get((account_id, media.upload_key)) or ("its upload has expired" if upload else "")
        return MediaStanding(media_id=None, fault=fault) if fault else NOT_LOOKED_AT

    def _rehearsal(self, media: Media) -> MediaStanding:
        fault = self._rehearsed.get(media.upload_key)
        if fault is None:
            return MediaStanding(media_id=None, fault="its file has not been looked at yet")
        return MediaStanding(media_id=None, fault=fault) if fault else MediaStanding(media_id=REHEARSED_ID)


def _media_ids(body: str) -> tuple[str, ...]:
    fields: dict[str, Any] = json.loads(body) if body else {}
    return tuple(fields.get("media", {}).get("media_ids", ()))
