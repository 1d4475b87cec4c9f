"""What the ledger keeps of what was heard, in SQLite and in PostgreSQL alike."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from schedules.airing import Airing
from schedules.as_run import Fate, Heard, Verdict
from sync import as_run
from sync.as_run import as_run_facts, as_run_lines, names_of
from sync.audit import AuditFiles
from sync.cues import Cue, parse_cues
from sync.decide import Moment, decide_spot
from sync.errors import ReportError
from sync.firings import Firings
from sync.hearings import HeardEnd, HeardSpot, Hearings, Span
from sync.ledger import Ledger
from sync.plan_versions import PlanSource, PlanVersions
from sync.posting import Certainty, Outcome
from sync.schema import LISTENING
from sync.signals import SpotHeard, airing_occurrence
from sync.states import FiringState, Mode
from timebase import VirtualClock

CUES = b"""
[[cue]]
id = "coffee"
name = "Coffee"
author = "sponsor"
account = "bank"
campaign = "spring"
variants = ["one", "two"]
[cue.on]
kind = "spot"
channel = "nord"
spots = ["kaffee-30", "kaffee-20"]
"""
HOUR = timedelta(hours=1)


@pytest.fixture
def ledger(target: Path | str, audit: AuditFiles, clock: VirtualClock) -> Iterator[Ledger]:
    """A new ledger in LIVE mode with one approved cue and one airing."""
    ledger = Ledger.open(target, clock=clock, mode=Mode.LIVE, audit=audit)
    ledger.import_cues([cue()], actor="sponsor")
    ledger.approve_cue("coffee", approved_by="approver")
    PlanVersions(ledger).commit("plan", [airing(clock)], PlanSource(actor="planner"))
    yield ledger
    ledger.close()


def cue() -> Cue:
    (only,) = parse_cues(CUES, source="test")
    return only


def airing(clock: VirtualClock) -> Airing:
    planned = clock.utc()
    opens, closes = planned - timedelta(seconds=60), planned + timedelta(seconds=60)
    names: dict[str, Any] = {"airing_id": "nord/kaffee-30/2027-03-01/1", "channel": "nord", "spot_id": "kaffee-30", "number": 1}
    return Airing(**names, planned_utc=planned, opens_utc=opens, closes_utc=closes, raw="20:15", row=1)


def spot(clock: VirtualClock, **changes: Any) -> HeardSpot:
    one = HeardSpot(
        feed_id="main",
        channel="nord",
        occurrence_id=airing_occurrence(airing(clock)),
        spot_id="kaffee-30",
        spot_ids=("kaffee-20", "kaffee-30"),
        onset_s=12.5,
        onset_mono_ns=7_000_000_000,
        began_utc=clock.utc(),
        heard_ms=210.5,
        score=50.0,
        threshold=40.0,
        speed=1.0,
    )
    return replace(one, **changes)


def end(clock: VirtualClock, **changes: Any) -> HeardEnd:
    one = HeardEnd(
        feed_id="main",
        channel="nord",
        occurrence_id="heard:nord/kaffee-30/x",
        spot_id="kaffee-30",
        onset_s=12.5,
        began_utc=clock.utc() + timedelta(milliseconds=40),
        aired_s=30.0,
        coverage=0.99,
        speed=1.01,
        confidence=0.9,
        cut_s=None,
        is_joined_late=False,
    )
    return replace(one, **changes)


def heard_of(ledger: Ledger, clock: VirtualClock, **asked: Any) -> tuple[Heard, ...]:
    return as_run_facts(ledger, clock.utc() - HOUR, clock.utc() + HOUR, now_utc=clock.utc(), **asked).heard


def test_a_detection_and_its_end_are_one_row(ledger: Ledger, clock: VirtualClock) -> None:
    """The end says which version it was and how far it ran; what was heard first stays."""
    Hearings(ledger).save([spot(clock)], [end(clock)], [])

    (one,) = heard_of(ledger, clock)
    assert (one.spot_ids, one.aired_s, one.coverage, one.heard_ms) == (("kaffee-30",), 30.0, 0.99, 210.5)
    assert (one.began_utc, one.occurrence_id) == (clock.utc(), spot(clock).occurrence_id)


def test_a_detection_that_is_told_again_is_the_same(ledger: Ledger, clock: VirtualClock) -> None:
    """A listener repeats what it does not know to have arrived."""
    hearings = Hearings(ledger)
    hearings.save([spot(clock)], [], [])
    hearings.save([spot(clock, began_utc=clock.utc() + timedelta(microseconds=3))], [], [])
    hearings.save([spot(clock, feed_id="backup"), spot(clock, onset_mono_ns=8_000_000_000, onset_s=13.5)], [], [])

    assert len(heard_of(ledger, clock)) == 3


def test_an_end_without_a_detection_is_kept(ledger: Ledger, clock: VirtualClock) -> None:
    """A spot that was joined late, and one whose detection was lost; an old one of the same place is not theirs."""
    hearings = Hearings(ledger)
    hearings.save([spot(clock, began_utc=clock.utc() - 3 * HOUR)], [], [])
    hearings.save([], [end(clock), end(clock, onset_s=99.0, is_joined_late=True, cut_s=4.0)], [])

    assert [(one.is_joined_late, one.cut_s, one.heard_ms) for one in heard_of(ledger, clock)] == [
        (False, None, None),
        (True, 4.0, None),
    ]


def test_a_span_moves_on(ledger: Ledger, clock: VirtualClock) -> None:
    """Of one beginning there is one row; another beginning is another span."""
    hearings, began = Hearings(ledger), clock.utc()
    first = Span(feed_id="main", channel="nord", began_utc=began, until_utc=began + timedelta(seconds=1))
    hearings.save([], [], [first])
    hearings.save([], [], [replace(first, until_utc=began + timedelta(seconds=9))])
    hearings.save([], [], [replace(first, began_utc=began + HOUR, until_utc=began + HOUR)])

    with ledger.database.reading() as connection:
        rows = connection.execute(sa.select(LISTENING.c.began_utc, LISTENING.c.until_utc).order_by(LISTENING.c.began_utc)).all()
    assert [tuple(row) for row in rows] == [(began, began + timedelta(seconds=9)), (began + HOUR, began + HOUR)]


def test_what_was_fired_stands_beside_what_was_heard(ledger: Ledger, clock: VirtualClock) -> None:
    """From the claim to the report: the tweet's id, its campaign, and how soon it left."""
    firings = Firings(ledger, epoch=ledger.become_engine(), boot_id="boot")
    signal = SpotHeard(
        occurrence_id=airing_occurrence(airing(clock)),
        airing=airing(clock),
        spot_id="kaffee-30",
        spot_ids=("kaffee-30",),
        channel="nord",
        feed_id="main",
        score=50.0,
        threshold=40.0,
        on_air_mono_ns=clock.mono_ns(),
        on_air_utc=clock.utc(),
        heard_mono_ns=clock.mono_ns(),
    )
    (intent,) = decide_spot(signal, [cue()], status_age_ns=0, now=Moment(mono_ns=clock.mono_ns(), utc=clock.utc()))
    record = firings.claim(intent, account_faults={}).record
    assert record is not None
    at_ns = clock.mono_ns() + 240_000_000
    outcome = Outcome(
        certainty=Certainty.POSTED, tweet_id="1894", reason="", http_status=201, first_byte_mono_ns=at_ns,
        answered_mono_ns=at_ns, warm=True,
    )  # fmt: skip
    firings.settle(record.firing_id, outcome, answered_utc=clock.utc())
    Hearings(ledger).save([spot(clock)], [end(clock)], [])

    (line,) = as_run_lines(ledger, clock.utc() - HOUR, clock.utc() + HOUR, now_utc=clock.utc())

    assert (line.verdict, line.campaign, line.first_byte_ms) == (Verdict.FIRED, "spring", 240.0)
    assert [(one.fate, one.reference, one.channel) for one in line.fired] == [(Fate.POSTED, "1894", "nord")]


