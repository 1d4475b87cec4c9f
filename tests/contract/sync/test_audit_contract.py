"""What the audit record promises, kept by SQLite and by PostgreSQL alike."""

import dataclasses
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from sync.audit import AuditFiles, AuditReport, FaultKind, canonical, mac_of, read_anchor, records, verify
from sync.cues import parse_cues
from sync.errors import ApprovalError, CueError, FencedError, LedgerError
from sync.firings import Firings
from sync.key_files import KeyFileError, read_key
from sync.ledger import Ledger
from sync.plan_versions import PlanSource, PlanVersions
from sync.schema import AUDIT, SCHEMA_HEAD
from sync.states import FiringState, Mode
from tests.contract.sync.test_ledger_contract import CUES, cue, goal, posted
from timebase import VirtualClock

Rows = list[dict[str, Any]]


@pytest.fixture
def ledger(target: Path | str, audit: AuditFiles) -> Iterator[Ledger]:
    """A new ledger in LIVE mode that has seen a few actions and two firings, and has been anchored."""
    ledger = Ledger.open(target, clock=VirtualClock(), mode=Mode.LIVE, audit=audit)
    busy(ledger)
    ledger.anchor()
    yield ledger
    ledger.close()


def busy(ledger: Ledger) -> Firings:
    """Do a little of everything; the newest engine's firings."""
    clock = clock_of(ledger)
    ledger.import_cues([cue()], actor="sponsor")
    ledger.approve_cue("goal", approved_by="approver")
    firings = Firings(ledger, epoch=ledger.become_engine(), boot_id="boot")
    record = firings.claim(goal(clock), account_faults={}).record
    assert record is not None
    firings.settle(record.firing_id, posted(clock), answered_utc=clock.utc())
    ledger.kill(actor="ops", reason="wrong creative")
    firings.claim(goal(clock, 2), account_faults={})
    ledger.release(actor="ops", reason="mended")
    return firings


def clock_of(ledger: Ledger) -> VirtualClock:
    assert isinstance(ledger.clock, VirtualClock)
    return ledger.clock


def look(ledger: Ledger, audit: AuditFiles) -> AuditReport:
    return verify(ledger.database, read_key(audit.key_file), read_anchor(audit.anchor_file))


def told(ledger: Ledger) -> list[tuple[str, dict[str, Any]]]:
    return [(record.kind, record.facts) for record in records(ledger.database)]


def tamper(ledger: Ledger, change: Callable[[Rows], Rows]) -> None:
    """Write the records anew, as somebody with the database's password would."""
    with ledger.database.writing() as connection:
        rows = [dict(row._mapping) for row in connection.execute(sa.select(AUDIT).order_by(AUDIT.c.number))]
        connection.execute(sa.delete(AUDIT))
        connection.execute(sa.insert(AUDIT), change(rows))


def renumbered(rows: Rows) -> Rows:
    return [{**row, "number": number} for number, row in enumerate(rows, start=1)]


# --- what is recorded ---------------------------------------------------------------------------


def test_every_action_and_every_step_of_a_firing_is_recorded(ledger: Ledger, audit: AuditFiles) -> None:
    """In their order, with who did them; and the whole is found whole."""
    kinds = [kind if kind != "firing" else facts["state"] for kind, facts in told(ledger)]
    assert kinds == [
        *("audit_began", "ledger_began", "cues_imported", "cue_approved", "engine_opened"),
        *("CLAIMED", "POSTED", "kill", "DECLINED", "release"),
    ]
    actors = {kind: facts["actor"] for kind, facts in told(ledger) if "actor" in facts}
    assert actors == {"cues_imported": "sponsor", "cue_approved": "approver", "kill": "ops", "release": "ops"}
    assert look(ledger, audit) == AuditReport(records=10, anchor=10, fault=None)


