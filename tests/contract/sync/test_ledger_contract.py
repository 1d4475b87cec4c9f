"""What the ledger promises, kept by SQLite and by PostgreSQL alike."""

import dataclasses
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from sync.audit import AuditFiles
from sync.caps import CapLimits, Claimed
from sync.claim_facts import ClaimFacts, ClaimRequest
from sync.claim_statements import TEXTS_AT_ONCE, Statements, statements_for
from sync.cues import Caps, Cue, parse_cues
from sync.database import BUSY_TIMEOUT_MS, LOG_ROOM_BYTES, Database
from sync.decide import Intent, Moment, decide_goal
from sync.errors import (
    ApprovalError,
    CueError,
    FencedError,
    IllegalTransitionError,
    LedgerConflictError,
    LedgerError,
    SyncError,
)
from sync.firings import ClaimResult, Firings
from sync.gate import Facts, Guard
from sync.lease import Lease, LeaseHeldError
from sync.ledger import Ledger
from sync.posting import Certainty, Outcome
from sync.prepared import Cursor
from sync.schema import FIRING, METADATA, SCHEMA_HEAD
from sync.signals import GoalScored, goal_occurrence
from sync.states import FiringState, Mode
from timebase import VirtualClock

CUES = b"""
[[cue]]
id = "goal"
name = "Goal"
author = "sponsor"
account = "bank"
deadline_ms = 4000
variants = ["{home} {home_score}:{away_score} {away}", "Goal!"]
caps = { per_minute = 3, per_hour = 4, per_day = 5 }
[cue.on]
kind = "goal"
fixture = "final"
side = "any"
"""


@pytest.fixture
def ledger(target: Path | str, audit: AuditFiles, clock: VirtualClock) -> Iterator[Ledger]:
    """A new ledger in LIVE mode with one approved cue."""
    ledger = Ledger.open(target, clock=clock, mode=Mode.LIVE, audit=audit)
    ledger.import_cues([cue()], actor="sponsor")
    ledger.approve_cue("goal", approved_by="approver")
    yield ledger
    ledger.close()


def cue() -> Cue:
    (only,) = parse_cues(CUES, source="test")
    return only


def engine_of(ledger: Ledger) -> Firings:
    return Firings(ledger, epoch=ledger.become_engine(), boot_id="boot")


def goal(clock: VirtualClock, ordinal: int = 1, *, take: int = 1, of: Cue | None = None) -> Intent:
    now_ns, now_utc = clock.mono_ns(), clock.utc()
    signal = GoalScored(
        occurrence_id=goal_occurrence(fixture="final", side="home", ordinal=ordinal, take=take),
        fixture="final",
        side="home",
        ordinal=ordinal,
        take=take,
        home_score=ordinal,
        away_score=0,
        period="1",
        clock="12:34",
        taken_back=False,
        on_air_mono_ns=now_ns,
        on_air_utc=now_utc,
        heard_mono_ns=now_ns,
    )
    (intent,) = decide_goal(signal, [of or cue()], names={"final": ("North", "South")}, now=Moment(mono_ns=now_ns, utc=now_utc))
    return intent


def guard_of(result: ClaimResult) -> Guard | None:
    against = result.judgement.against
    return None if against is None else against.guard


def posted(clock: VirtualClock, tweet_id: str = "1894") -> Outcome:
    return Outcome(
        certainty=Certainty.POSTED,
        tweet_id=tweet_id,
        reason="",
        http_status=201,
        first_byte_mono_ns=clock.mono_ns(),
        answered_mono_ns=clock.mono_ns(),
        warm=True,
    )


# --- claiming -----------------------------------------------------------------------------------


def test_occurrence_is_claimed_once(ledger: Ledger, clock: VirtualClock) -> None:
    """The second claim of an occurrence gets no record, and is told which firing has it."""
    firings = engine_of(ledger)
    first, second = firings.claim(goal(clock), account_faults={}), firings.claim(goal(clock), account_faults={})
    assert first.record is not None
    assert first.record.state is FiringState.CLAIMED
    assert (second.record, guard_of(second)) == (None, Guard.OCCURRENCE)


