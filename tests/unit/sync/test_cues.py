"""Cues: what a file may say, and what an approval covers."""

import dataclasses
from pathlib import Path

import pytest

from sync.cues import Catalogue, Cue, approve, cue_from_json, field_fault, fill, parse_cues, read_cues, text_fault
from sync.errors import ApprovalError, CueError

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


def parse(text: str, catalogue: Catalogue | None = None) -> tuple[Cue, ...]:
    return parse_cues(text.encode(), source="cues.toml", catalogue=catalogue or Catalogue())


def test_examples_are_right() -> None:
    """The demonstration's cues and the one in the documentation can be imported."""
    root = Path(__file__).parents[3]
    catalogue = Catalogue(sides={"final": ("Eisbären Nord", "HC Süd")})
    assert len(read_cues(root / "examples" / "cues.toml", catalogue)) >= 3
    documented = (root / "docs" / "cues.md").read_text().split("```toml")[1].split("```")[0]
    assert parse(documented.replace("# or\n[cue.on]", "[unused]").split("[unused]")[0])


def test_canonical_json_round_trips() -> None:
    """A cue read back from the ledger is the same cue with the same hash."""
    for cue in parse(SPOT + GOAL):
        assert cue_from_json(cue.canonical_json()) == cue
        assert cue_from_json(cue.canonical_json()).sha256() == cue.sha256()


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Cue)])
def test_any_change_makes_another_hash(name: str) -> None:
    """There is no field of a cue that could change behind an approval."""
    (cue,) = parse(SPOT)
    changes: dict[str, object] = {
        "deadline_ms": 1234,
        "audience_delay_ms": 5,
        "taken_back": "delete",
        "variants": ("one", "two"),
        "caps": dataclasses.replace(cue.caps, per_day=7),
        "on": parse(GOAL)[0].on,
    }
    changed = dataclasses.replace(cue, **{name: changes.get(name, "other")})  # type: ignore[arg-type]  # any field
    assert changed.sha256() != cue.sha256()


@pytest.mark.parametrize("name", ["sponsor", " Sponsor ", "ＳＰＯＮＳＯＲ", "", "  "])
def test_author_cannot_approve(name: str) -> None:
    """Neither does another spelling of the same name, nor nobody."""
    with pytest.raises(ApprovalError):
        approve(parse(SPOT)[0], approved_by=name)


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
    assert text_fault(cue, Catalogue()) != ""


def test_fill_does_not_fill_twice() -> None:
    """A name that looks like a field stays as it is."""
    assert fill("{home} {clock}", {"home": "{clock}", "clock": "1:00"}) == "{clock} 1:00"


@pytest.mark.parametrize("fields", [{"clock": "12:34:56"}, {"period": "@you"}, {"clock": "t.c/x"}, {"home_score": "1888"}])
def test_scoreboard_cannot_put_words_into_a_tweet(fields: dict[str, str]) -> None:
    """Too long, or holding what could be a mention or a link: the text is not posted."""
    assert field_fault(fields)
    assert not field_fault({"clock": "12:34", "period": "OT", "home_score": "3"})
