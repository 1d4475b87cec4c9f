"""Tweets with media, told with the whole engine on a virtual clock: ready, late, refused, killed, rehearsed."""

import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hardware.events import ScoreKind
from sync.cues import Cue
from sync.media import Fallback, Media, Upload
from sync.media_check import check_media, sha256_of
from sync.media_files import MediaStore
from sync.media_uploading import MediaUploadError, Withhold
from sync.simulation.invariants import Invariants
from sync.simulation.storage import Storage
from sync.simulation.world import World
from sync.states import Action, FiringState, Mode
from sync.wire import Kill, Release, SetMode
from tests.media_makers import png
from tests.scenario.sync.test_engine_scenarios import virtual


class Uploads:
    """X's side of uploading: takes what comes after a while, or fails as told."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.fault, self.takes_s = "", 1.0
        self.sha256_of_id: dict[str, str] = {}

    async def upload(self, account_id: str, media: Media, path: Path, withhold: Withhold) -> Upload:
        sha256 = sha256_of(path)
        await self._world.clock.sleep(self.takes_s)
        if reason := withhold() or self.fault:
            raise MediaUploadError(reason)
        media_id = str(1000 + len(self.sha256_of_id))
        self.sha256_of_id[media_id] = sha256
        now_utc = self._world.clock.utc()
        return Upload(
            account_id=account_id,
            upload_key=media.upload_key,
            media_id=media_id,
            uploaded_utc=now_utc,
            expires_utc=now_utc + timedelta(days=1),
        )


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    storage = Storage()
    yield storage
    storage.close()


@contextlib.asynccontextmanager
async def world_with(
    storage: Storage, folder: Path, *, fallback: Fallback = "disarm", mode: Mode = Mode.LIVE
) -> AsyncIterator[tuple[World, Uploads]]:
    """A world whose goal cue has a picture, approved with it."""
    world = World(storage)
    try:
        world.state_dir = folder
        uploads = Uploads(world)
        world.uploader = uploads
        (folder / "cup.png").write_bytes(png())
        one = check_media(folder / "cup.png")
        cup = Media(file="cup.png", alt="a cup", **{name: getattr(one, name) for name in type(one).__slots__})
        MediaStore(folder / "media").keep([cup], folder)
        world.store(dataclasses.replace(world.cue("goal"), media=(cup,), media_fallback=fallback))
        if mode is not Mode.LIVE:
            world.ledger.set_mode(mode, actor="ops")
        yield world, uploads
    finally:
        await world.close()


def goal_cue(world: World) -> Cue:
    return world.cue("goal")


def alarms(world: World) -> str:
    return "\n".join(f"{one.level}: {one.text}" for one in world.ledger.alarms(limit=50))


def bodies(world: World) -> list[dict[str, object]]:
    return [json.loads(sent.body) for sent in world.x.sent]


@virtual
async def test_the_picture_is_there_before_the_goal(storage: Storage, tmp_path: Path) -> None:
    """Its id is in the bytes that were claimed, and those left; the file behind it is the one that was approved."""
    async with world_with(storage, tmp_path) as (world, uploads):
        await world.start()
        await world.clock.advance(5)
        await world.goal(1)
        await world.clock.advance(5)
        (body,), (record,) = bodies(world), world.records()
        assert body["media"] == {"media_ids": ["1000"]}
        assert (record.state, record.body) == (FiringState.POSTED, world.x.sent[0].body)
        assert uploads.sha256_of_id["1000"] == goal_cue(world).media[0].sha256
        Invariants(world).check_at_rest()


@virtual
async def test_a_goal_before_the_picture_is_ready_fires_nothing(storage: Storage, tmp_path: Path) -> None:
    """It is declined with the reason, the cue is shown as held; the next goal, with the picture there, fires."""
    async with world_with(storage, tmp_path) as (world, uploads):
        uploads.fault = "X answered 503: over capacity"
        process = await world.start()
        await world.clock.advance(5)
        await world.goal(1)
        await world.clock.advance(1)
        (declined,) = world.records()
        assert (declined.state, declined.guard) == (FiringState.DECLINED, "media")
        assert declined.reason == "its media cup.png is not ready: X answered 503: over capacity"
        assert "warning: cup.png cannot be uploaded for account bank: X answered 503" in alarms(world)
        uploads.fault = ""
        await world.clock.advance(30)
        await world.goal(2)
        await world.clock.advance(5)
        assert world.states("goal") == ["DECLINED", "POSTED"]
        assert process.alive


@virtual
async def test_the_text_goes_alone_where_that_was_approved(storage: Storage, tmp_path: Path) -> None:
    """Without media in its bytes; and only so."""
    async with world_with(storage, tmp_path, fallback="text") as (world, uploads):
        uploads.fault = "no"
        await world.start()
        await world.clock.advance(5)
        await world.goal(1)
        await world.clock.advance(5)
        assert world.states("goal") == ["POSTED"]
        assert "media" not in bodies(world)[0]


@virtual
async def test_a_post_that_x_refuses_for_its_media_is_never_sent_again(storage: Storage, tmp_path: Path) -> None:
    """It is refused; the upload is forgotten, and the next goal goes out with another one."""
    async with world_with(storage, tmp_path) as (world, _):
        await world.start()
        await world.clock.advance(5)
        world.x.faults.append("media_refused")
        await world.goal(1)
        await world.clock.advance(30)
        assert len(world.x.sent) == 1
        await world.goal(2)
        await world.clock.advance(5)
        assert [body["media"] for body in bodies(world)] == [{"media_ids": ["1000"]}, {"media_ids": ["1001"]}]
        assert world.states("goal") == ["REFUSED", "POSTED"]
        Invariants(world).check_at_rest()


@virtual
async def test_a_changed_picture_fires_nothing_until_it_is_approved(storage: Storage, tmp_path: Path) -> None:
    """Although the old one is at X still."""
    async with world_with(storage, tmp_path) as (world, _):
        process = await world.start()
        await world.clock.advance(5)
        (cup,) = goal_cue(world).media
        world.ledger.import_cues(
            [dataclasses.replace(goal_cue(world), media=(dataclasses.replace(cup, alt="a mug"),))], actor="s"
        )
        await world.goal(1)
        await world.clock.advance(5)
        assert world.records()[0].guard == "approval"
        assert world.x.sent == []
        assert process.alive


@virtual
async def test_a_kill_stops_uploading_and_a_release_goes_on(storage: Storage, tmp_path: Path) -> None:
    """Nothing begins while killed."""
    async with world_with(storage, tmp_path) as (world, uploads):
        process = await world.start()
        await world.clock.advance(0.5)
        await process.ask(Kill(op="kill", actor="ops", reason="smoke"))
        await world.clock.advance(100)
        assert uploads.sha256_of_id == {}
        await process.ask(Release(op="release", actor="ops", reason="clear"))
        await world.clock.advance(5)
        assert list(uploads.sha256_of_id) == ["1000"]


@virtual
async def test_a_rehearsal_goes_the_whole_way_without_uploading(storage: Storage, tmp_path: Path) -> None:
    """Its bytes say that they are a rehearsal's; going live uploads."""
    async with world_with(storage, tmp_path, mode=Mode.REHEARSAL) as (world, uploads):
        process = await world.start()
        await world.clock.advance(5)
        await world.goal(1)
        await world.clock.advance(5)
        (record,) = world.records()
        assert (record.state, json.loads(record.body)["media"]) == (FiringState.POSTED, {"media_ids": ["rehearsal"]})
        assert uploads.sha256_of_id == {}
        await process.ask(SetMode(op="mode", mode="LIVE", actor="ops"))
        await world.clock.advance(5)
        assert list(uploads.sha256_of_id) == ["1000"]


@virtual
async def test_a_correction_has_no_media_and_waits_for_none(storage: Storage, tmp_path: Path) -> None:
    """The goal is taken back, and its picture has expired meanwhile: the correction leaves."""
    async with world_with(storage, tmp_path) as (world, _):
        corrected = {"taken_back": "correct", "corrections": ("No goal after all.",)}
        world.store(dataclasses.replace(goal_cue(world), **corrected))  # type: ignore[arg-type]  # any field
        await world.start()
        await world.clock.advance(5)
        await world.goal(1)
        await world.clock.advance(2)
        await world.score(ScoreKind.CORRECTION, 0)
        await world.clock.advance(5)
        corrections = [one for one in world.records() if one.action is Action.CORRECT]
        assert [one.state for one in corrections] == [FiringState.POSTED]
        assert "media" not in json.loads(corrections[0].body)