def test_unique_index_stands_behind_the_claim(ledger: Ledger, clock: VirtualClock) -> None:
    """Even code that forgets to look cannot write a second claim of one occurrence."""
    record = engine_of(ledger).claim(goal(clock), account_faults={}).record
    assert record is not None
    with ledger.database.reading() as connection:
        row = dict(connection.execute(sa.select(FIRING)).one()._mapping)
    del row["firing_id"]
    for change in ({"text_sha256": "other"}, {"occurrence_id": "other"}):
        with pytest.raises(LedgerError), ledger.database.writing() as connection:
            connection.execute(sa.insert(FIRING).values({**row, **change}))


def test_racing_claims_have_one_winner(ledger: Ledger, clock: VirtualClock) -> None:
    """Eight threads claim one occurrence at the same time: one gets it."""
    firings = engine_of(ledger)
    intent, results, gate = goal(clock), list[ClaimResult](), threading.Barrier(8)

    def claim() -> None:
        gate.wait()
        results.append(firings.claim(intent, account_faults={}))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.record is not None for result in results) == 1
    assert len(results) == 8


def test_older_engine_is_fenced(ledger: Ledger, clock: VirtualClock) -> None:
    """After a takeover the older engine claims nothing, deletes nothing, and may not send what it had claimed."""
    old = engine_of(ledger)
    claimed = old.claim(goal(clock), account_faults={}).record
    assert claimed is not None
    assert old.may_send(Mode.LIVE) == ""
    new = engine_of(ledger)
    with pytest.raises(FencedError):
        old.claim(goal(clock, 2), account_faults={})
    with pytest.raises(FencedError):
        old.claim_delete(claimed, deadline_mono_ns=1 << 60, on_air_mono_ns=1, heard_mono_ns=1)
    assert "FENCED" in old.may_send(Mode.LIVE)
    assert new.claim(goal(clock, 2), account_faults={}).record is not None


@pytest.mark.parametrize(
    ("prepare", "guard"),
    [
        (lambda ledger: ledger.kill(actor="ops", reason="x"), Guard.KILL),
        (lambda ledger: ledger.set_mode(Mode.OFF, actor="ops"), Guard.MODE),
        (lambda ledger: ledger.import_cues([dataclasses.replace(cue(), name="Other")], actor="x"), Guard.APPROVAL),
        (lambda ledger: ledger.hold_cue("goal", actor="ops", reason="x"), Guard.HOLD),
    ],
)
def test_claim_reads_the_ledger_itself(
    ledger: Ledger, clock: VirtualClock, prepare: Callable[[Ledger], object], guard: Guard
) -> None:
    """Kill, mode, approval and hold count from their commit on, whatever the engine has in memory."""
    firings = engine_of(ledger)
    prepare(ledger)
    assert guard_of(firings.claim(goal(clock), account_faults={})) is guard


async def test_caps_count_by_their_periods_and_hold_the_cue(ledger: Ledger, clock: VirtualClock) -> None:
    """Three a minute, four an hour: each cap declines, and holds the cue until it is rearmed."""
    firings = engine_of(ledger)
    results = [firings.claim(goal(clock, ordinal), account_faults={}) for ordinal in (1, 2, 3, 4)]
    assert [guard_of(result) for result in results] == [None, None, None, Guard.CAPS]
    assert ledger.cues()[0].hold_reason.startswith("cap: cue goal has fired 3 of 3 in a minute")
    ledger.hold_cue("goal", actor="ops", reason="")
    await clock.advance(61)
    assert guard_of(firings.claim(goal(clock, 5), account_faults={})) is None
    assert guard_of(firings.claim(goal(clock, 6), account_faults={})) is Guard.CAPS
    ledger.hold_cue("goal", actor="ops", reason="")
    clock.step_utc(timedelta(hours=5))
    assert guard_of(firings.claim(goal(clock, 7), account_faults={})) is Guard.CAPS


