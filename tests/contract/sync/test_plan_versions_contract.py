"""Plans and their versions, kept by every database alike."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from schedules import Airing
from sync.audit import AuditFiles
from sync.errors import PlanError
from sync.firings import Firings
from sync.ledger import Ledger
from sync.plan_contents import packed, plain, unpacked
from sync.plan_versions import CONTENTS_KEPT_MAX, PlanSource, PlanVersions
from sync.signals import airing_occurrence
from sync.states import FiringState, Mode
from tests.contract.sync.test_ledger_contract import cue, goal
from timebase import VirtualClock

BUYER = PlanSource(actor="mia", file_name="plan.csv", sha256="a" * 64)


@pytest.fixture
def ledger(target: Path | str, audit: AuditFiles, clock: VirtualClock) -> Iterator[Ledger]:
    ledger = Ledger.open(target, clock=clock, mode=Mode.LIVE, audit=audit)
    yield ledger
    ledger.close()


@pytest.fixture
def plans(ledger: Ledger) -> PlanVersions:
    return PlanVersions(ledger)


def airing(clock: VirtualClock, number: int, *, minutes: float | None = None, spot_id: str = "kaffee-30") -> Airing:
    """The day's airing of that number, planned ten minutes times it from now."""
    planned_utc = clock.utc() + timedelta(minutes=10 * number if minutes is None else minutes)
    return Airing(
        airing_id=f"nord/{spot_id}/2027-03-01/{number}",
        channel="nord",
        spot_id=spot_id,
        number=number,
        planned_utc=planned_utc,
        opens_utc=planned_utc - timedelta(minutes=1),
        closes_utc=planned_utc + timedelta(minutes=1),
        raw="20:15",
        row=number + 1,
    )


def source(letter: str) -> PlanSource:
    """Another file."""
    return dataclasses.replace(BUYER, sha256=letter * 64)


def test_an_import_is_a_version(plans: PlanVersions, ledger: Ledger, clock: VirtualClock) -> None:
    """With who, when, which file, and what it changed; and it stands in the audit record."""
    done = plans.commit("spring", [airing(clock, 1), airing(clock, 2)], BUYER)

    (version,) = plans.versions("spring")
    assert done.is_new
    assert version == done.version
    assert (version.number, version.actor, version.file_name, version.sha256) == (1, "mia", "plan.csv", "a" * 64)
    assert (version.new_count, version.airing_count, version.imported_utc) == (2, 2, clock.utc())
    assert plans.plans() == (version,)
    assert ledger.airings() == (airing(clock, 1), airing(clock, 2))
    kind, facts = ledger.events(limit=1)[0]
    assert (kind, facts["plan"], facts["version"], facts["new"]) == ("plan_imported", "spring", 1, 2)


def test_the_same_file_again_changes_nothing(plans: PlanVersions, ledger: Ledger, clock: VirtualClock) -> None:
    """No version, no audit record; another file that says the same is a version, since it is another file."""
    plans.commit("spring", [airing(clock, 1)], BUYER)
    events = len(ledger.events(limit=100))

    again = plans.commit("spring", [airing(clock, 1)], BUYER)

    assert (again.is_new, again.version.number, len(ledger.events(limit=100))) == (False, 1, events)
    assert plans.commit("spring", [airing(clock, 1)], source("b")).version.number == 2


def test_new_moved_dropped_and_unchanged(plans: PlanVersions, ledger: Ledger, clock: VirtualClock) -> None:
    """A preview says so and changes nothing; the import does what the preview said; other plans stay."""
    plans.commit("spring", [airing(clock, number) for number in (1, 2, 3)], BUYER)
    plans.commit("tea", [airing(clock, 1, spot_id="tee-20")], BUYER)
    wanted = [airing(clock, 1), airing(clock, 2, minutes=22), airing(clock, 4, minutes=300)]

    preview = plans.preview("spring", wanted)

    assert (preview.base, len(ledger.airings())) == (1, 4)
    done = plans.commit("spring", wanted, source("b"))
    assert done.changes == preview.changes
    assert [one.after.number for one in done.changes.moved] == [2]
    assert [one.number for one in done.changes.dropped] == [3]
    assert plans.standing("spring") == tuple(wanted)
    assert plans.standing("tea") == (airing(clock, 1, spot_id="tee-20"),)


