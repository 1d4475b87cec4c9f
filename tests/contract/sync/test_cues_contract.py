"""Limits, priorities, conditions and approvals as the ledger keeps them, on SQLite and on PostgreSQL alike."""

import dataclasses
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from schedules.airing import Airing
from sync.audit import AuditFiles
from sync.caps import CapLimits
from sync.conditions import SpotCondition
from sync.cues import Caps, Catalogue, Cue, parse_cues
from sync.decide import Intent, Moment, decide_correction, decide_goal, decide_spot
from sync.errors import ApprovalError, LedgerError
from sync.firings import ClaimResult, Firings
from sync.gate import Guard
from sync.ledger import APPROVAL_VALID, Ledger
from sync.posting import Certainty, Outcome
from sync.receipts import FiringRecord
from sync.schema import APPROVAL, FIRING
from sync.signals import GoalScored, SpotHeard, airing_occurrence, goal_occurrence, goal_taken_back
from sync.states import Action, FiringState, Mode
from sync.tweets import TweetRules
from timebase import VirtualClock

CUES = b"""
[[cue]]
id = "spot"
name = "Spot"
author = "sponsor"
account = "bank"
campaign = "spring"
paid_partnership = true
variants = ["one #ad", "two #ad", "three #ad", "four #ad", "five #ad", "six #ad"]
caps = { per_minute = 60, per_hour = 600, per_day = 2400 }
[cue.on]
kind = "spot"
spots = ["k30", "k20"]
channel = "nord"

[[cue]]
id = "goal"
name = "Goal"
author = "sponsor"
account = "bank"
taken_back = "correct"
corrections = ["No goal for {side} after all.", "{side}: taken back."]
variants = ["{side} {home_score}:{away_score}", "Goal {home_score}:{away_score}!"]
caps = { per_minute = 60, per_hour = 600, per_day = 2400 }
[cue.on]
kind = "goal"
fixture = "final"

[[cue]]
id = "other"
name = "Other"
author = "sponsor"
account = "cafe"
campaign = "spring"
variants = ["eins", "zwei", "drei"]
[cue.on]
kind = "spot"
spots = ["x"]
channel = "nord"
"""
SPOT, GOAL, OTHER = parse_cues(CUES, source="test")


@pytest.fixture
def ledger(target: Path | str, audit: AuditFiles, clock: VirtualClock) -> Iterator[Ledger]:
    """A new ledger in LIVE mode with three approved cues."""
    ledger = Ledger.open(target, clock=clock, mode=Mode.LIVE, audit=audit)
    store(ledger, SPOT, GOAL, OTHER)
    yield ledger
    ledger.close()


def store(ledger: Ledger, *cues: Cue) -> None:
    ledger.import_cues(cues, actor="sponsor")
    for cue in cues:
        ledger.approve_cue(cue.cue_id, approved_by="approver")


def engine_of(ledger: Ledger, **limits: Caps) -> Firings:
    many = Caps(per_minute=1000, per_hour=1000, per_day=1000)
    chosen = {"spot": many, "campaign": many, "account": many, "everything": many, **limits}
    return Firings(ledger, epoch=ledger.become_engine(), boot_id="boot", limits=CapLimits(**chosen))


def spot(clock: VirtualClock, number: int = 1, *, cue: Cue = SPOT, spot_id: str = "k30", score: float = 50.0) -> Intent:
    now = Moment(mono_ns=clock.mono_ns(), utc=clock.utc())
    airing = Airing(
        airing_id=f"nord/{spot_id}/{number}", channel="nord", spot_id=spot_id, number=number, planned_utc=now.utc,
        opens_utc=now.utc, closes_utc=now.utc, raw="", row=1,
    )  # fmt: skip
    signal = SpotHeard(
        occurrence_id=airing_occurrence(airing), airing=airing, spot_id=spot_id, spot_ids=(spot_id,), channel="nord",
        feed_id="main", score=score, threshold=40.0, on_air_mono_ns=now.mono_ns, on_air_utc=now.utc, heard_mono_ns=now.mono_ns,
    )  # fmt: skip
    (intent,) = decide_spot(signal, [cue], status_age_ns=0, now=now)
    return intent