def test_text_leaves_once(ledger: Ledger, clock: VirtualClock) -> None:
    """A goal scored again reads the same: the next variant is used, and when none is left the cue is spent."""
    firings = engine_of(ledger)
    texts = [firings.claim(goal(clock, 1, take=take), account_faults={}) for take in (1, 2, 3)]
    assert [result.record and result.record.text for result in texts] == ["North 1:0 South", "Goal!", ""]
    assert guard_of(texts[2]) is Guard.TEXT


def test_armed_firing_reserves_and_then_claims_its_text(ledger: Ledger, clock: VirtualClock) -> None:
    """A firing that waits for its audience delay keeps occurrence and text, and claims exactly those."""
    firings = engine_of(ledger)
    armed = firings.claim(goal(clock), account_faults={}, arm_only=True).record
    assert armed is not None
    assert armed.state is FiringState.ARMED
    assert firings.claim(goal(clock), account_faults={}).record is None
    claimed = firings.claim(goal(clock), account_faults={}, armed_firing_id=armed.firing_id).record
    assert claimed is not None
    assert (claimed.firing_id, claimed.state, claimed.text) == (armed.firing_id, FiringState.CLAIMED, armed.text)
    with pytest.raises(IllegalTransitionError):
        firings.claim(goal(clock), account_faults={}, armed_firing_id=armed.firing_id)


@pytest.mark.parametrize(("armed_in", "then"), [(Mode.REHEARSAL, Mode.LIVE), (Mode.LIVE, Mode.REHEARSAL)])
def test_what_was_armed_in_one_mode_is_not_claimed_in_another(
    ledger: Ledger, clock: VirtualClock, armed_in: Mode, then: Mode
) -> None:
    """A goal that waits in a rehearsal does not become a tweet because the mode is changed meanwhile."""
    ledger.set_mode(armed_in, actor="ops")
    firings = engine_of(ledger)
    armed = firings.claim(goal(clock), account_faults={}, arm_only=True).record
    assert armed is not None
    ledger.set_mode(then, actor="ops")
    result = firings.claim(goal(clock), account_faults={}, armed_firing_id=armed.firing_id)
    assert guard_of(result) is Guard.MODE
    assert result.record is not None
    assert (result.record.state, result.record.reason) == (
        FiringState.DECLINED,
        f"it was armed in {armed_in}, the mode is {then}",
    )


def test_rehearsal_does_not_use_up_the_live_firing(ledger: Ledger, clock: VirtualClock) -> None:
    """The mode is part of what is unique: a rehearsed occurrence may still fire live, once."""
    firings = engine_of(ledger)
    ledger.set_mode(Mode.REHEARSAL, actor="ops")
    assert firings.claim(goal(clock), account_faults={}).record is not None
    ledger.set_mode(Mode.LIVE, actor="ops")
    assert firings.claim(goal(clock), account_faults={}).record is not None
    assert firings.claim(goal(clock), account_faults={}).record is None


def test_claims_of_one_commit_see_each_other(ledger: Ledger, clock: VirtualClock) -> None:
    """Together or one after the other: one winner an occurrence, one text a tweet, and the caps count the group's own."""
    firings = engine_of(ledger)
    intents = [goal(clock, 1), goal(clock, 1), goal(clock, 1, take=2), goal(clock, 2), goal(clock, 3)]
    results = firings.claim_together([ClaimRequest(intent=intent, account_faults={}) for intent in intents])
    assert not any(isinstance(result, SyncError) for result in results)
    told = [(guard_of(result), result.record and result.record.text) for result in results if isinstance(result, ClaimResult)]
    assert told == [
        (None, "North 1:0 South"),
        (Guard.OCCURRENCE, None),
        (None, "Goal!"),
        (None, "North 2:0 South"),
        (Guard.CAPS, ""),
    ]