def test_only_what_was_asked_for(ledger: Ledger, clock: VirtualClock) -> None:
    """Another channel has nothing, and a span ends before its end."""
    Hearings(ledger).save([spot(clock)], [], [])
    now = clock.utc()

    assert heard_of(ledger, clock, channel="syd") == ()
    assert as_run_lines(ledger, now - HOUR, now, now_utc=now) == ()
    assert len(as_run_lines(ledger, now, now + HOUR, now_utc=now)) == 1


def test_a_report_has_an_end(ledger: Ledger, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many lines are refused with what to do, not cut off."""
    monkeypatch.setattr(as_run, "LINES_MAX", 1)
    Hearings(ledger).save([spot(clock), spot(clock, feed_id="backup")], [], [])

    with pytest.raises(ReportError, match="more than 1 detections in this span; choose a shorter one, or one channel"):
        heard_of(ledger, clock)


@pytest.mark.parametrize(
    ("settled_by", "hours", "fate"), [("", 1, Fate.UNSETTLED), ("", 25, Fate.FAILED), ("Ann", 1, Fate.FAILED)]
)
def test_not_seen_is_unsettled_until_it_is_final(clock: VirtualClock, settled_by: str, hours: int, fate: Fate) -> None:
    """Not seen for a day, or settled by a person: then it was not posted."""
    row: Any = SimpleNamespace(
        state=FiringState.NOT_SEEN, mode=Mode.LIVE, settled_by=settled_by, claimed_utc=clock.utc() - hours * HOUR
    )

    assert as_run._fate(row, clock.utc()) is fate


def test_spots_of_one_cue_are_versions_of_each_other(ledger: Ledger) -> None:
    """And of its campaign, on its channel."""
    names = names_of(ledger.cues())

    assert names.families["kaffee-20"] == names.families["kaffee-30"]
    assert names.campaign("nord", "kaffee-20") == "spring"
    assert names.campaign("syd", "kaffee-20") == ""
