"""The ledger of a rehearsal, made from a real one in each database."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from schedules.airing import Airing
from sync.audit import AuditFiles
from sync.cues import parse_cues
from sync.errors import LedgerError
from sync.ledger import Ledger
from sync.plan_versions import PlanSource, PlanVersions
from sync.scratch import scratch_ledger
from sync.simulation.storage import CUES
from sync.states import Mode
from timebase import VirtualClock


@pytest.fixture
def ledger(target: Path | str, audit: AuditFiles, clock: VirtualClock) -> Iterator[Ledger]:
    """A ledger in use: cues, one of them approved, one held; an airing that was heard; LIVE, and killed."""
    ledger = Ledger.open(target, clock=clock, mode=Mode.LIVE, audit=audit)
    ledger.import_cues(parse_cues(CUES.encode(), source="test"), actor="sponsor")
    ledger.approve_cue("now", approved_by="approver")
    ledger.hold_cue("goal", actor="ops", reason="wrong match")
    PlanVersions(ledger).commit("plan", [airing(clock)], PlanSource(actor="planner"))
    ledger.mark_heard("nord/kaffee-30/1", clock.utc())
    ledger.become_engine(holder="elsewhere")
    ledger.kill(actor="ops", reason="over")
    yield ledger
    ledger.close()


def airing(clock: VirtualClock) -> Airing:
    at_utc = clock.utc() + timedelta(minutes=5)
    return Airing(
        airing_id="nord/kaffee-30/1",
        channel="nord",
        spot_id="kaffee-30",
        number=1,
        planned_utc=at_utc,
        opens_utc=at_utc - timedelta(seconds=60),
        closes_utc=at_utc + timedelta(seconds=60),
        raw="",
        row=1,
    )


def test_it_knows_what_may_fire_and_nothing_of_what_has(target: Path | str, ledger: Ledger, clock: VirtualClock) -> None:
    """Cues, approvals, holds and airings are those of the real one; mode, kill, lease and what was heard are its own."""
    scratch = scratch_ledger(target, clock)
    assert scratch.cues() == ledger.cues()
    assert scratch.airings() == ledger.airings()
    assert (scratch.switch().mode, scratch.switch().killed, scratch.lease()) == (Mode.REHEARSAL, False, None)
    assert scratch.heard_airings(closes_after_utc=clock.utc() - timedelta(days=1)) == frozenset()
    scratch.hold_cue("now", actor="rehearsal", reason="nobody shall see this")
    scratch.database.close()
    assert {one.hold_reason for one in ledger.cues()} == {"", "wrong match"}


def test_a_ledger_of_another_version_is_named(target: Path | str, ledger: Ledger, clock: VirtualClock) -> None:
    """It is not migrated: a rehearsal writes nothing."""
    with ledger.database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(LedgerError, match="another version of Cuebird"):
        scratch_ledger(target, clock)


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path, clock: VirtualClock) -> None:
    """It says how one is made."""
    with pytest.raises(LedgerError, match="cuebird cues import"):
        scratch_ledger(tmp_path / "ledger.db", clock)
    assert list(tmp_path.iterdir()) == []
