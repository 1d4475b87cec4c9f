"""Cues: what a file may say, and what an approval covers."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sync.conditions import GoalCondition, SpotCondition, When
from sync.cues import Caps, Catalogue, Cue, approve, cue_fault, cue_from_json, cue_warnings, parse_cues, read_cues
from sync.errors import ApprovalError, CueError
from sync.tweets import TweetRules

SPOT = """
[[cue]]
id = "kaffee"
name = "Coffee"
author = "sponsor"
account = "coffee"
variants = ["one"]
[cue.on]
kind = "spot"
spots = ["kaffee-30"]
channel = "nord"
"""
GOAL = """
[[cue]]
id = "goal"
name = "Goal"
author = "sponsor"
account = "bank"
taken_back = "delete"
variants = ["{home} {home_score}:{away_score} {away}, {clock} ({period})"]
[cue.on]
kind = "goal"
fixture = "final"
"""


TRIGGER = """
[[cue]]
id = "show"
name = "Show"
author = "sponsor"
account = "bank"
variants = ["one"]
[cue.on]
kind = "trigger"
fixture = "gala"
name = "show-begins"
"""


def parse(text: str, catalogue: Catalogue | None = None) -> tuple[Cue, ...]:
    return parse_cues(text.encode(), source="cues.toml", catalogue=catalogue or Catalogue())


RICH_SPOT = SPOT.replace(
    '["one"]',
    """["one #ad"]
campaign = "spring"
priority = 5
approvers = 2
paid_partnership = true
duplicate_window_h = 48
[cue.when]
timezone = "Europe/Stockholm"
day_begins = "06:00"
dayparts = ["06:00-10:00", "22:00-02:00"]""",
).replace('channel = "nord"', 'channel = "nord"\nfirst_in_day = true')
RICH_GOAL = (
    GOAL.replace('"delete"', '"correct"\ncorrections = ["No goal for {side}."]\nconfirm_ms = 2000')
    + 'score_states = ["equaliser", "goes_ahead"]\ngoals = [1, 3]\nevery = 1\nperiods = ["2", "3"]\nplayers = ["Nyholm"]\n'
)


def test_examples_are_right() -> None:
    """The demonstration's cues and the one in the documentation can be imported."""
    root = Path(__file__).parents[3]
    catalogue = Catalogue(sides={"final": ("Eisbären Nord", "HC Süd"), "gala": ("Gala", "Gala")})
    assert len(read_cues(root / "examples" / "cues.toml", catalogue)) >= 3
    examples = [block.split("```")[0] for block in (root / "docs" / "cues.md").read_text().split("```toml")[1:]]
    assert [cue.cue_id for example in examples for cue in parse(example, catalogue)] == ["kaffee-spot", "equaliser", "show"]


def test_canonical_json_round_trips() -> None:
    """A cue read back from the ledger is the same cue with the same hash."""
    for cue in parse(
        SPOT
        + GOAL.replace('"goal"', '"goal"', 1)
        + RICH_SPOT.replace('"kaffee"', '"k2"')
        + RICH_GOAL.replace('id = "goal"', 'id = "g2"')
    ):
        assert cue_from_json(cue.canonical_json()) == cue
        assert cue_from_json(cue.canonical_json()).sha256() == cue.sha256()


def test_an_upgrade_voids_no_approval() -> None:
    """The hashes that Cuebird 0.1 gave these cues: what is new is left out of them while it has its default."""
    assert [cue.sha256() for cue in parse(SPOT + GOAL)] == [
        "2917ae665db44c935d085f5d41ccffab427063ac5a4401659d8c26c98f5b9959",
        "cb73eb04b50bc0bac8b594c73ee6885c531c088a2a1382fc898fafe1a827ec18",
    ]


OTHERS: dict[str, Any] = {
    "taken_back": "delete",
    "variants": ("one", "two"),
    "on": parse_cues(GOAL.encode(), source="test")[0].on,
    "when": When(timezone="Europe/Stockholm"),
    "spots": ("other",),
    "kind": "other",
}