def test_what_is_recorded_of_a_firing_tells_what_left(ledger: Ledger) -> None:
    """Occurrence, cue, account, text and tweet stand in the record, not only in the ledger."""
    (facts,) = [facts for kind, facts in told(ledger) if kind == "firing" and facts["state"] == "POSTED"]
    assert (facts["occurrence_id"], facts["cue_id"], facts["account_id"]) == ("goal:final/home/1/1", "goal", "bank")
    assert (facts["text"], facts["tweet_id"], facts["mode"]) == ("North 1:0 South", "1894", "LIVE")


def test_holds_modes_plans_caps_and_recoveries_are_recorded(ledger: Ledger, audit: AuditFiles) -> None:
    """Also what the engine does by itself: a cap that disarms a cue, a recovery after a crash."""
    clock = clock_of(ledger)
    firings = Firings(ledger, epoch=ledger.become_engine(), boot_id="boot")
    for ordinal in (3, 4, 5, 6):
        firings.claim(goal(clock, ordinal), account_faults={}, arm_only=ordinal == 4)
    ledger.hold_cue("goal", actor="ops", reason="")
    ledger.set_mode(Mode.OFF, actor="ops")
    PlanVersions(ledger).commit("a", [], PlanSource(actor="planner"))
    Firings(ledger, epoch=ledger.become_engine(), boot_id="boot").recover()
    kinds = [kind if kind != "firing" else facts["state"] for kind, facts in told(ledger)[10:]]
    assert kinds == [
        *("engine_opened", "CLAIMED", "ARMED", "CLAIMED", "cue_held", "DECLINED", "cue_released", "mode"),
        *("plan_imported", "engine_opened", "UNKNOWN", "EXPIRED", "UNKNOWN"),
    ]
    assert look(ledger, audit).fault is None


def test_what_ends_an_approval_is_recorded(ledger: Ledger, audit: AuditFiles) -> None:
    """A change, the same person's new approval, a withdrawal, the end of its time: each with whose it was, once."""
    ledger.approve_cue("goal", approved_by=" APPROVER")
    ledger.withdraw_approval("goal", by="approver", reason="wrong creative")
    with pytest.raises(ApprovalError, match="has not approved it"):
        ledger.withdraw_approval("goal", by="approver")
    with pytest.raises(CueError):
        ledger.withdraw_approval("nothing", by="approver")
    ledger.approve_cue("goal", approved_by="approver", valid_for=timedelta(seconds=9))
    ledger.approve_cue("goal", approved_by="second", valid_for=timedelta(seconds=99))
    clock_of(ledger).step_utc(timedelta(seconds=9))
    assert [ended.approved_by for ended in ledger.note_expired_approvals()] == ["approver"]
    assert ledger.note_expired_approvals() == ()
    ledger.import_cues([dataclasses.replace(cue(), name="Other")], actor="sponsor")
    ended = [(kind, facts) for kind, facts in told(ledger)[10:] if kind in ("approval_voided", "approval_expired")]
    assert [(kind, facts["approved_by"], facts.get("actor"), facts.get("reason")) for kind, facts in ended] == [
        ("approval_voided", "approver", "APPROVER", "the same person approved it anew"),
        ("approval_voided", "APPROVER", "approver", "withdrawn"),
        ("approval_expired", "approver", None, None),
        ("approval_voided", "approver", "sponsor", "the cue was changed"),
        ("approval_voided", "second", "sponsor", "the cue was changed"),
    ]
    assert ended[1][1]["remark"] == "wrong creative"
    assert all(facts["cue_id"] == "goal" and facts["sha256"] == cue().sha256() for _, facts in ended)
    assert look(ledger, audit).fault is None


def test_an_approval_revived_behind_the_record_is_found(ledger: Ledger, audit: AuditFiles) -> None:
    """One that was voided does not stand again because somebody has written so."""
    ledger.withdraw_approval("goal", by="approver")
    with ledger.database.writing() as connection:
        connection.execute(sa.text("UPDATE approval SET voided_utc = NULL"))
    fault = look(ledger, audit).fault
    assert fault is not None
    assert fault.sentence == "the approval of cue goal by approver stands in the ledger, and record 11 says that it was voided"