def test_claims_of_one_commit_stop_for_what_is_urgent(ledger: Ledger, clock: VirtualClock) -> None:
    """A kill waits for the claim that is being made, not for the group; what was made is durable, the rest untouched."""
    firings = engine_of(ledger)
    asked = [ClaimRequest(intent=goal(clock, ordinal), account_faults={}) for ordinal in (1, 2, 3)]
    (first,) = firings.claim_together(asked, hurry=lambda: True)
    assert isinstance(first, ClaimResult)
    assert first.record is not None
    assert firings.recent(limit=10) == (first.record,)


def test_a_commit_that_fails_claims_nothing_and_counts_nothing(
    ledger: Ledger, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a group or none of it: also the caps know nothing of claims that were rolled back."""
    three = CapLimits(everything=Caps(per_minute=3, per_hour=60, per_day=300))
    firings = Firings(ledger, epoch=ledger.become_engine(), boot_id="boot", limits=three)
    asked = [ClaimRequest(intent=goal(clock, ordinal), account_faults={}) for ordinal in (1, 2, 3)]

    def fail(_: object) -> None:
        raise ledger.database.sql.loaded_dbapi.OperationalError("disk I/O error")

    with monkeypatch.context() as broken:
        broken.setattr("sync.database._Kept.commit", fail)
        with pytest.raises(LedgerError, match="disk I/O error"):
            firings.claim_together(asked)
    assert firings.recent(limit=10) == ()
    states = [
        result.record and result.record.state for result in firings.claim_together(asked) if isinstance(result, ClaimResult)
    ]
    assert states == [FiringState.CLAIMED] * 3


def test_a_conflict_concerns_one_claim_of_a_group(ledger: Ledger, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the claim blind, the unique index would still refuse the second, and the others of its commit would not suffer."""
    firings = engine_of(ledger)
    facts = ClaimFacts.read

    def blind(self: ClaimFacts, cursor: Cursor, request: ClaimRequest) -> tuple[Claimed, Facts]:
        claimed, known = facts(self, cursor, request)
        return claimed, dataclasses.replace(known, used_by=None, used_texts=frozenset())

    monkeypatch.setattr(ClaimFacts, "read", blind)
    asked = [ClaimRequest(intent=goal(clock, ordinal), account_faults={}) for ordinal in (1, 1, 2)]
    first, second, third = firings.claim_together(asked)
    assert isinstance(first, ClaimResult)
    assert isinstance(second, LedgerConflictError)
    assert isinstance(third, ClaimResult)
    assert [record.occurrence_id for record in firings.recent(limit=10)] == ["goal:final/home/2/1", "goal:final/home/1/1"]


def test_the_day_is_counted_again_after_a_restart(ledger: Ledger, clock: VirtualClock) -> None:
    """What is counted in memory is what the ledger holds: of this boot by its clock, of others by the wall."""
    old = engine_of(ledger)
    for ordinal in (1, 2):
        assert guard_of(old.claim(goal(clock, ordinal), account_faults={})) is None
    other_boot = Firings(ledger, epoch=ledger.become_engine(), boot_id="after a power cut")
    assert guard_of(other_boot.claim(goal(clock, 3), account_faults={})) is None
    assert guard_of(other_boot.claim(goal(clock, 4), account_faults={})) is Guard.CAPS


def test_a_claim_tells_what_the_ledger_holds(ledger: Ledger, clock: VirtualClock) -> None:
    """Its record is made from what was written, not read back."""
    firings = engine_of(ledger)
    record = firings.claim(goal(clock), account_faults={}).record
    assert record is not None
    assert firings.get(record.firing_id) == record


def test_a_kill_withdraws_what_is_armed_in_the_same_commit(ledger: Ledger, clock: VirtualClock) -> None:
    """When the kill stands nothing waits for its audience delay any more, so a release at once catches nothing up."""
    firings = engine_of(ledger)
    armed = firings.claim(goal(clock), account_faults={}, arm_only=True).record
    assert armed is not None
    switch, withdrawn = firings.kill(actor="ops", reason="wrong creative")
    assert switch.killed
    assert [(record.firing_id, record.state) for record in withdrawn] == [(armed.firing_id, FiringState.WITHDRAWN)]
    ledger.release(actor="ops", reason="mended")
    with pytest.raises(IllegalTransitionError):
        firings.claim(goal(clock), account_faults={}, armed_firing_id=armed.firing_id)
    old, _ = firings, ledger.become_engine()
    with pytest.raises(FencedError):
        old.kill(actor="ops", reason="too late")


def test_no_statement_of_the_claim_reads_more_than_it_needs(tmp_path: Path) -> None:
    """Each look is a look into an index, so that a claim costs the same in a ledger of a million firings."""
    database = Database(tmp_path / "ledger.db")
    statements = Statements(database.sql)
    occurrence = "firing_at_most_once (occurrence_id=? AND cue_id=? AND account_id=?)"
    texts = "firing_text_once (account_id=? AND mode=? AND text_sha256=?)"
    wanted = (
        (occurrence, statements.facts(3)),
        (texts, statements.facts(3)),
        (texts, statements.facts(3, lately=True)),
        (texts, statements.used_texts(3)),
        ("INTEGER PRIMARY KEY (rowid=?)", statements.state),
    )
    with database.asking() as cursor:
        for index, statement in wanted:
            asked = [None] * statement._sql.count("?")
            plan = [row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement._sql}", asked).fetchall()]
            assert any(index in step for step in plan), plan
            assert not [step for step in plan if step.startswith("SCAN") and step != "SCAN switch"], plan
    database.close()


def test_the_first_claim_compiles_nothing(ledger: Ledger, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a prepared engine asks for the first time takes no longer than the next time, whatever its cue has texts."""
    firings = engine_of(ledger)
    firings.prepare()
    monkeypatch.setattr(Statements, "_select", lambda *_: pytest.fail("compiled in a claim"))
    record = firings.claim(goal(clock), account_faults={}).record
    assert record is not None
    assert record.state is FiringState.CLAIMED
    for texts, lately in itertools.product(range(TEXTS_AT_ONCE + 1), (False, True)):
        statements_for(ledger.database.sql).facts(texts, lately=lately)


def test_the_log_has_room_before_the_first_commit(tmp_path: Path, clock: VirtualClock) -> None:
    """A commit that makes a file grow takes longer; what a process killed meanwhile has left is no trouble."""
    ledger = Ledger.open(tmp_path / "ledger.db", clock=clock)
    with ledger.database.reading() as connection:
        connection.exec_driver_sql("CREATE TABLE log_room (filler)")
    firings = engine_of(ledger)
    firings.prepare()
    log = tmp_path / "ledger.db-wal"
    size = log.stat().st_size
    assert size > LOG_ROOM_BYTES
    for number in range(20):
        firings.claim(goal(clock, number + 1), account_faults={})
    assert log.stat().st_size == size
    assert "log_room" not in sa.inspect(ledger.database._engine).get_table_names()
    ledger.close()


def test_an_engine_on_a_full_disk_begins_and_says_so(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It can still tell people, stop and read the timeline."""

    def full(_: Database) -> None:
        raise LedgerError("ledger: disk is full; make room on the disk")

    monkeypatch.setattr(Database, "make_room", full)
    with caplog.at_level(logging.WARNING):
        engine_of(ledger).prepare()
    assert [record.message for record in caplog.records] == ["no_room_made"]


# --- settling -----------------------------------------------------------------------------------


def test_outcome_is_recorded_once(ledger: Ledger, clock: VirtualClock) -> None:
    """A settled firing does not change any more."""
    firings = engine_of(ledger)
    record = firings.claim(goal(clock), account_faults={}).record
    assert record is not None
    settled = firings.settle(record.firing_id, posted(clock), answered_utc=clock.utc())
    assert (settled.state, settled.tweet_id, settled.connection) == (FiringState.POSTED, "1894", "warm")
    with pytest.raises(IllegalTransitionError):
        firings.settle(record.firing_id, posted(clock, "2"), answered_utc=clock.utc())
    assert firings.get(record.firing_id) == settled


def test_delete_is_claimed_once(ledger: Ledger, clock: VirtualClock) -> None:
    """One DELETE a tweet, recorded beside the firing it takes down."""
    firings = engine_of(ledger)
    record = firings.claim(goal(clock), account_faults={}).record
    assert record is not None
    settled = firings.settle(record.firing_id, posted(clock), answered_utc=clock.utc())
    when = {"deadline_mono_ns": clock.mono_ns() + 1, "on_air_mono_ns": clock.mono_ns(), "heard_mono_ns": clock.mono_ns()}
    delete = firings.claim_delete(settled, **when)
    assert delete is not None
    assert (delete.state, delete.tweet_id, delete.of_firing_id) == (FiringState.CLAIMED, "1894", record.firing_id)
    assert firings.claim_delete(settled, **when) is None


def test_recovery_leaves_nothing_halfway(ledger: Ledger, clock: VirtualClock) -> None:
    """A new engine finds claimed firings unknown (rehearsed ones not sent) and armed ones expired."""
    old = engine_of(ledger)
    old.claim(goal(clock, 1), account_faults={})
    old.claim(goal(clock, 2), account_faults={}, arm_only=True)
    ledger.set_mode(Mode.REHEARSAL, actor="ops")
    old.claim(goal(clock, 3), account_faults={})
    assert old.recover() == ()
    changed = engine_of(ledger).recover()
    assert [record.state for record in changed] == [FiringState.UNKNOWN, FiringState.EXPIRED, FiringState.NOT_SENT]


# --- the rest of the memory ---------------------------------------------------------------------


def test_approval_is_by_someone_else_and_of_exactly_this(ledger: Ledger) -> None:
    """The author cannot approve, an unknown cue cannot be approved, and a change voids an approval."""
    with pytest.raises(ApprovalError, match="wrote it"):
        ledger.approve_cue("goal", approved_by=" SPONSOR ")
    with pytest.raises(CueError, match="there is none"):
        ledger.approve_cue("nothing", approved_by="approver")
    with pytest.raises(ApprovalError, match="changed since"):
        ledger.approve_cue("goal", approved_by="approver", sha256="0" * 64)
    assert ledger.cues()[0].approved
    assert ledger.import_cues([dataclasses.replace(cue(), deadline_ms=4001)], actor="x").changed == ("goal",)
    assert not ledger.cues()[0].approved
    assert ledger.import_cues([cue()], actor="x").changed == ("goal",)
    assert not ledger.cues()[0].approved, "changed back, it is not what was approved before: it waits again"


def test_memory_is_kept(ledger: Ledger, target: Path | str, audit: AuditFiles, clock: VirtualClock) -> None:
    """Switch, fixtures, replay windows, alarms and heard airings are there after the ledger is opened again."""
    ledger.kill(actor="ops", reason="x")
    ledger.save_fixture("final", "{}")
    ledger.save_fixture("final", '{"a":1}')
    ledger.save_replay("mqtt", [{"venue": "arena"}])
    ledger.add_alarm("warning", "mind the gap")
    again = Ledger.open(target, clock=clock, mode=Mode.OFF, audit=audit)
    assert (again.switch().killed, again.switch().mode) == (True, Mode.LIVE)
    assert again.fixture_states() == {"final": '{"a":1}'}
    assert again.replay_state("mqtt") == [{"venue": "arena"}]
    assert again.replay_state("other") is None
    assert [alarm.text for alarm in again.alarms(limit=9)] == ["mind the gap"]
    assert again.events(limit=1)[0][0] == "kill"
    again.close()


def test_migrations_make_the_schema(ledger: Ledger) -> None:
    """What the migrations build is what the code expects, and the newest one is the one the code names."""
    with ledger.database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[3] / "sync" / "migrations"))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_HEAD