def test_all_or_nothing(plans: PlanVersions, ledger: Ledger, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails on the way leaves everything as it was."""
    plans.commit("spring", [airing(clock, 1), airing(clock, 2)], BUYER)

    def fail(*_: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(plans, "_add_version", fail)
    with pytest.raises(RuntimeError, match="the disk is full"):
        plans.commit("spring", [airing(clock, 1, minutes=11), airing(clock, 3)], source("b"))

    assert plans.standing("spring") == (airing(clock, 1), airing(clock, 2))
    assert len(plans.versions("spring")) == 1


def test_rolling_back_is_a_version(plans: PlanVersions, clock: VirtualClock) -> None:
    """The airings of the earlier one stand again, under the names they have now."""
    first, second = [airing(clock, 1), airing(clock, 2)], [airing(clock, 1, minutes=12)]
    plans.commit("spring", first, BUYER)
    plans.commit("spring", second, source("b"))

    done = plans.roll_back("spring", 1, actor="ole")

    assert (done.version.number, done.version.rolled_back_to, done.version.actor) == (3, 1, "ole")
    assert [one.planned_utc for one in plans.standing("spring")] == [one.planned_utc for one in first]
    assert not plans.roll_back("spring", 1, actor="ole").is_new
    changes = plans.between("spring", 2, 1)
    assert (len(changes.new), len(changes.moved)) == (1, 1)
    with pytest.raises(PlanError, match="no version 9; the newest are 3, 2, 1"):
        plans.roll_back("spring", 9, actor="ole")
    with pytest.raises(PlanError, match="none of this name"):
        plans.versions("autumn")


def test_what_was_not_shown_is_not_done(plans: PlanVersions, clock: VirtualClock) -> None:
    """Another import came between the preview and the commit; or more would be dropped than was agreed to."""
    plans.commit("spring", [airing(clock, 1), airing(clock, 2)], BUYER)
    with pytest.raises(PlanError, match="version 1 was imported since"):
        plans.commit("spring", [airing(clock, 1)], source("b"), expected_base=0)
    with pytest.raises(PlanError, match="1 airing would be dropped, more than 0"):
        plans.commit("spring", [airing(clock, 1)], source("b"), drops_max=0)
    assert len(plans.standing("spring")) == 2
    assert len(plans.commit("spring", [airing(clock, 1)], source("b"), expected_base=1, drops_max=1).changes.dropped) == 1


def test_another_import_in_the_middle_is_noticed(
    plans: PlanVersions, ledger: Ledger, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was worked out before it does not hold: it is worked out again."""
    plans.commit("spring", [airing(clock, 1)], BUYER)
    preview = plans.preview

    def interrupted(plan_id: str, airings: list[Airing]) -> object:
        shown = preview(plan_id, airings)
        monkeypatch.setattr(plans, "preview", preview)
        PlanVersions(ledger).commit("spring", [airing(clock, 1), airing(clock, 2)], source("c"))
        return shown

    monkeypatch.setattr(plans, "preview", interrupted)
    done = plans.commit("spring", [airing(clock, 1)], source("b"))

    assert (done.version.number, len(done.changes.dropped)) == (3, 1)
    assert plans.standing("spring") == (airing(clock, 1),)


def test_a_file_of_a_watched_folder_counts_once(plans: PlanVersions, clock: VirtualClock) -> None:
    """Found again after a crash it changes nothing, even if another version has come since."""
    dropped_in = dataclasses.replace(BUYER, key="inbox/plan.csv 1")
    plans.commit("spring", [airing(clock, 1)], dropped_in)
    plans.commit("spring", [airing(clock, 1, minutes=12)], source("b"))

    again = plans.commit("spring", [airing(clock, 1)], dropped_in)

    assert (again.is_new, again.version.number, len(plans.versions("spring"))) == (False, 1, 2)
    assert plans.standing("spring") == (airing(clock, 1, minutes=12),)


def test_plans_that_cannot_stand_side_by_side(plans: PlanVersions, clock: VirtualClock) -> None:
    """The same spot on the same day in two plans."""
    plans.commit("spring", [airing(clock, 1)], BUYER)
    with pytest.raises(PlanError, match="row 2 plans nord/kaffee-30/2027-03-01/1, but another plan has"):
        plans.commit("corrected", [airing(clock, 1)], BUYER)
    for name in ("", "a/b", "x" * 300, "a\nb"):
        with pytest.raises(PlanError, match="a plan's name has"):
            plans.preview(name, [])


def test_what_is_being_fired_is_left_alone(plans: PlanVersions, ledger: Ledger, clock: VirtualClock) -> None:
    """Neither moved nor dropped, and said so; its name is never given to another one."""
    ledger.import_cues([cue()], actor="sponsor")
    ledger.approve_cue("goal", approved_by="approver")
    plans.commit("spring", [airing(clock, 1, minutes=0), airing(clock, 2)], BUYER)
    firings = Firings(ledger, epoch=ledger.become_engine(), boot_id="boot")
    fired = dataclasses.replace(goal(clock), occurrence_id=airing_occurrence(plans.standing("spring")[0]))
    claimed = firings.claim(fired, account_faults={}).record
    assert claimed is not None
    assert claimed.state is FiringState.CLAIMED

    moved = plans.commit("spring", [airing(clock, 1, minutes=3), airing(clock, 2)], source("b"))
    dropped = plans.commit("spring", [airing(clock, 2)], source("c"))

    for done in (moved, dropped):
        (alone,) = done.changes.left_alone
        assert "is being fired; it stays as it is" in str(alone)
    assert plans.standing("spring") == (airing(clock, 1, minutes=0), airing(clock, 2))


def test_a_claim_in_the_middle_is_noticed(
    plans: PlanVersions, ledger: Ledger, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was to be dropped is being fired by the time it is written: it is left alone."""
    ledger.import_cues([cue()], actor="sponsor")
    ledger.approve_cue("goal", approved_by="approver")
    plans.commit("spring", [airing(clock, 1, minutes=0), airing(clock, 2)], BUYER)
    firings = Firings(ledger, epoch=ledger.become_engine(), boot_id="boot")
    shown = plans.preview("spring", [airing(clock, 2)])
    assert len(shown.changes.dropped) == 1
    fired = dataclasses.replace(goal(clock), occurrence_id=airing_occurrence(shown.changes.dropped[0]))
    assert firings.claim(fired, account_faults={}).record is not None

    done = plans.commit("spring", [airing(clock, 2)], source("b"), shown=shown)

    assert (done.changes.dropped, len(done.changes.left_alone)) == ((), 1)
    assert len(plans.standing("spring")) == 2


def test_no_import_keeps_a_firing_waiting(
    plans: PlanVersions, ledger: Ledger, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim gives up on a ledger that is written for longer than a second; where nothing fires, nothing waits."""
    monkeypatch.setattr("sync.plan_versions.CHANGES_WHILE_FIRING_MAX", 1)
    wanted = [airing(clock, 1), airing(clock, 2)]
    with pytest.raises(PlanError, match=r"2 airings would change at once, more than 1, while the engine may fire \(mode LIVE\)"):
        plans.commit("spring", wanted, BUYER)
    assert plans.standing("spring") == ()
    ledger.set_mode(Mode.OFF, actor="ops")
    assert plans.commit("spring", wanted, BUYER).is_new


def test_old_contents_are_let_go(plans: PlanVersions, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line of every version stays."""
    monkeypatch.setattr("sync.plan_versions.CONTENTS_KEPT_MAX", 2)
    for letter in "abcd":
        plans.commit("spring", [airing(clock, 1)], source(letter))

    assert len(plans.versions("spring")) == 4
    assert CONTENTS_KEPT_MAX > 2
    assert plans.airings_of("spring", 3) == (airing(clock, 1),)
    with pytest.raises(PlanError, match="version 2 is too old"):
        plans.airings_of("spring", 2)


def test_contents_come_back(clock: VirtualClock) -> None:
    """Packed and unpacked."""
    airings = (airing(clock, 1), dataclasses.replace(airing(clock, 2), raw="ñ, 20:15 «Europe/Stockholm»"))
    assert unpacked(packed(map(plain, airings))) == airings
