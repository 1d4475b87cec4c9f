"""What the whole engine keeps of what it heard, and of when it was listened to."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from fingerprints.events import FeedState, FeedStatus, FollowEnd
from schedules.as_run import Line, Verdict
from schedules.reconciliation import SETTLING
from sync.as_run import as_run_lines
from sync.simulation.storage import Storage
from sync.simulation.world import World
from tests.scenario.sync.test_engine_scenarios import virtual, world_of


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    """One ledger in memory for all worlds, set back for each."""
    storage = Storage()
    yield storage
    storage.close()


def lines_of(world: World) -> dict[int, Line]:
    """The report of the evening, by the airing's number; what is off plan has numbers below 0."""
    now = world.clock.utc()
    hour = timedelta(hours=1)
    found = as_run_lines(world.ledger, now - hour, now + hour, now_utc=now)
    off_plan = iter(range(-1, -100, -1))
    return {line.airing.number if line.airing else next(off_plan): line for line in found}


async def listen(world: World, seconds: int, *, state: FeedState = FeedState.LIVE) -> None:
    """A listener speaks twice a second for a while."""
    for _ in range(2 * seconds):
        for engine in world.engines():
            now_ns, now_utc = world.clock.mono_ns(), world.clock.utc()
            engine.take_feed(
                FeedStatus(feed_id="main", state=state, level_db=-20.0, position_s=9.0, seen_mono_ns=now_ns, sent_utc=now_utc)
            )
        await world.clock.advance(0.5)


@virtual
async def test_a_spot_is_on_record_with_its_end(storage: Storage) -> None:
    """Detection and end, from the report to the ledger and back; the tweet beside it."""
    async with world_of(storage) as world:
        process = await world.start()
        await listen(world, 5)
        world.hear()
        await listen(world, 2)
        assert process.engine is not None
        process.engine._followed(
            FollowEnd(spot_id="kaffee-30", feed_id="main", onset_s=1.0, end_s=13.0, coverage=0.4, cut_s=12.0)
        )
        await listen(world, 1)

        line = lines_of(world)[1]
        assert (line.verdict, line.why.split(";")[0]) == (Verdict.CUT_SHORT, "broken off after 12.0 s")
        assert [one.reference != "" for one in line.fired if one.cue_id == "now"] == [True]
        assert line.first_byte_ms is not None


@virtual
async def test_listening_is_on_record_while_the_listener_speaks(storage: Storage) -> None:
    """Heard nothing while listening is not heard; of the time after the listener fell silent nothing is known."""
    async with world_of(storage) as world:
        await world.start()
        await listen(world, 24)
        await world.clock.advance(20 + SETTLING.total_seconds())

        verdicts = {number: line.verdict for number, line in lines_of(world).items()}
        assert verdicts == {
            1: Verdict.NOT_HEARD,
            2: Verdict.NOT_HEARD,
            3: Verdict.NOT_LISTENED,
            4: Verdict.NOT_LISTENED,
        }


@pytest.mark.parametrize("state", [FeedState.STALLED, FeedState.FAILED, FeedState.ENDED, FeedState.CONNECTING])
@virtual
async def test_a_feed_that_is_down_is_not_listened_to(storage: Storage, state: FeedState) -> None:
    """Its listener speaks, and says that it hears nothing."""
    async with world_of(storage) as world:
        await world.start()
        await listen(world, 25, state=state)

        assert world.rows("SELECT count(*) FROM listening") == [(0,)]


@virtual
async def test_a_span_is_written_while_it_lasts_and_when_the_engine_stops(storage: Storage) -> None:
    """A crash loses the last seconds only; an engine that stops in order none."""
    async with world_of(storage) as world:
        process = await world.start()
        await listen(world, 23)
        ((began, until),) = world.rows("SELECT began_utc, until_utc FROM listening")
        assert 18e6 <= until - began <= 22e6
        assert process.engine is not None
        await process.engine._hearings.finish()
        ((_, until),) = world.rows("SELECT began_utc, until_utc FROM listening")
        assert until - began >= 22e6
