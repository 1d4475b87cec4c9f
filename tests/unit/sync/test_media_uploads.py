"""Media are uploaded in time, once, by account and content; renewed before they expire; alarmed of when they are missing."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from schedules.airing import Airing
from sync.ledger import Ledger
from sync.media import Media, Upload
from sync.media_files import MediaStore
from sync.media_records import MediaRecords
from sync.media_uploading import MediaUploadError, Withhold
from sync.media_uploads import REHEARSED_ID, MediaUploads, Need, need_of
from sync.states import Mode
from sync.writer import InlineWriter
from tests.media_makers import png
from tests.unit.sync.test_media import cue_of
from timebase import VirtualClock

DAY = timedelta(days=1)


class Uploader:
    """Takes what it is given, or fails as told."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock, self.life = clock, DAY
        self.fault = ""
        self.uploaded: list[tuple[str, str]] = []

    async def upload(self, account_id: str, media: Media, path: Path, withhold: Withhold) -> Upload:
        assert path.name.startswith(media.sha256)
        if reason := withhold() or self.fault:
            raise MediaUploadError(reason)
        self.uploaded.append((account_id, media.file))
        now_utc = self.clock.utc()
        return Upload(
            account_id=account_id,
            upload_key=media.upload_key,
            media_id=str(len(self.uploaded)),
            uploaded_utc=now_utc,
            expires_utc=now_utc + self.life,
        )


class Desk:
    """The uploads of one ledger, with all that is around them."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.ledger = Ledger.open(folder / "ledger.db", clock=self.clock)
        self.store = MediaStore(folder / "media")
        self.uploader = Uploader(self.clock)
        self.cue = cue_of(folder, 'media = [{ file = "pictures/cup.png", alt = "a cup" }]')
        self.store.keep(self.cue.media, folder)
        self.mode, self.stop_reason = Mode.LIVE, ""
        self.open_now, self.until = False, timedelta(hours=2)
        self.alarms: list[tuple[str, str]] = []
        self.uploads = self.make()

    def make(self) -> MediaUploads:
        async def alarm(level: str, text: str) -> None:
            self.alarms.append((level, text))

        return MediaUploads(
            records=MediaRecords(self.ledger),
            store=self.store,
            uploader=self.uploader,
            writer=InlineWriter(),
            clock=self.clock,
            mode=lambda: self.mode,
            stop_reason=lambda: self.stop_reason,
            needs=lambda: [Need(cue=self.cue, until_utc=self.clock.utc() + self.until, open_now=self.open_now)],
            changed=lambda: None,
            alarm=alarm,
        )

    def media_id(self) -> str | None:
        return self.uploads.standings(self.cue)[self.mode][self.cue.media[0].upload_key].media_id

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.uploads.remember()
        task = asyncio.create_task(self.uploads.run())
        await self.clock.advance(0)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_a_medium_is_uploaded_once_and_known_after_a_restart(desk: Desk) -> None:
    """The ledger keeps X's id until it expires, and the audit record says what was uploaded."""
    async with desk.running():
        assert desk.media_id() == "1"
        await desk.clock.advance(3600)
    desk.uploads = desk.make()
    async with desk.running():
        assert desk.media_id() == "1"
    assert desk.uploader.uploaded == [("anna", "pictures/cup.png")]
    sha256 = desk.cue.media[0].sha256
    assert ("media_uploaded", {"account_id": "anna", "media_id": "1", "sha256": sha256}) in desk.ledger.events(limit=9)


async def test_it_is_renewed_before_it_would_expire_within_its_use(desk: Desk) -> None:
    """Until the new one is there the old one serves; what has expired serves no more."""
    async with desk.running():
        assert desk.media_id() == "1"
    await desk.clock.advance(21 * 3600)
    async with desk.running():
        assert desk.media_id() == "1"
    await desk.clock.advance(1.5 * 3600)
    desk.uploader.fault = "no"
    async with desk.running():
        assert desk.media_id() == "1"
        desk.uploader.fault = ""
        await desk.clock.advance(60)
        assert desk.media_id() == "2"
    await desk.clock.advance(DAY.total_seconds() - 180)
    assert desk.media_id() == "2"
    await desk.clock.advance(120)
    assert desk.media_id() is None


async def test_a_short_life_is_not_renewed_without_end(desk: Desk) -> None:
    """X decides how long an upload lasts; one that is in the first half of its life is left alone."""
    desk.uploader.life = timedelta(minutes=20)
    async with desk.running():
        await desk.clock.advance(9 * 60)
        assert len(desk.uploader.uploaded) == 1
        await desk.clock.advance(2 * 60)
        assert len(desk.uploader.uploaded) == 2