def test_what_did_not_happen_is_not_recorded(ledger: Ledger, audit: AuditFiles) -> None:
    """A refused approval, a fenced engine, a transaction that fails at its end: neither action nor record."""
    old = Firings(ledger, epoch=0, boot_id="boot")
    clock = clock_of(ledger)
    before = len(told(ledger))
    with pytest.raises(ApprovalError):
        ledger.approve_cue("goal", approved_by="sponsor")
    with pytest.raises(CueError):
        ledger.hold_cue("nothing", actor="ops", reason="x")
    with pytest.raises(FencedError):
        old.claim(goal(clock, 9), account_faults={})
    with pytest.raises(FencedError):
        ledger.kill(actor="ops", reason="x", epoch=0)

    def fail_at_the_end() -> None:
        with ledger.database.writing() as connection:
            ledger.audit.append(connection, clock.utc(), "kill", {"actor": "x"})
            raise LedgerError("the disk is full")

    with pytest.raises(LedgerError):
        fail_at_the_end()
    assert len(told(ledger)) == before
    ledger.kill(actor="ops", reason="later")
    assert look(ledger, audit).fault is None


def test_without_its_record_an_action_does_not_happen(ledger: Ledger) -> None:
    """Where the record cannot be written nothing is claimed: one transaction holds both."""
    firings, clock = Firings(ledger, epoch=ledger.become_engine(), boot_id="boot"), clock_of(ledger)
    with ledger.database.writing() as connection:
        connection.execute(sa.text("ALTER TABLE audit RENAME TO gone"))
    with pytest.raises(LedgerError, match="audit"):
        firings.claim(goal(clock, 7), account_faults={})
    with pytest.raises(LedgerError, match="audit"):
        ledger.kill(actor="ops", reason="x")
    assert [record.state for record in firings.recent(limit=9)] == [FiringState.DECLINED, FiringState.POSTED]
    assert not ledger.switch().killed


def test_firings_and_another_process_take_turns_in_one_chain(ledger: Ledger, target: Path | str, audit: AuditFiles) -> None:
    """The head is remembered for one transaction: by the next one somebody else may have written."""
    firings = Firings(ledger, epoch=ledger.become_engine(), boot_id="boot")
    other = Ledger.open(target, clock=ledger.clock, audit=audit)
    for ordinal in (3, 4):
        assert firings.claim(goal(clock_of(ledger), ordinal), account_faults={}).record is not None
        other.add_event("looked_at", actor="ops")
    other.close()
    assert look(ledger, audit).fault is None