def test_two_processes_may_make_the_ledger_at_once(target: Path | str, audit: AuditFiles) -> None:
    """Opening a new ledger twice at the same time migrates it once."""
    faults = list[BaseException]()

    def open_it() -> None:
        try:
            Ledger.open(target, audit=audit).close()
        except LedgerError as error:
            faults.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_a_lease_is_taken_only_as_it_was_seen(ledger: Ledger) -> None:
    """One heartbeat in between and it stays with the living; the one it is taken from may not beat any more."""
    main = ledger.become_engine(holder="main")
    seen = ledger.lease()
    ledger.beat(main)
    with pytest.raises(LeaseHeldError, match="the engine of main lives"):
        ledger.become_engine(holder="standby", seen=seen)
    ledger.beat(main)
    standby = ledger.become_engine(holder="standby", seen=ledger.lease())

    assert standby == main + 1
    with pytest.raises(FencedError):
        ledger.beat(main)
    ledger.let_go(main)
    assert ledger.lease() == Lease(holder="standby", epoch=standby, beat=0)
    ledger.let_go(standby)
    assert ledger.lease() == Lease(holder="", epoch=standby, beat=0)


def test_opening_waits_for_who_makes_it(tmp_path: Path) -> None:
    """A process that needs longer than a claim may wait, as a migration on a slow disk does, is waited for."""
    path = tmp_path / "ledger.db"
    other = Database(path)
    held = threading.Event()

    def hold() -> None:
        with other.writing():
            held.set()
            time.sleep(BUSY_TIMEOUT_MS / 1000 + 0.3)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10.0)
    Ledger.open(path).close()
    holder.join()
    other.close()


