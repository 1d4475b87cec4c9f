"""A recording becomes a spot, or is refused with a reason."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprints.adding import add_spot, forget_particulars
from fingerprints.errors import FingerprintsError, SpotError
from fingerprints.particulars import Particulars, dump_particulars, parse_particulars, particulars_file, read_particulars
from fingerprints.validation import Advice, Sound, warnings_of

Pcm = npt.NDArray[np.float32]
Music = Callable[[int, float], Pcm]
WriteWav = Callable[[Path, Pcm], Path]


def test_what_is_said_of_a_spot_stands_beside_it(music: Music, write_wav: WriteWav, tmp_path: Path) -> None:
    """Identifiers, campaign, version and loudness, readable and read again."""
    source, folder = write_wav(tmp_path / "kaffee.wav", music(1, 4.0)), tmp_path / "spots"
    added = add_spot(folder, source, identifiers={"isci": "abcd1234"}, campaign="Winter", version="short")

    assert added.spot is not None
    assert read_particulars(folder, "kaffee") == added.particulars
    assert json.loads((folder / "kaffee.spot.json").read_text())["identifiers"] == {"isci": "ABCD1234"}
    assert added.particulars.loudness_lufs == pytest.approx(added.loudness.integrated_lufs, abs=0.06)
    forget_particulars(folder, "kaffee")
    assert read_particulars(folder, "kaffee") == Particulars()


def test_adding_the_same_file_again_changes_nothing_but_what_is_said(music: Music, write_wav: WriteWav, tmp_path: Path) -> None:
    """Idempotent by content; new particulars are taken, old ones stay."""
    source, folder = write_wav(tmp_path / "a.wav", music(2, 4.0)), tmp_path / "spots"
    add_spot(folder, source, campaign="Winter")
    before = (folder / "a.wav").stat()
    again = add_spot(folder, source, identifiers={"ad_id": "ABCD1234000H"})

    assert again.spot is None
    assert again.warnings[0].about is Advice.DUPLICATE
    assert again.particulars.campaign == "Winter"
    assert again.particulars.identifiers == {"ad_id": "ABCD1234000H"}
    assert (folder / "a.wav").stat().st_mtime_ns == before.st_mtime_ns


def test_one_recording_cannot_be_two_spots(music: Music, write_wav: WriteWav, tmp_path: Path) -> None:
    """Another name for the same bytes is refused, and so is another recording under the same identifier."""
    folder = tmp_path / "spots"
    add_spot(folder, write_wav(tmp_path / "a.wav", music(3, 4.0)), identifiers={"isci": "ABCD1234"})
    with pytest.raises(SpotError, match="the same recording is there as 'a'"):
        add_spot(folder, tmp_path / "a.wav", spot_id="b")
    with pytest.raises(SpotError, match="ABCD1234 is that of a already"):
        add_spot(folder, write_wav(tmp_path / "c.wav", music(4, 4.0)), identifiers={"isci": "ABCD1234"})
    with pytest.raises(SpotError, match="the id 'a' is taken"):
        add_spot(folder, tmp_path / "c.wav", spot_id="a")

    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == ["a.spot.json", "a.wav"]


def test_what_is_odd_is_said_and_does_not_refuse(music: Music, write_wav: WriteWav, tmp_path: Path) -> None:
    """Too loud, clipped, and not as long as its clock number says."""
    source = write_wav(tmp_path / "loud.wav", 40 * music(5, 4.0))
    added = add_spot(tmp_path / "spots", source, identifiers={"clock_number": "DIR/CORP001/030"})

    assert [warning.about for warning in added.warnings] == [Advice.LOUDNESS, Advice.CLIPPING, Advice.LENGTH]
    assert "says 30 s" in added.warnings[2].message


def test_an_inverted_channel_is_said(music: Music) -> None:
    """A file that is nothing in mono."""
    pcm = music(7, 4.0).astype(np.float64)
    sounds = [Sound(channels=np.stack([pcm, sign * pcm]), rate_hz=16_000) for sign in (1, -1)]
    said = [[one.about for one in warnings_of(sound, identifiers={})[1]] for sound in sounds]

    assert [Advice.POLARITY in one for one in said] == [False, True]


def test_a_recording_at_its_right_loudness_is_not_talked_about(music: Music, write_wav: WriteWav, tmp_path: Path) -> None:
    """-23 LUFS, unclipped, as long as it says: no warning."""
    pcm = music(6, 5.0)
    first = add_spot(tmp_path / "one", write_wav(tmp_path / "x.wav", pcm))
    gain = 10 ** ((-23.0 - first.loudness.integrated_lufs) / 20)
    source = write_wav(tmp_path / "y.wav", (gain * pcm).astype(np.float32))

    assert add_spot(tmp_path / "two", source, identifiers={"clock_number": "DIR/CORP001/005"}).warnings == ()


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("short.wav", lambda music: music(7, 0.6), "0.6 s audible; a spot needs at least 2 s"),
        ("silent.wav", lambda _music: np.zeros(64_000, np.float32), "nothing audible"),
        ("hum.wav", lambda _music: 0.1 * np.sin(np.arange(160_000) * 0.1, dtype=np.float32), "a tone, a hum"),
    ],
)
def test_what_cannot_be_heard_is_refused(
    *, name: str, make: Callable[[Music], Pcm], says: str, music: Music, write_wav: WriteWav, tmp_path: Path
) -> None:
    """One sentence with the file's name, and nothing left behind."""
    with pytest.raises(FingerprintsError, match=says):
        add_spot(tmp_path / "spots", write_wav(tmp_path / name, make(music)))

    assert not list((tmp_path / "spots").glob("[!.]*"))


def test_what_is_not_audio_is_refused(tmp_path: Path) -> None:
    """Text named as a recording, and a file that is not there."""
    (tmp_path / "x.wav").write_text("no sound at all")
    with pytest.raises(FingerprintsError, match=r"x\.wav: not readable as audio"):
        add_spot(tmp_path / "spots", tmp_path / "x.wav")
    with pytest.raises(FingerprintsError, match="nothing"):
        add_spot(tmp_path / "spots", tmp_path / "nothing.wav")


@given(st.binary(max_size=200) | st.recursive(st.none() | st.text(max_size=5), st.lists).map(lambda x: json.dumps(x).encode()))
@settings(max_examples=100)
def test_any_bytes_as_particulars_are_refused_in_a_sentence(data: bytes) -> None:
    """No other error than ours comes out."""
    with pytest.raises(SpotError, match="x: "):
        parse_particulars(data, name="x")


@pytest.mark.parametrize(
    "fields",
    [
        {"identifiers": []},
        {"identifiers": {"isci": 5}},
        {"identifiers": {"isci": "wrong"}},
        {"campaign": 1},
        {"version": "a\nb"},
        {"loudness_lufs": "loud"},
        {"loudness_lufs": True},
        {"cmapaign": "x"},
    ],
)
def test_each_wrong_particular_is_named(fields: dict[str, object]) -> None:
    """A hand-edited file says what is wrong with it."""
    with pytest.raises(SpotError, match=r"k\.spot\.json: "):
        parse_particulars(json.dumps(fields).encode(), name="k.spot.json")


def test_particulars_survive_the_file(tmp_path: Path) -> None:
    """What is written is what is read."""
    said = Particulars(identifiers={"isci": "ABCD1234"}, campaign="Wintër", version="30", loudness_lufs=-23.1)
    particulars_file(tmp_path, "x").write_bytes(dump_particulars(said))

    assert read_particulars(tmp_path, "x") == said