def test_several_processes_write_one_chain(ledger: Ledger, target: Path | str, audit: AuditFiles) -> None:
    """Two ledgers on one database, each in a thread of its own: no number is missing or used twice."""
    other = Ledger.open(target, clock=VirtualClock(), audit=audit)
    faults = list[BaseException]()

    def write(into: Ledger) -> None:
        try:
            for number in range(25):
                into.add_event("user_added", actor="admin", name=f"n{number}")
        except LedgerError as error:
            faults.append(error)

    threads = [threading.Thread(target=write, args=(one,)) for one in (ledger, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert faults == []
    assert [record.number for record in records(ledger.database)] == list(range(1, 61))
    assert look(ledger, audit).records == 60


# --- what is found ------------------------------------------------------------------------------


def changed(rows: Rows) -> Rows:
    facts = {**json.loads(rows[7]["facts_json"]), "actor": "somebody else"}
    return [*rows[:7], {**rows[7], "facts_json": canonical(facts)}, *rows[8:]]


def inserted(rows: Rows) -> Rows:
    return renumbered([*rows[:5], {**rows[6], "mac": secrets.token_hex(32)}, *rows[5:]])


@pytest.mark.parametrize(
    ("change", "kind", "number"),
    [
        (changed, FaultKind.CHANGED, 8),
        (lambda rows: [*rows[:7], {**rows[7], "utc": rows[6]["utc"].replace(year=2020)}, *rows[8:]], FaultKind.CHANGED, 8),
        (lambda rows: [*rows[:3], *rows[4:]], FaultKind.MISSING, 4),
        (lambda rows: [*rows[:3], *rows[6:]], FaultKind.MISSING, 4),
        (lambda rows: rows[1:], FaultKind.MISSING, 1),
        (lambda rows: renumbered([*rows[:3], *rows[4:]]), FaultKind.MISSING, 4),
        (inserted, FaultKind.INSERTED, 6),
        (lambda rows: [{**rows[0], "number": 0}, *rows], FaultKind.INSERTED, 0),
        (lambda rows: renumbered([*rows[:4], rows[5], rows[4], *rows[6:]]), FaultKind.INSERTED, 5),
        (lambda rows: rows[:-1], FaultKind.TRUNCATED, 10),
        (lambda rows: rows[:2], FaultKind.TRUNCATED, 3),
        (lambda rows: [*rows, {**rows[-1], "number": 11, "mac": secrets.token_hex(32)}], FaultKind.CHANGED, 11),
        (lambda rows: [*rows, {**rows[-1], "number": 11, "mac": ""}], FaultKind.CHANGED, 11),
    ],
    ids=[
        *("changed", "instant", "one", "several", "first", "renumbered", "inserted", "before", "swapped"),
        *("last", "most", "appended", "unsealed"),
    ],
)
def test_the_first_broken_record_is_named(
    ledger: Ledger, audit: AuditFiles, change: Callable[[Rows], Rows], kind: FaultKind, number: int
) -> None:
    """Changed, missing, inserted or cut off: the number and what was done."""
    tamper(ledger, change)
    report = look(ledger, audit)
    assert report.fault is not None
    assert (report.fault.kind, report.fault.number) == (kind, number)
    assert report.records == max(0, number - 1)


def test_another_key_is_called_so(ledger: Ledger, audit: AuditFiles) -> None:
    """With another key nothing fits, and that is said instead of a false accusation."""
    report = verify(ledger.database, secrets.token_bytes(32), read_anchor(audit.anchor_file))
    assert report.fault is not None
    assert (report.fault.kind, report.fault.number) == (FaultKind.WRONG_KEY, 1)


def test_a_chain_written_anew_with_the_key_is_found_by_the_anchor(ledger: Ledger, audit: AuditFiles) -> None:
    """Whoever has the key as well still has to change the anchor's file."""
    key = read_key(audit.key_file)

    def rewritten(rows: Rows) -> Rows:
        mac, fresh = "0" * 64, Rows()
        for row in changed(rows):
            mac = mac_of(key, mac, **{name: row[name] for name in ("number", "utc", "kind", "facts_json")})
            fresh.append({**row, "mac": mac})
        return fresh

    tamper(ledger, rewritten)
    report = look(ledger, audit)
    assert report.fault is not None
    assert (report.fault.kind, report.fault.number) == (FaultKind.REWRITTEN, 10)
    assert verify(ledger.database, key, None).fault is None


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE firing SET state = 'NOT_SENT' WHERE firing_id = 1", "firing 1, NOT_SENT in the ledger, is not as record 7 says"),
        ("UPDATE firing SET text = 'Something else' WHERE firing_id = 1", "firing 1, POSTED in the ledger, is not as record 7"),
        ("DELETE FROM firing WHERE firing_id = 2", "firing 2, of which record 9 tells, is not in the ledger"),
        ("UPDATE approval SET approved_by = 'sponsor'", "an approval of cue goal by sponsor was never recorded"),
        ("UPDATE switch SET mode = 'OFF'", "the ledger says mode OFF; the records say LIVE"),
    ],
)
def test_a_ledger_changed_behind_the_record_is_found(ledger: Ledger, audit: AuditFiles, statement: str, sentence: str) -> None:
    """Firings, approvals and switch must be as the records say."""
    with ledger.database.writing() as connection:
        connection.execute(sa.text(statement))
    report = look(ledger, audit)
    assert report.fault is not None
    assert report.fault.kind is FaultKind.UNRECORDED
    assert sentence in report.fault.sentence


