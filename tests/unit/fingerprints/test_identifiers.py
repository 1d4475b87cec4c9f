"""Identifiers by their grammar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprints.errors import SpotError
from fingerprints.identifiers import KEYS, SCHEMES, checked, form_of, near_miss, seconds_in


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("ad_id", "ABCD1234000"),
        ("ad_id", "abcd1234000h"),
        ("ad_id", "1BCD1234000D"),
        ("isci", "ABCD1234"),
        ("clock_number", " dir/corp001/030 "),
        ("pub_id", "FR_ABCD_EFGH_IJKL_0001_030_F"),
        ("id_crea", "AV-AGEN123456-0025"),
    ],
)
def test_good_ones_are_kept_in_capitals(key: str, text: str) -> None:
    """Blanks around and small letters are forgiven."""
    assert checked({key: text}) == {key: text.strip().upper()}


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("ad_id", "0BCD1234000"),
        ("ad_id", "ABCD123400"),
        ("ad_id", "ABCD1234000X"),
        ("isci", "ABC12345"),
        ("isci", "ABCD12345"),
        ("clock_number", "DIR/CORP001/30"),
        ("clock_number", "DIR-CORP001-030"),
        ("pub_id", "FR_ABCD_EFGH_IJKL_0001_030"),
        ("id_crea", "AV-AGEN12345-0025"),
        ("id_crea", "AV-AGEN123456-25"),
        ("isci", "ABCD1234\n5"),
    ],
)
def test_bad_ones_are_named_with_their_form(key: str, text: str) -> None:
    """The sentence shows what was given, and an example of the right form."""
    scheme = next(one for one in SCHEMES if one.key == key)
    with pytest.raises(SpotError) as caught:
        checked({key: text})

    assert scheme.name in str(caught.value)
    assert scheme.example in str(caught.value)


def test_every_example_is_in_its_form() -> None:
    """What a message recommends is accepted."""
    for scheme in SCHEMES:
        assert checked({scheme.key: scheme.example}) == {scheme.key: scheme.example}


def test_empty_ones_are_left_out_and_unknown_kinds_refused() -> None:
    """An option that was not given is no identifier."""
    assert checked(dict.fromkeys(KEYS, "")) == {}
    with pytest.raises(SpotError, match="'isan'"):
        checked({"isan": "x"})


def test_lengths_are_read_where_an_identifier_holds_one() -> None:
    """Clock number, PubID and IDcrea say how long the spot is."""
    held = checked({scheme.key: scheme.example for scheme in SCHEMES})

    assert seconds_in(held) == {"clock_number": 30, "pub_id": 30, "id_crea": 25}


@given(st.sampled_from(KEYS), st.text(max_size=40))
def test_any_text_is_taken_or_refused_in_a_sentence(key: str, text: str) -> None:
    """No other error than ours comes out."""
    try:
        held = checked({key: text})
    except SpotError:
        return
    assert all(value == value.strip().upper() for value in held.values())


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("abcd1234", "an ISCI"),
        ("ABCD1234000H", "an Ad-ID"),
        ("DIR/CORP001/030", "a UK clock number"),
        ("FR_ABCD_EFGH_IJKL_0001_030_F", "a PubID"),
        ("AV-AGEN123456-0025", "an IDcrea"),
        ("kaffee-30", ""),
        ("", ""),
    ],
)
def test_the_form_of_a_text_is_named(text: str, form: str) -> None:
    """For a plan's spot that nobody knows."""
    assert form_of(text) == form


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("DIR/CORP01/30", "UK clock number"),
        ("FR_ABCD_EFGH", "PubID"),
        ("AV-AGEN12345-25", "IDcrea"),
        ("kaffee-30", ""),
        ("ABCD1234", ""),
    ],
)
def test_a_near_miss_says_what_it_misses(text: str, kind: str) -> None:
    """Only kinds with marks of their own can be told from an ordinary name."""
    assert (f"it is no {kind}, which must be" in near_miss(text)) if kind else not near_miss(text)