async def test_another_alternative_text_or_account_is_another_upload(desk: Desk) -> None:
    """X keeps the text with the upload, and an upload belongs to its account."""
    async with desk.running():
        described = dataclasses.replace(desk.cue.media[0], alt="a mug")
        for changed in (dataclasses.replace(desk.cue, media=(described,)), dataclasses.replace(desk.cue, account_id="ben")):
            desk.cue = changed
            assert desk.media_id() is None
            desk.uploads.look()
            await desk.clock.advance(0)
            assert desk.media_id() is not None
    assert len(desk.uploader.uploaded) == 3


async def test_a_file_that_changed_on_disk_is_not_uploaded(desk: Desk) -> None:
    """What was approved goes, or nothing."""
    desk.store.path_of(desk.cue.media[0]).write_bytes(png("blue"))
    async with desk.running():
        assert desk.media_id() is None
    assert desk.uploader.uploaded == []
    assert "has changed since it was imported" in desk.alarms[0][1]


async def test_a_failure_is_told_once_and_tried_again_ever_more_slowly(desk: Desk) -> None:
    """Until it succeeds."""
    desk.uploader.fault = "X answered 503: over capacity"
    async with desk.running():
        await desk.clock.advance(1800)
        assert [level for level, _ in desk.alarms] == ["warning"]
        assert "over capacity" in desk.uploads.fault(desk.cue, desk.cue.media, Mode.LIVE)
        desk.uploader.fault = ""
        await desk.clock.advance(400)
        assert desk.media_id() == "1"


async def test_a_cue_that_could_fire_without_its_media_is_alarmed_of(desk: Desk) -> None:
    """Loudly and once; and a word when it has them."""
    desk.uploader.fault, desk.open_now = "no", True
    async with desk.running():
        await desk.clock.advance(60)
        critical = [text for level, text in desk.alarms if level == "critical"]
        assert len(critical) == 1
        assert "it is disarmed until the media is ready" in critical[0]
        desk.uploader.fault = ""
        await desk.clock.advance(300)
    assert desk.alarms[-1] == ("info", "Kaffee: its media is ready")


async def test_nothing_is_uploaded_while_killed_or_not_live(desk: Desk) -> None:
    """A kill stops uploads too; afterwards they go on, without a word of failure."""
    desk.stop_reason = "killed: smoke"
    async with desk.running():
        await desk.clock.advance(600)
        assert desk.uploader.uploaded == []
        desk.stop_reason, desk.mode = "", Mode.OFF
        await desk.clock.advance(600)
        assert desk.uploader.uploaded == []
        desk.mode = Mode.LIVE
        desk.uploads.look()
        await desk.clock.advance(0)
        assert desk.media_id() == "1"
    assert desk.alarms == []


async def test_a_rehearsal_looks_at_the_files_and_uploads_nothing(desk: Desk) -> None:
    """Its ids cannot be mistaken for X's."""
    desk.mode = Mode.REHEARSAL
    async with desk.running():
        assert desk.media_id() == REHEARSED_ID
        desk.store.path_of(desk.cue.media[0]).unlink()
        desk.uploads.reload()
        await desk.clock.advance(0)
        assert desk.media_id() is None
    assert desk.uploader.uploaded == []


class Broken(Uploader):
    """Raises what the port does not name."""

    async def upload(self, account_id: str, media: Media, path: Path, withhold: Withhold) -> Upload:
        raise RuntimeError("a bug")


async def test_an_uploader_that_breaks_costs_no_engine(desk: Desk) -> None:
    """Whatever it raises."""
    desk.uploader = Broken(desk.clock)
    desk.uploads = desk.make()
    async with desk.running():
        assert desk.uploads.fault(desk.cue, desk.cue.media, Mode.LIVE) == "pictures/cup.png: a bug"


def airing(opens: timedelta, *, hours: float = 0.1) -> Airing:
    now_utc = VirtualClock().utc()
    return Airing(
        airing_id="1",
        channel="nord",
        spot_id="kaffee-30",
        number=1,
        planned_utc=now_utc + opens,
        opens_utc=now_utc + opens,
        closes_utc=now_utc + opens + timedelta(hours=hours),
        raw="",
        row=1,
    )


@pytest.mark.parametrize(("opens_h", "hours", "lasts_h"), [(7, 1, None), (5, 1, 6), (-2, 3, 1), (-2, 1, None), (1, 24, 12)])
def test_a_spot_needs_its_media_some_hours_before_its_window(
    tmp_path: Path, opens_h: int, hours: float, lasts_h: int | None
) -> None:
    """Until the window's end, or for half a day where it is longer."""
    cue = cue_of(tmp_path, 'media = [{ file = "fizz.gif" }]')
    now_utc = VirtualClock().utc()
    need = need_of(cue, [airing(timedelta(hours=opens_h), hours=hours)], open_now=False, now_utc=now_utc)
    lasts = None if need is None else round((need.until_utc - now_utc).total_seconds() / 3600)
    assert lasts == lasts_h