# --- the anchor and the key ---------------------------------------------------------------------


def test_the_anchor_never_goes_back(ledger: Ledger, target: Path | str, audit: AuditFiles) -> None:
    """After records were cut off neither an engine nor a command overwrites what the anchor has seen."""
    seen = audit.anchor_file.read_text()
    tamper(ledger, lambda rows: rows[:-2])
    again = Ledger.open(target, clock=VirtualClock(), audit=audit)
    again.kill(actor="ops", reason="x")
    with pytest.raises(LedgerError, match="record 10"):
        again.anchor()
    again.close()
    assert audit.anchor_file.read_text() == seen
    report = look(ledger, audit)
    assert report.fault is not None
    assert (report.fault.kind, report.fault.number) == (FaultKind.TRUNCATED, 10)


def test_the_key_is_made_once_and_for_its_owner(ledger: Ledger, target: Path | str, audit: AuditFiles) -> None:
    """Mode 0600; a second opening uses it; one that others may read, or that is gone, or another one, is refused."""
    assert audit.key_file.stat().st_mode & 0o777 == 0o600
    key = audit.key_file.read_text()
    Ledger.open(target, audit=audit).close()
    assert audit.key_file.read_text() == key
    audit.key_file.chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        Ledger.open(target, audit=audit)
    audit.key_file.unlink()
    with pytest.raises(KeyFileError, match="put it back"):
        Ledger.open(target, audit=audit)
    assert not audit.key_file.exists()
    audit.key_file.write_text(secrets.token_hex(32))
    audit.key_file.chmod(0o600)
    with pytest.raises(LedgerError, match="not the key of this ledger"):
        Ledger.open(target, audit=audit)
    audit.key_file.write_text("no key\n")
    with pytest.raises(KeyFileError, match="64 hex digits"):
        Ledger.open(target, audit=audit)


def test_an_older_ledgers_events_are_sealed(tmp_path: Path) -> None:
    """A ledger from before the chain keeps its events as the first records; its firings count as known."""
    path = tmp_path / "ledger.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(Path(__file__).parents[3] / "sync" / "migrations"))
        config.set_main_option("path_separator", "os")
        command.upgrade(config, "0001")
        for number, kind in ((7, "kill"), (9, "release")):
            facts = '{"mode":"LIVE", "actor":"ops"}'
            connection.exec_driver_sql("INSERT INTO event VALUES (?, ?, ?, ?)", (number, number * 1000, kind, facts))
    engine.dispose()
    ledger = Ledger.open(path, mode=Mode.LIVE)
    assert [kind for kind, _ in told(ledger)] == ["kill", "release", "audit_began", "ledger_began"]
    ledger.anchor()
    assert look(ledger, AuditFiles.beside(path)).fault is None
    tamper(ledger, lambda rows: [{**rows[0], "facts_json": "{}"}, *rows[1:]])
    fault = look(ledger, AuditFiles.beside(path)).fault
    assert fault is not None
    assert (fault.kind, fault.number) == (FaultKind.CHANGED, 1)
    ledger.close()


def test_a_postgresql_ledger_needs_to_be_told_where_its_key_lies() -> None:
    """It has no folder to put it into."""
    with pytest.raises(LedgerError, match="audit key"):
        Ledger.open("postgresql+psycopg://nobody@/nothing")


def test_a_changed_cue_is_recorded_by_name(ledger: Ledger) -> None:
    """An import says which cues are new and which have changed."""
    (first,) = parse_cues(CUES, source="test")
    ledger.import_cues([dataclasses.replace(first, name="Other")], actor="sponsor")
    assert [kind for kind, _ in told(ledger)[-2:]] == ["approval_voided", "cues_imported"]
    assert told(ledger)[-1] == ("cues_imported", {"actor": "sponsor", "changed": ["goal"], "new": []})
    assert SCHEMA_HEAD >= "0003"