def goal(clock: VirtualClock, ordinal: int = 1, *, cue: Cue = GOAL, take: int = 1) -> Intent:
    now = Moment(mono_ns=clock.mono_ns(), utc=clock.utc())
    signal = GoalScored(
        occurrence_id=goal_occurrence(fixture="final", side="home", ordinal=ordinal, take=take), fixture="final", side="home",
        ordinal=ordinal, take=take, home_score=ordinal, away_score=0, period="1", clock="12:34", taken_back=False,
        on_air_mono_ns=now.mono_ns, on_air_utc=now.utc, heard_mono_ns=now.mono_ns,
    )  # fmt: skip
    (intent,) = decide_goal(signal, [cue], names={"final": ("North", "South")}, now=now)
    return intent


def correction(clock: VirtualClock, of: FiringRecord, *, cue: Cue = GOAL) -> Intent:
    now = Moment(mono_ns=clock.mono_ns(), utc=clock.utc())
    signal = goal_taken_back(of.occurrence_id, on_air_mono_ns=now.mono_ns, on_air_utc=now.utc, heard_mono_ns=now.mono_ns)
    names = {"final": ("North", "South")}
    deadline_ns = now.mono_ns + 10**9
    return decide_correction(
        signal, cue, firing_id=of.firing_id, mode=of.mode, names=names, deadline_mono_ns=deadline_ns, now=now
    )


def claimed(result: ClaimResult) -> FiringRecord:
    assert result.record is not None
    assert result.record.state is FiringState.CLAIMED, result.judgement.against
    return result.record


def guard_of(result: ClaimResult) -> Guard | None:
    against = result.judgement.against
    return None if against is None else against.guard


def reason_of(result: ClaimResult) -> str:
    assert result.record is not None
    return result.record.reason


PERIODS_S = {"per_minute": 60, "per_hour": 3600, "per_day": 86_400}


# --- caps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "held"),
    [
        ("spot", {"spot", "sibling"}),
        ("cue", {"spot"}),
        ("campaign", {"spot", "other"}),
        ("account", {"spot", "goal", "sibling"}),
        ("everything", {"spot", "goal", "other", "sibling"}),
    ],
)
@pytest.mark.parametrize("period", PERIODS_S)
async def test_a_cap_counts_its_scope_and_holds_it_until_rearmed(
    ledger: Ledger, clock: VirtualClock, scope: str, held: set[str], period: str
) -> None:
    """Two in the period, not three: every cue of the scope is held, also when the period is over, until a person rearms it."""
    sibling_on = SpotCondition(kind="spot", spots=("k30",), channel="syd")
    store(ledger, dataclasses.replace(SPOT, cue_id="sibling", campaign="", on=sibling_on))
    caps = dataclasses.replace(Caps(per_minute=60, per_hour=600, per_day=2400), **{period: 2})
    cue = SPOT
    if scope == "cue":
        store(ledger, cue := dataclasses.replace(SPOT, caps=caps))
    firings = engine_of(ledger, **({} if scope == "cue" else {scope: caps}))
    results = [firings.claim(spot(clock, number, cue=cue), account_faults={}) for number in (1, 2, 3)]
    assert [guard_of(result) for result in results] == [None, None, Guard.CAPS]
    holds = {one.cue.cue_id: one.hold_reason for one in ledger.cues() if one.hold_reason}
    assert set(holds) == held
    assert len(set(holds.values())) == 1
    assert "has fired 2 of 2" in holds["spot"] == reason_of(results[2])
    await clock.advance(PERIODS_S[period] + 1)
    assert guard_of(firings.claim(spot(clock, 4, cue=cue), account_faults={})) is Guard.HOLD
    ledger.hold_cue("spot", actor="ops", reason="")
    claimed(firings.claim(spot(clock, 5, cue=cue), account_faults={}))


