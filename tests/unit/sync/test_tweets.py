"""The texts of cues: what fills them, what may not stand in them, and the bytes that leave."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.tweets import (
    SCOREBOARD_FIELDS,
    WEIGHTED_LENGTH_MAX,
    TweetRules,
    braces_fault,
    field_fault,
    fill,
    fillable,
    minute_of,
    request_body,
    text_fault,
)

RULES = TweetRules(banned_words=("casino", "win now"), mentions=frozenset({"Nordkaffee"}), disclosures=("#ad", "Anzeige"))


def fault(text: str, *, paid: bool = False) -> str:
    return text_fault(text, {}, RULES, paid_partnership=paid)


def test_fill_does_not_fill_twice() -> None:
    """A name that looks like a field stays as it is."""
    assert fill("{home} {clock}", {"home": "{clock}", "clock": "1:00"}) == "{clock} 1:00"


def test_a_field_without_a_value_takes_its_text_out() -> None:
    """No tweet says 'after  minutes': a text whose field is blank is left out, and doubles count once."""
    fields = {"home": "N", "clock": ""}
    assert fillable(("{home}!", "{clock}: goal", "N!", "goal"), fields) == ("N!", "goal")


@pytest.mark.parametrize(
    ("clock", "minute"), [("00:00", "1"), ("22:10", "23"), ("90:59", "91"), ("12.3", ""), ("", ""), ("x", "")]
)
def test_the_minute_that_runs(clock: str, minute: str) -> None:
    """A goal at 22:10 falls in the 23rd minute; a clock that shows no minutes gives none."""
    assert minute_of(clock) == minute


@pytest.mark.parametrize("fields", [{"clock": "12:34:56"}, {"period": "@you"}, {"clock": "t.c/x"}, {"home_score": "1888"}])
def test_scoreboard_cannot_put_words_into_a_tweet(fields: dict[str, str]) -> None:
    """Too long, or holding what could be a mention or a link: the text is not posted."""
    assert field_fault(fields)
    assert not field_fault({"clock": "12:34", "period": "OT", "home_score": "3"})


@given(st.dictionaries(st.sampled_from(sorted(SCOREBOARD_FIELDS)), st.text(max_size=8)))
def test_what_passes_is_never_longer_than_what_was_checked(fields: dict[str, str]) -> None:
    """Whatever a device sends: values that may stand in a tweet are as short as those weighed, and plain letters."""
    if not field_fault(fields):
        assert all(len(value) <= len(SCOREBOARD_FIELDS[name]) for name, value in fields.items())
        assert not set("".join(fields.values())) & set("@#$/_{}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("   ", "blank"),
        ("x" * (WEIGHTED_LENGTH_MAX + 1), "weighs up to 281"),
        ("語" * 141, "weighs up to 282"),
        ("a\x07b", "cannot be posted"),
        ("buy $ABC and $def", "cashtags $ABC, $def"),
        ("thanks @stranger", "names @stranger"),
        ("thanks ＠stranger", "names @stranger"),
        ("at the CASINO!", "banned word 'casino'"),
        ("at the ca\u00adsino", "banned word 'casino'"),
        ("Win\n now", "banned word 'win now'"),
        ("ｃａｓｉｎｏ", "banned word 'casino'"),
    ],
)
def test_what_may_not_stand_in_a_tweet(text: str, words: str) -> None:
    """Each rule is told by its words."""
    assert words in fault(text)


@pytest.mark.parametrize(
    "text",
    [
        "x" * WEIGHTED_LENGTH_MAX,
        "one $ABC",
        "for $5 or $10",
        "by @nordkaffee",
        "mail a@b.example",
        "casinos and twin now",
        "two\nlines",
    ],
)
def test_what_may(text: str) -> None:
    """Nothing is said against what only looks alike."""
    assert fault(text) == ""


def test_a_paid_partnership_says_so() -> None:
    """One of the disclosures must stand there, as a word."""
    assert "add #ad or Anzeige" in fault("great coffee", paid=True)
    assert "add #ad or Anzeige" in fault("great coffee #adventure", paid=True)
    assert fault("great coffee #AD", paid=True) == fault("anzeige: great coffee", paid=True) == ""


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        ("{home", "partner"),
        ("a}", "partner"),
        ("{hme}", "{hme} is not a field here; known are home"),
        ("{home!r}", "not a field"),
    ],
)
def test_braces(variant: str, words: str) -> None:
    """Only the fields of the closed set, in whole braces."""
    assert words in braces_fault(variant, ("home",))
    assert braces_fault("{home} is home", ("home",)) == ""


@given(st.text(max_size=300), st.booleans())
def test_the_body_says_the_text_and_nothing_else(text: str, paid: bool) -> None:
    """What is posted reads back as the approved text; the mark stands there when it was approved."""
    wanted: dict[str, object] = {"text": text, "paid_partnership": True} if paid else {"text": text}
    assert json.loads(request_body(text, paid_partnership=paid)) == wanted