# --- a file in trouble --------------------------------------------------------------------------


def test_locked_file_claims_nothing(tmp_path: Path, clock: VirtualClock) -> None:
    """While another process holds the file, a claim fails within the busy timeout, and says why."""
    path = tmp_path / "ledger.db"
    ledger = Ledger.open(path, clock=clock, mode=Mode.LIVE)
    firings = engine_of(ledger)
    other = Database(path)
    with other.writing(), pytest.raises(LedgerError, match="locked"):
        firings.claim(goal(clock), account_faults={})
    assert firings.recent(limit=9) == ()
    other.close()
    ledger.close()


def test_full_disk_claims_nothing(tmp_path: Path, clock: VirtualClock) -> None:
    """When the file cannot grow, the claim is refused in words and nothing of it stays."""
    ledger = Ledger.open(tmp_path / "ledger.db", clock=clock, mode=Mode.LIVE)
    ledger.import_cues([cue()], actor="sponsor")
    ledger.approve_cue("goal", approved_by="approver")
    firings = engine_of(ledger)

    def keep_small(connection: Any, *_: object) -> None:
        ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
        connection.execute(f"PRAGMA max_page_count={pages}").close()

    sa.event.listen(ledger.database._engine, "checkout", keep_small)
    ledger.database.close()  # What is kept open is checked out anew.

    def claim_until_full() -> None:
        for ordinal in range(1, 200):
            firings.claim(goal(clock, ordinal), account_faults={})

    with pytest.raises(LedgerError, match="full"):
        claim_until_full()
    ledger.close()


def test_wrong_files_are_named(tmp_path: Path) -> None:
    """A file that is no database, or a folder in its place, gives one sentence with its name."""
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"not a database at all, but long enough to be read as one" * 100)
    for path in (garbage, tmp_path):
        with pytest.raises(LedgerError, match=str(path)):
            Ledger.open(path)


def test_newer_ledger_is_refused(tmp_path: Path) -> None:
    """A ledger of a later version is not touched."""
    path = tmp_path / "ledger.db"
    ledger = Ledger.open(path)
    with ledger.database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    ledger.close()
    with pytest.raises(LedgerError, match="newer Cuebird"):
        Ledger.open(path)


def test_synchronous_full_and_wal(tmp_path: Path) -> None:
    """Every connection commits durably: the settings on which the guarantee rests."""
    ledger = Ledger.open(tmp_path / "ledger.db")
    with ledger.database.writing() as first, ledger.database.reading() as second:
        for connection in (first, second):
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    ledger.close()