def test_a_hold_that_is_there_keeps_its_reason(ledger: Ledger, clock: VirtualClock) -> None:
    """A cap that trips does not write over what a person wrote."""
    ledger.hold_cue("goal", actor="ops", reason="wrong match")
    firings = engine_of(ledger, everything=Caps(per_minute=1, per_hour=9, per_day=9))
    for number in (1, 2):
        firings.claim(spot(clock, number), account_faults={})
    reasons = {one.cue.cue_id: one.hold_reason for one in ledger.cues()}
    assert reasons["goal"] == "wrong match"
    assert reasons["spot"] == reasons["other"] == "cap: the engine has fired 1 of 1 in a minute"


def test_racing_claims_keep_within_the_cap(ledger: Ledger, clock: VirtualClock) -> None:
    """Eight threads claim eight airings at the same time under a cap of three: three get it."""
    firings = engine_of(ledger, campaign=Caps(per_minute=3, per_hour=9, per_day=9))
    intents, results, gate = [spot(clock, number) for number in range(8)], list[ClaimResult](), threading.Barrier(8)

    def claim(intent: Intent) -> None:
        gate.wait()
        results.append(firings.claim(intent, account_faults={}))

    threads = [threading.Thread(target=claim, args=(intent,)) for intent in intents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(str(guard_of(result)) for result in results) == ["None"] * 3 + ["caps"] * 5


# --- priorities ---------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["special", "goal"])
def test_one_priority_has_an_occurrence(ledger: Ledger, clock: VirtualClock, first: str) -> None:
    """Two cues of one account, two priorities: whichever claims first, the other declines and names it."""
    special = dataclasses.replace(GOAL, cue_id="special", priority=5, variants=("special {home_score}",))
    store(ledger, special)
    firings = engine_of(ledger)
    cues = sorted([special, GOAL], key=lambda cue: cue.cue_id != first)
    results = [firings.claim(goal(clock, cue=cue), account_faults={}) for cue in cues]
    assert [guard_of(result) for result in results] == [None, Guard.PRIORITY]
    assert reason_of(results[1]) == f"cue {first}, of another priority, has this occurrence"


def test_an_armed_higher_cue_has_it_too(ledger: Ledger, clock: VirtualClock) -> None:
    """A cue that waits for its audience delay keeps the occurrence from a lower one; once withdrawn it does not."""
    special = dataclasses.replace(GOAL, cue_id="special", priority=5, variants=("special {home_score}",))
    store(ledger, special)
    firings = engine_of(ledger)
    armed = firings.claim(goal(clock, cue=special), account_faults={}, arm_only=True).record
    assert armed is not None
    assert guard_of(firings.claim(goal(clock), account_faults={})) is Guard.PRIORITY
    firings.resolve(armed.firing_id, FiringState.WITHDRAWN, reason="x")
    claimed(firings.claim(goal(clock), account_faults={}))


def test_a_lower_cue_fires_when_the_higher_declines(ledger: Ledger, clock: VirtualClock) -> None:
    """The special cue is held: the usual one fires."""
    special = dataclasses.replace(GOAL, cue_id="special", priority=5, variants=("special {home_score}",))
    store(ledger, special)
    ledger.hold_cue("special", actor="ops", reason="x")
    firings = engine_of(ledger)
    assert guard_of(firings.claim(goal(clock, cue=special), account_faults={})) is Guard.HOLD
    claimed(firings.claim(goal(clock), account_faults={}))


def test_equal_priorities_and_other_accounts_do_not_compete(ledger: Ledger, clock: VirtualClock) -> None:
    """Two sponsors may both fire, and so may two cues of one priority."""
    same = dataclasses.replace(GOAL, cue_id="same", variants=("same {home_score}",))
    cafe = dataclasses.replace(GOAL, cue_id="cafe", account_id="cafe", priority=9)
    store(ledger, same, cafe)
    firings = engine_of(ledger)
    for cue in (GOAL, same, cafe):
        claimed(firings.claim(goal(clock, cue=cue), account_faults={}))


@pytest.mark.parametrize(
    ("condition", "fires"),
    [({"first_in_day": True}, [1, 5]), ({"every": 2}, [2, 4, 6])],
)
async def test_airings_are_counted_by_the_day(
    ledger: Ledger, clock: VirtualClock, condition: dict[str, Any], fires: list[int]
) -> None:
    """Four airings of either spot on one day, two on the next; repetitions and what was not believed do not count."""
    cue = dataclasses.replace(SPOT, on=dataclasses.replace(SPOT.on, **condition))
    store(ledger, cue)
    firings = engine_of(ledger)
    fired = []
    for number in range(1, 7):
        doubtful = spot(clock, 100 + number, cue=cue, score=1.0)
        assert guard_of(firings.claim(doubtful, account_faults={})) is Guard.EVIDENCE
        for _ in ("main", "backup"):
            intent = spot(clock, number, cue=cue, spot_id="k30" if number % 2 else "k20")
            result = firings.claim(intent, account_faults={})
            if guard_of(result) is None:
                fired.append(number)
            await clock.advance(1)
        await clock.advance(3600 if number != 4 else 86_400)
    assert fired == fires


# --- texts --------------------------------------------------------------------------------------


async def test_a_text_leaves_again_only_after_its_window(ledger: Ledger, clock: VirtualClock) -> None:
    """Within the window each variant is used once; after it the pool is there again, and the old firing keeps its text."""
    cue = dataclasses.replace(SPOT, variants=("one #ad", "two #ad"), duplicate_window_h=24)
    store(ledger, cue)
    firings = engine_of(ledger)
    first = [firings.claim(spot(clock, number, cue=cue), account_faults={}) for number in (1, 2, 3)]
    assert [guard_of(result) for result in first] == [None, None, Guard.TEXT]
    await clock.advance(86_399)
    clock.step_utc(timedelta(days=3))
    assert guard_of(firings.claim(spot(clock, 4, cue=cue), account_faults={})) is Guard.TEXT
    assert firings.used_texts([cue], [Mode.LIVE]) == {(cue.account_id, Mode.LIVE, text) for text in ("one #ad", "two #ad")}
    await clock.advance(2)
    assert firings.used_texts([cue], [Mode.LIVE]) == frozenset()
    again = [firings.claim(spot(clock, number, cue=cue), account_faults={}) for number in (5, 6, 7)]
    assert [guard_of(result) for result in again] == [None, None, Guard.TEXT]
    assert [claimed(result).text for result in again[:2]] == ["one #ad", "two #ad"]
    old = firings.get(claimed(first[0]).firing_id)
    assert old is not None
    assert old.text == "one #ad"


async def test_never_again_is_the_default(ledger: Ledger, clock: VirtualClock) -> None:
    """Without a window a text that has left the account never leaves it again, not even a year later."""
    firings = engine_of(ledger)
    claimed(firings.claim(spot(clock, 1), account_faults={}))
    await clock.advance(366 * 86_400)
    store(ledger, SPOT)
    second = claimed(firings.claim(spot(clock, 2), account_faults={}))
    assert second.text == "two #ad"


def test_the_index_stands_behind_the_window(ledger: Ledger, clock: VirtualClock) -> None:
    """Even code that forgets to look cannot write a text that is in use."""
    cue = dataclasses.replace(SPOT, duplicate_window_h=24)
    store(ledger, cue)
    record = claimed(engine_of(ledger).claim(spot(clock, cue=cue), account_faults={}))
    with ledger.database.reading() as connection:
        row = dict(connection.execute(sa.select(FIRING).where(FIRING.c.firing_id == record.firing_id)).one()._mapping)
    del row["firing_id"]
    with pytest.raises(LedgerError), ledger.database.writing() as connection:
        connection.execute(sa.insert(FIRING).values({**row, "occurrence_id": "other"}))


def test_the_request_is_recorded_byte_for_byte(ledger: Ledger, clock: VirtualClock) -> None:
    """The claim keeps the body that leaves, with its hash; a declined one has neither."""
    firings = engine_of(ledger)
    record = claimed(firings.claim(spot(clock), account_faults={}))
    assert json.loads(record.body) == {"text": "one #ad", "paid_partnership": True}
    assert record.body_sha256 == hashlib.sha256(record.body.encode()).hexdigest()
    ledger.hold_cue("spot", actor="ops", reason="x")
    declined = firings.claim(spot(clock, 2), account_faults={}).record
    assert declined is not None
    assert (declined.body, declined.body_sha256) == ("", None)


# --- approvals ----------------------------------------------------------------------------------


def test_two_people_approve(ledger: Ledger, clock: VirtualClock) -> None:
    """One person, however often and however spelled, is one; the second one lets it go; the author never counts."""
    cue = dataclasses.replace(SPOT, approvers=2)
    ledger.import_cues([cue], actor="sponsor")
    firings = engine_of(ledger)
    for name in ("anna", " Anna", "ＡＮＮＡ"):
        ledger.approve_cue("spot", approved_by=name)
        stored = next(one for one in ledger.cues() if one.cue.cue_id == "spot")
        assert (len(stored.approvals), stored.approved, stored.expires_utc) == (1, False, None)
        assert guard_of(firings.claim(spot(clock, cue=cue), account_faults={})) is Guard.APPROVAL
    with pytest.raises(ApprovalError, match="wrote it"):
        ledger.approve_cue("spot", approved_by="Sponsor")
    ledger.approve_cue("spot", approved_by="bert")
    stored = next(one for one in ledger.cues() if one.cue.cue_id == "spot")
    assert (stored.approved_by, stored.approved) == ("ＡＮＮＡ, bert", True)
    claimed(firings.claim(spot(clock, cue=cue), account_faults={}))


async def test_approvals_expire(ledger: Ledger, clock: VirtualClock) -> None:
    """To the second; approved again, it goes on; of two approvals the earlier end counts."""
    firings = engine_of(ledger)
    ledger.approve_cue("spot", approved_by="approver", valid_for=timedelta(hours=1))
    await clock.advance(3599)
    claimed(firings.claim(spot(clock, 1), account_faults={}))
    await clock.advance(1)
    late = firings.claim(spot(clock, 2), account_faults={})
    assert guard_of(late) is Guard.APPROVAL
    assert "expired" in reason_of(late)
    assert not next(one for one in ledger.cues() if one.cue.cue_id == "spot").approved
    ledger.approve_cue("spot", approved_by="approver")
    claimed(firings.claim(spot(clock, 3), account_faults={}))
    cue = dataclasses.replace(SPOT, approvers=2)
    ledger.import_cues([cue], actor="sponsor")
    ledger.approve_cue("spot", approved_by="anna", valid_for=timedelta(hours=1))
    ledger.approve_cue("spot", approved_by="bert", valid_for=timedelta(hours=2))
    stored = next(one for one in ledger.cues() if one.cue.cue_id == "spot")
    assert stored.expires_utc == clock.utc() + timedelta(hours=1)
    await clock.advance(3600)
    assert guard_of(firings.claim(spot(clock, 4, cue=cue), account_faults={})) is Guard.APPROVAL


@pytest.mark.parametrize(
    "change",
    [
        lambda cue: dataclasses.replace(cue, variants=(*cue.variants, "seven #ad")),
        lambda cue: dataclasses.replace(cue, account_id="cafe"),
        lambda cue: dataclasses.replace(cue, on=dataclasses.replace(cue.on, every=2)),
        lambda cue: dataclasses.replace(cue, priority=1),
        lambda cue: dataclasses.replace(cue, paid_partnership=False),
    ],
)
def test_any_change_voids_for_good(ledger: Ledger, clock: VirtualClock, change: Callable[[Cue], Cue]) -> None:
    """Text, account, condition, priority or mark: neither the changed cue nor the one changed back may fire."""
    firings = engine_of(ledger)
    for cue in (change(SPOT), SPOT):
        ledger.import_cues([cue], actor="sponsor")
        assert guard_of(firings.claim(spot(clock, cue=cue), account_faults={})) is Guard.APPROVAL
    ledger.approve_cue("spot", approved_by="approver")
    claimed(firings.claim(spot(clock), account_faults={}))


def test_texts_are_checked_at_approval(ledger: Ledger) -> None:
    """What the rules forbid now cannot be approved, although it was imported before they did."""
    with pytest.raises(ApprovalError, match=r"cue spot: variants\[1\]: holds the banned word 'one'"):
        ledger.approve_cue("spot", approved_by="anna", catalogue=Catalogue(rules=TweetRules(banned_words=("one",))))
    with pytest.raises(ApprovalError, match=r"cue goal: .*approvers"):
        ledger.approve_cue("goal", approved_by="anna", catalogue=Catalogue(approvers_min=2))


# --- corrections --------------------------------------------------------------------------------


def settled(firings: Firings, clock: VirtualClock, record: FiringRecord) -> FiringRecord:
    outcome = Outcome(
        certainty=Certainty.POSTED, tweet_id=str(1000 + record.firing_id), reason="", http_status=201,
        first_byte_mono_ns=clock.mono_ns(), answered_mono_ns=clock.mono_ns(), warm=True,
    )  # fmt: skip
    return firings.settle(record.firing_id, outcome, answered_utc=clock.utc())


def test_a_correction_is_claimed_once(ledger: Ledger, clock: VirtualClock) -> None:
    """One correction a tweet, its own record beside the firing it corrects; each text of the pool serves once."""
    firings = engine_of(ledger)
    posted = settled(firings, clock, claimed(firings.claim(goal(clock), account_faults={})))
    first = claimed(firings.claim(correction(clock, posted), account_faults={}))
    assert (first.action, first.of_firing_id, first.text) == (Action.CORRECT, posted.firing_id, "No goal for North after all.")
    again = firings.claim(correction(clock, posted), account_faults={})
    assert (again.record, guard_of(again)) == (None, Guard.OCCURRENCE)
    other = settled(firings, clock, claimed(firings.claim(goal(clock, take=2), account_faults={})))
    assert claimed(firings.claim(correction(clock, other), account_faults={})).text == "North: taken back."


def test_a_correction_that_was_declined_is_not_caught_up(ledger: Ledger, clock: VirtualClock) -> None:
    """Held when its moment came: it stays unsent also when the cue is rearmed."""
    firings = engine_of(ledger)
    posted = settled(firings, clock, claimed(firings.claim(goal(clock), account_faults={})))
    ledger.hold_cue("goal", actor="ops", reason="x")
    assert guard_of(firings.claim(correction(clock, posted), account_faults={})) is Guard.HOLD
    ledger.hold_cue("goal", actor="ops", reason="")
    assert guard_of(firings.claim(correction(clock, posted), account_faults={})) is Guard.OCCURRENCE


def test_a_rehearsed_tweet_has_no_live_correction(ledger: Ledger, clock: VirtualClock) -> None:
    """The mode changed in between: nothing leaves about a tweet nobody has seen."""
    ledger.set_mode(Mode.REHEARSAL, actor="ops")
    firings = engine_of(ledger)
    posted = settled(firings, clock, claimed(firings.claim(goal(clock), account_faults={})))
    ledger.set_mode(Mode.LIVE, actor="ops")
    result = firings.claim(correction(clock, posted), account_faults={})
    assert guard_of(result) is Guard.MODE
    assert reason_of(result) == "the tweet was posted in REHEARSAL, the mode is LIVE"


def test_caps_do_not_keep_a_correction(ledger: Ledger, clock: VirtualClock) -> None:
    """A wrong tweet is put right even when its account has used up its cap, and counts for no cap itself."""
    firings = engine_of(ledger, account=Caps(per_minute=2, per_hour=9, per_day=9))
    posted = [settled(firings, clock, claimed(firings.claim(goal(clock, ordinal), account_faults={}))) for ordinal in (1, 2)]
    claimed(firings.claim(correction(clock, posted[1]), account_faults={}))
    claimed(firings.claim(correction(clock, posted[0]), account_faults={}))
    tripped = firings.claim(goal(clock, 3), account_faults={})
    assert guard_of(tripped) is Guard.CAPS
    assert "has fired 2 of 2" in reason_of(tripped)


# --- an older ledger ----------------------------------------------------------------------------


def test_an_older_ledger_keeps_its_approvals_for_ninety_days(target: Path | str, audit: AuditFiles, clock: VirtualClock) -> None:
    """A ledger of version 0001 is migrated: its cues are approved as before, and expire like new ones."""
    _make_first(target, clock)
    ledger = Ledger.open(target, clock=clock, audit=audit)
    (stored,) = ledger.cues()
    assert (stored.approved_by, stored.expires_utc) == ("approver", clock.utc() + APPROVAL_VALID)
    firings = engine_of(ledger)
    ledger.set_mode(Mode.LIVE, actor="ops")
    old = firings.get(1)
    assert old is not None
    assert (old.text, old.body, old.body_sha256) == ("one", "", None)
    record = claimed(firings.claim(spot(clock, cue=stored.cue, spot_id="kaffee-30"), account_faults={}))
    assert record.text == "two"
    ledger.close()


def _make_first(target: Path | str, clock: VirtualClock) -> None:
    url = sa.URL.create("sqlite", database=str(target)) if isinstance(target, Path) else sa.make_url(target)
    engine = sa.create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[3] / "sync" / "migrations"))
    config.set_main_option("path_separator", "os")
    canonical = (
        '{"account_id":"coffee","audience_delay_ms":0,"author":"sponsor","caps":{"per_day":100,"per_hour":30,"per_minute":4},'
        '"cue_id":"kaffee","deadline_ms":3000,"name":"Coffee","on":{"channel":"nord","kind":"spot","spots":["kaffee-30"]},'
        '"taken_back":"leave","variants":["one","two"]}'
    )
    sha256 = hashlib.sha256(canonical.encode()).hexdigest()
    now_us = (clock.utc() - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    rows: dict[str, dict[str, Any]] = {
        "cue": {
            "cue_id": "kaffee", "canonical_json": canonical, "sha256": sha256, "hold_reason": "", "hold_actor": "",
            "updated_utc": now_us,
        },
        "approval": {"cue_id": "kaffee", "sha256": sha256, "approved_by": "approver", "approved_utc": now_us},
        "firing": {
            "occurrence_id": "airing:old", "cue_id": "kaffee", "cue_name": "Coffee", "account_id": "coffee", "mode": "LIVE",
            "action": "post", "state": "POSTED", "reserving": True, "guard": "", "reason": "", "text": "one",
            "text_sha256": hashlib.sha256(b"one").hexdigest(), "tweet_id": "7", "epoch": 1, "boot_id": "old",
            "deadline_mono_ns": 1, "claimed_mono_ns": 1, "claimed_utc": now_us, "updated_utc": now_us, "connection": "warm",
            "settled_by": "",
        },
    }  # fmt: skip
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for table, row in rows.items():
            columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in row]
            connection.execute(sa.insert(sa.table(table, *columns)).values(row))
    engine.dispose()
    assert APPROVAL.c.expires_utc.nullable