def changed(value: Any, name: str) -> Any:
    """The same with one field changed to something else of its type."""
    old = getattr(value, name)
    if isinstance(old, Caps):
        return dataclasses.replace(value, caps=dataclasses.replace(old, per_day=old.per_day + 1))
    if name in OTHERS:
        return dataclasses.replace(value, **{name: OTHERS[name]})
    new: Any = (
        not old
        if isinstance(old, bool)
        else old + 1
        if isinstance(old, int)
        else (*old, 7)
        if isinstance(old, tuple)
        else f"{old}x"
    )
    return dataclasses.replace(value, **{name: new})


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Cue)])
@pytest.mark.parametrize("text", [SPOT, RICH_SPOT], ids=["plain", "rich"])
def test_any_change_makes_another_hash(text: str, name: str) -> None:
    """There is no field of a cue that could change behind an approval."""
    (cue,) = parse(text)
    assert changed(cue, name).sha256() != cue.sha256()


@pytest.mark.parametrize(
    "text", [SPOT, RICH_SPOT, GOAL, RICH_GOAL, TRIGGER], ids=["spot", "rich spot", "goal", "rich goal", "trigger"]
)
def test_any_changed_condition_makes_another_hash(text: str) -> None:
    """Nor one of its conditions."""
    (cue,) = parse(text)
    for part in ("on", "when"):
        for field in dataclasses.fields(getattr(cue, part)):
            other = dataclasses.replace(cue, **{part: changed(getattr(cue, part), field.name)})
            assert other.sha256() != cue.sha256(), (part, field.name)


@pytest.mark.parametrize("name", ["sponsor", " Sponsor ", "ＳＰＯＮＳＯＲ", "", "  "])
def test_author_cannot_approve(name: str) -> None:
    """Neither does another spelling of the same name, nor nobody."""
    with pytest.raises(ApprovalError):
        approve(parse(SPOT)[0], approved_by=name, expires_utc=datetime(2027, 3, 1, tzinfo=UTC))


