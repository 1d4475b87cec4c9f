"""What must be on air before anything fires; what is not known is not on air."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from hardware.tally import TallyState, TallyStatus
from sync.conditions import GoalCondition
from sync.cues import Cue, parse_cues
from sync.interlocks import LISTENER_SILENT_NS, Interlocks, InterlockSetup, TallyLimits

S = 1_000_000_000
SETUP = InterlockSetup(
    tallies={"pgm": TallyLimits(silence_ns=5 * S), "cam": TallyLimits(silence_ns=5 * S, hold_ns=2 * S)},
    channels={"nord": "pgm"},
    feeds={"backup": "cam"},
)
CUE = parse_cues(
    b"""
[[cue]]
id = "spot"
name = "Spot"
author = "sponsor"
account = "coffee"
variants = ["one"]
[cue.on]
kind = "spot"
spots = ["kaffee-30"]
channel = "nord"
""",
    source="test",
)[0]
GOAL = dataclasses.replace(CUE, on=GoalCondition(kind="goal", fixture="final", side="home"))


def status(tally_id: str = "pgm", *, on_air: bool = True, seen_s: float = 100, **changes: Any) -> TallyStatus:
    facts = TallyStatus(
        tally_id=tally_id,
        state=TallyState.LIVE,
        on_air=on_air,
        label="PGM",
        frames=1,
        damaged=0,
        refused=0,
        seen_mono_ns=round(seen_s * S),
        sent_utc=datetime(2027, 3, 1, tzinfo=UTC),
    )
    return dataclasses.replace(facts, **changes)


def asked(cue: Cue, feed_id: str, *statuses: tuple[TallyStatus, float], at_s: float = 100, setup: InterlockSetup = SETUP) -> str:
    """The fault after these statuses, each taken at its second."""
    interlocks = Interlocks(setup)
    for told, taken_s in statuses:
        interlocks.take(told, now_mono_ns=round(taken_s * S))
    return interlocks.fault(cue, feed_id, now_mono_ns=round(at_s * S))


def test_on_air_it_may_fire() -> None:
    """Its channel's tally is red, lately told of by a listener that lives."""
    assert asked(CUE, "main", (status(), 100)) == ""


@pytest.mark.parametrize(
    ("told", "taken_s", "words"),
    [
        (None, 0.0, "nobody listens to tally pgm"),
        (status(on_air=False), 100.0, "not on air: tally pgm is off"),
        (status(seen_s=94.9), 100.0, "tally pgm: its display was last told of 5.1 s before"),
        (status(), 97.9, "the listener of tally pgm was last heard of 2.1 s before"),
        (
            status(state=TallyState.WAITING, detail="the mixer has closed its connection"),
            100.0,
            "tally pgm: the mixer has closed its connection",
        ),
        (status(state=TallyState.FAILED, detail=""), 100.0, "tally pgm: its mixer is not heard"),
    ],
)
def test_what_keeps_it_from_firing(told: TallyStatus | None, taken_s: float, words: str) -> None:
    """Off, silent, forgotten, or never heard of: each says so."""
    assert asked(CUE, "main", *([(told, taken_s)] if told else [])) == words


def test_a_tally_nobody_configured_keeps_everything() -> None:
    """A cue approved with a tally that was removed later does not fire without it."""
    cue = dataclasses.replace(GOAL, on_air="gone")
    assert asked(cue, "") == "tally gone is not configured; nobody knows whether it is on air"
    assert "not configured" in asked(CUE, "", setup=dataclasses.replace(SETUP, tallies={}))


def test_who_must_be_on_air() -> None:
    """The cue's, its channel's and its feed's tally: all that are named."""
    red, off = (status(), 100.0), (status("cam", on_air=False), 100.0)
    assert asked(GOAL, "") == ""
    assert asked(CUE, "backup", red, off) == "not on air: tally cam is off"
    assert asked(CUE, "main", red, off) == ""
    assert asked(dataclasses.replace(GOAL, on_air="cam"), "", red, off) == "not on air: tally cam is off"


def test_it_counts_for_a_while_after_it_went_out() -> None:
    """`hold_s`, from the last time it was known to be on."""
    went_out = ((status("cam"), 97.0), (status("cam", on_air=False, seen_s=98), 98.0))
    cue, again = dataclasses.replace(GOAL, on_air="cam"), (status("cam", on_air=False), 99.9)

    assert asked(cue, "", *went_out, again, at_s=99.9) == ""
    assert asked(cue, "", *went_out, again, at_s=100.1) == "not on air: tally cam is off"


def test_without_hold_it_is_off_at_once() -> None:
    """At the very instant at which it is told."""
    assert asked(CUE, "main", (status(), 99), (status(on_air=False), 100)) == "not on air: tally pgm is off"


def test_trouble_is_not_being_off() -> None:
    """Only what nobody can know is one, and only once its mixer has been heard."""
    interlocks = Interlocks(SETUP)
    assert interlocks.trouble("pgm", now_mono_ns=0) == ""
    interlocks.take(status(on_air=False), now_mono_ns=100 * S)
    assert interlocks.trouble("pgm", now_mono_ns=100 * S) == ""
    assert interlocks.trouble("pgm", now_mono_ns=106 * S) == (
        "tally pgm: its display was last told of 6.0 s before; cues that wait for it do not fire"
    )
    assert interlocks.silent(now_mono_ns=100 * S + LISTENER_SILENT_NS + 1) == {"pgm"}
