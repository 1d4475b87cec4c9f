"""Approvals that end while the engine runs: nobody is surprised, and nothing leaves."""

import dataclasses
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from sync.audit import records, verify
from sync.simulation.storage import Storage
from sync.simulation.world import World
from sync.wire import Reload
from tests.scenario.sync.test_engine_scenarios import check, virtual, world_of


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    """One ledger in memory for all worlds, set back for each."""
    storage = Storage()
    yield storage
    storage.close()


def approve(world: World, cue_id: str, *, valid_s: float) -> None:
    world.ledger.approve_cue(cue_id, approved_by="approver", valid_for=timedelta(seconds=valid_s))


def told(world: World, kind: str) -> list[dict[str, object]]:
    return [record.facts for record in records(world.storage.database) if record.kind == kind]


def alarms(world: World) -> list[str]:
    return [alarm.text for alarm in world.ledger.alarms(limit=50)]


@virtual
async def test_an_approval_that_ends_before_the_plan_is_an_alarm_and_a_warning(storage: Storage) -> None:
    """Once, when the engine looks; the snapshot says it as long as it is so."""
    async with world_of(storage) as world:
        approve(world, "now", valid_s=20)
        process = await world.start()
        await world.clock.advance(0.1)
        sentence = "its approval ends 2027-03-01 12:00 UTC, before the window of 2027-03-01 12:00 UTC closes and 1 more"
        assert alarms(world) == [f"Coffee on air: {sentence}; have it approved again"]
        assert process.engine is not None
        shown = process.engine.snapshot()["cues"]
        assert [(cue["cue_id"], cue["warning"]) for cue in shown if cue["warning"]] == [("now", sentence)]
        await process.engine.heartbeat._approvals.look()
        assert len(alarms(world)) == 1
        approve(world, "now", valid_s=3600)
        await process.ask(Reload(op="reload"))
        assert {cue["warning"] for cue in process.engine.snapshot()["cues"]} == {""}


@virtual
async def test_an_approval_that_has_ended_lets_nothing_leave_and_is_recorded_once(storage: Storage) -> None:
    """When it is first seen to have; it is not voided, so that a wrong clock that is put right undoes nothing."""
    async with world_of(storage) as world:
        approve(world, "now", valid_s=3)
        process = await world.start()
        await world.clock.advance(5)
        world.hear()
        await world.clock.advance(1)
        (record,) = [record for record in world.records() if record.cue_id == "now"]
        assert (record.state, record.guard) == ("DECLINED", "approval")
        assert "their approval has expired" in record.reason
        assert process.engine is not None
        for _ in range(2):
            await process.engine.heartbeat._approvals.look()
        (facts,) = told(world, "approval_expired")
        assert (facts["cue_id"], facts["approved_by"]) == ("now", "approver")
        assert "Coffee on air: its approval by approver ended at 2027-03-01 12:00 UTC" in alarms(world)
        world.clock.step_utc(timedelta(seconds=-60))
        assert {one.cue.cue_id: one.approved for one in world.ledger.cues()}["now"]
        await world.clock.advance(10)
        check(world)


@virtual
async def test_an_approval_that_is_withdrawn_counts_at_once(storage: Storage) -> None:
    """Also for an engine that has not read it: what waits for its viewers does not leave."""
    async with world_of(storage) as world:
        await world.start()
        await world.clock.advance(5)
        world.hear()
        await world.clock.advance(1)
        world.ledger.withdraw_approval("later", by=" Approver ", reason="wrong creative")
        await world.clock.advance(10)
        assert world.states("now") == ["POSTED"]
        assert world.states("later") == ["DECLINED"]
        (facts,) = told(world, "approval_voided")
        assert (facts["cue_id"], facts["actor"], facts["reason"], facts["remark"]) == (
            "later",
            "Approver",
            "withdrawn",
            "wrong creative",
        )
        check(world)


@virtual
async def test_a_voided_approval_that_is_revived_behind_the_record_is_found(storage: Storage) -> None:
    """A change voids it, and says which one; a ledger in which it stands again is not as recorded."""
    async with world_of(storage) as world:
        world.ledger.import_cues([dataclasses.replace(world.cue("now"), variants=("neu",))], actor="sponsor")
        (facts,) = told(world, "approval_voided")
        assert (facts["cue_id"], facts["actor"], facts["reason"]) == ("now", "sponsor", "the cue was changed")
        assert json.dumps(facts)
        world.rows("UPDATE approval SET voided_utc = NULL WHERE approval_id = ?", facts["approval_id"])
        fault = verify(storage.database, storage.chain.key, None).fault
        assert fault is not None
        assert "the approval of cue now by approver stands in the ledger, and record" in fault.sentence