WITH_DEVICES = GOAL.replace("{", "{{").replace("}", "}}").replace('"final"', '"final"\nwithin_ms = 500\ndevices = [{}]')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SPOT.replace('account = "coffee"', 'acount = "coffee"'), "cue kaffee: account: Field required"),
        (SPOT.replace('name = "Coffee"', 'name = "Coffee"\nnick = "c"'), "cue kaffee: nick: unknown key"),
        (SPOT.replace('id = "kaffee"', 'id = "kaf fee"'), "cue kaf fee: id"),
        (SPOT.replace('id = "kaffee"', ""), "cue number 1: id: Field required"),
        (SPOT.replace('["one"]', "[]"), "cue kaffee: variants"),
        (SPOT.replace('["one"]', '["one", "one"]'), "twice"),
        (SPOT.replace('["one"]', '["{home}"]'), "only a goal's text has fields"),
        (SPOT.replace('["one"]', '["one"]\ndeadline_ms = 100\naudience_delay_ms = 100'), "must be more than"),
        (SPOT.replace('["one"]', '["one"]\ntaken_back = "delete"'), "only a goal"),
        (SPOT.replace('["one"]', '["one"]\ncaps = { per_minute = 0 }'), "caps.per_minute"),
        (SPOT.replace('["one"]', f'["{"x" * 281}"]'), "weighs up to 281"),
        (SPOT.replace('["one"]', '["bad \\u202e char"]').replace("\\u202e", "\\ufffe"), "cannot be posted"),
        (SPOT.replace('kind = "spot"', 'kind = "sound"'), "cue kaffee: on"),
        (SPOT + SPOT, "the id stands there twice"),
        (GOAL.replace("{home} ", "{hme} "), "{hme} is not a field"),
        (GOAL.replace("{home} ", "{home "), "brace"),
        (GOAL.replace("{home} ", "{home!r} "), "is not a field"),
        (GOAL.replace("({period})", "x" * 200), "weighs up to"),
        (
            SPOT.replace('account = "coffee"', 'acount = "coffee"\naccount = "coffee"'),
            "acount: unknown key; did you mean account?",
        ),
        (SPOT.replace('["one"]', '["one"]\napprovers = 3'), "approvers: Input should be less than or equal to 2, not 3"),
        (SPOT.replace('["one"]', '["one"]\nconfirm_ms = 5'), "confirm_ms: only a goal can be confirmed"),
        (SPOT.replace('["one"]', '["one"]\nduplicate_window_h = 2'), "duplicate_window_h: 2: X refuses repetitions"),
        (SPOT.replace('"nord"', '"nord"\nfirst_in_day = true'), "when: missing; first_in_day and every count"),
        (RICH_SPOT.replace("first_in_day = true", "first_in_day = true\nevery = 2"), "on.every: 2 contradicts first_in_day"),
        (
            SPOT.replace('"nord"', '"nord"\nby = "scte35"'),
            "on.by: Input should be 'sound', 'marker', 'either' or 'both'",
        ),
        (
            SPOT.replace('"nord"', '"nord"\nby = "both"\nwithin_ms = 1500'),
            "deadline_ms (3000) must be more than 3000: that long the second source may take",
        ),
        (SPOT.replace('"nord"', '"nord"\nwithin_ms = 5'), "on.within_ms: Input should be greater than or equal to 50, not 5"),
        (WITH_DEVICES.format('"oes-1"'), "on.devices: give two different devices"),
        (WITH_DEVICES.format('"oes-1", "oes-1"'), "on.devices: give two different devices"),
        (WITH_DEVICES.format('"oes-1", "oes-2"').replace("500", "9000"), "must be more than 10500"),
        (TRIGGER + 'within_ms = 500\ndevices = ["a", "a"]', "on.devices: give two different devices"),
        (TRIGGER.replace('"show-begins"', '"show begins"'), "on.name: 'show begins': an event's name has"),
        (TRIGGER.replace('["one"]', '["{home}"]'), "only a goal's text has fields"),
        (TRIGGER.replace('["one"]', '["one"]\ntaken_back = "delete"'), "only a goal"),
        (GOAL + 'witness_device = "gpio-1"', "on.witness_device: nothing is asked of it"),
        (GOAL + 'within_ms = 500\nwitness = "horn"\ndevices = ["a", "b"]', "on.witness: the cue waits for two devices already"),
        (GOAL + 'witness = "horn"\nwithin_ms = 5000', "must be more than 6500"),
        (RICH_SPOT.replace("Stockholm", "Stokholm"), "'Europe/Stokholm' is not an IANA time zone"),
        (RICH_SPOT.replace("06:00-10:00", "6-10"), "when.dayparts.0: '6-10' is not a daypart; write one such as '06:00-10:00'"),
        (RICH_SPOT.replace("06:00-10:00", "06:00-06:00"), "begins and ends at the same time"),
        (RICH_SPOT.replace('day_begins = "06:00"', 'day_begins = "24:00"'), "when.day_begins: '24:00' is not a time of day"),
        (RICH_GOAL.replace('"equaliser"', '"equalizer"'), "on.score_states.0"),
        (
            RICH_GOAL.replace("No goal for {side}.", "No goal: {clock}"),
            "corrections[1]: {clock} is not a field here; known are home",
        ),
        (RICH_GOAL.replace('corrections = ["No goal for {side}."]', ""), "corrections: missing"),
        (RICH_GOAL.replace('"correct"', '"leave"'), 'never posted with taken_back = "leave"'),
        (GOAL.replace("({period})", "\\n $ABC $DEF"), "variants[1]: holds the cashtags $ABC, $DEF; X allows 1"),
        ("", "no [[cue]]"),
        ("[[cue]\n", "not TOML"),
        ("[engine]\n", "engine: unknown key"),
    ],
)
def test_mistakes_are_named(text: str, words: str) -> None:
    """File, cue and key stand in one sentence."""
    with pytest.raises(CueError) as caught:
        parse(text)
    assert str(caught.value).startswith("cues.toml: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("catalogue", "words"),
    [
        (Catalogue(accounts=frozenset({"bank"})), "account: 'coffee' is not configured; known are bank"),
        (Catalogue(channels=frozenset()), "on.channel: 'nord' is not configured; known are none"),
        (Catalogue(spots=frozenset({"other"})), "on.spots: 'kaffee-30'"),
        (Catalogue(rules=TweetRules(banned_words=("ONE",))), r"variants\[1\]: holds the banned word 'ONE'; take it out"),
    ],
)
def test_references_are_checked(catalogue: Catalogue, words: str) -> None:
    """What a cue refers to must be configured, where that is known."""
    with pytest.raises(CueError, match=words):
        parse(SPOT, catalogue)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file and one that is not UTF-8 are named."""
    with pytest.raises(CueError, match="cannot be read"):
        read_cues(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    with pytest.raises(CueError, match="UTF-8"):
        read_cues(tmp_path / "latin.toml")


def test_weight_counts_the_names_that_are_known() -> None:
    """A text that fits with the real names is right; without them the longest names count."""
    long = GOAL.replace("({period})", "x" * 80)
    with pytest.raises(CueError, match="weighs up to"):
        parse(long)
    (cue,) = parse(long, Catalogue(sides={"final": ("North", "South")}))
    assert cue_fault(cue, Catalogue()) != ""


def test_configuration_sets_how_many_approve() -> None:
    """A file that says nothing asks for as many as the configuration; fewer are refused, more are kept."""
    catalogue = Catalogue(approvers_min=2)
    assert parse(SPOT, catalogue)[0].approvers == 2
    with pytest.raises(CueError, match=r"approvers: 1, but \[approval\] approvers asks for 2; raise it"):
        parse(SPOT.replace('["one"]', '["one"]\napprovers = 1'), catalogue)


def test_minute_needs_a_clock_that_counts_up() -> None:
    """Where the clock counts down, the minute would be wrong: it is refused, and the way out is named."""
    text = GOAL.replace("{clock}", "{minute}'")
    assert parse(text, Catalogue(counting_up=frozenset({"final"})))
    with pytest.raises(CueError, match=r"counts down and tells no minute; use \{clock\}"):
        parse(text, Catalogue(counting_up=frozenset()))


def test_what_an_approver_should_know() -> None:
    """A link costs more, and a disclosure without the mark of X is told; neither stops anything."""
    rules = TweetRules(disclosures=("#ad",))
    (cue,) = parse(SPOT.replace('"one"', '"one at shop.example.com", "two #ad", "three"'), Catalogue(rules=rules))
    assert cue_warnings(cue, Catalogue(rules=rules)) == (
        "variants[1]: holds a link: each post costs $0.200 instead of $0.015",
        "variants[2]: says #ad, but the cue is not marked; set paid_partnership = true",
    )


def test_conditions_are_read() -> None:
    """Every key of a rich cue arrives where it is meant."""
    (spot,), (goal,) = parse(RICH_SPOT), parse(RICH_GOAL)
    assert spot.on == SpotCondition(kind="spot", spots=("kaffee-30",), channel="nord", first_in_day=True)
    assert spot.when == When(timezone="Europe/Stockholm", day_begins="06:00", dayparts=("06:00-10:00", "22:00-02:00"))
    assert (spot.campaign, spot.priority, spot.approvers, spot.duplicate_window_h, spot.paid_partnership) == (
        "spring",
        5,
        2,
        48,
        True,
    )
    assert goal.on == GoalCondition(
        kind="goal",
        fixture="final",
        side="any",
        score_states=("equaliser", "goes_ahead"),
        goals=(1, 3),
        periods=("2", "3"),
        players=("Nyholm",),
    )
    assert (goal.taken_back, goal.corrections, goal.confirm_ms) == ("correct", ("No goal for {side}.",), 2000)


def test_references_of_sources_are_checked() -> None:
    """A witness's device and a tally must be configured, where that is known."""
    catalogue = Catalogue(devices=frozenset({"oes-1"}), tallies=frozenset({"pgm"}))
    for text, words in (
        (
            GOAL + 'within_ms = 500\nwitness = "horn"\nwitness_device = "gpio-1"',
            "on.witness_device: 'gpio-1' is not configured; known are oes-1",
        ),
        (SPOT.replace('["one"]', '["one"]\non_air = "cam"'), "on_air: 'cam' is not configured; known are pgm"),
    ):
        with pytest.raises(CueError, match=words):
            parse(text, catalogue)


def test_who_may_tell_of_a_spot_is_approved_with_the_cue() -> None:
    """Another teller makes another cue; one that says nothing of it has the hash it always had."""
    (plain,), (marked,) = parse(SPOT), parse(SPOT.replace('"nord"', '"nord"\nby = "marker"'))

    assert plain.sha256() != marked.sha256()
    assert plain.sha256() == parse(SPOT.replace('"nord"', '"nord"\nby = "sound"'))[0].sha256()
    assert '"by"' not in plain.canonical_json()
