"""The folder of spots: what loads, what is named as a problem, what is cached."""

import dataclasses
import os
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints import library as library_module
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.errors import FingerprintsError, SpotError
from fingerprints.library import SpotLibrary, add_recording, remove_recording

Pcm = npt.NDArray[np.float32]
Music = Callable[[int, float], Pcm]
WriteWav = Callable[[Path, Pcm], Path]


def test_bad_recordings_are_named_and_stop_nothing(tmp_path: Path, music: Music, write_wav: WriteWav) -> None:
    """Each file that is no spot gets one sentence beginning with its name; the rest load."""
    write_wav(tmp_path / "good.wav", music(1, 3.0))
    write_wav(tmp_path / "short.wav", music(2, 0.5))
    write_wav(tmp_path / "silent.wav", np.zeros(48_000, np.float32))
    tone = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(64_000) / 16_000)
    write_wav(tmp_path / "tone.wav", tone.astype(np.float32))
    (tmp_path / "broken.mp3").write_bytes(b"not audio at all")
    (tmp_path / "notes.txt").write_text("not meant as a spot")
    seen: list[tuple[int, int, str]] = []
    library = SpotLibrary.open(tmp_path, progress=lambda done, total, name: seen.append((done, total, name)))

    assert [spot.id for spot in library.spots] == ["good"]
    assert [problem.name for problem in library.problems] == ["broken.mp3", "short.wav", "silent.wav", "tone.wav"]
    assert all(problem.name in problem.message for problem in library.problems)
    assert "0.5 s audible; a spot needs at least 2 s" in library.problems[1].message
    assert seen[0] == (0, 5, "broken.mp3")
    assert seen[-1] == (5, 5, "")


def test_several_processes_make_the_same_library(
    tmp_path: Path, music: Music, write_wav: WriteWav, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prints made by others are found; what is no spot is told all the same, and files added one by one change nothing."""
    monkeypatch.setattr("fingerprints.library.MANY_NEW", 3)
    head = music(200, 2.5)
    sounds = {
        "a": head,
        "b": np.concatenate([head, music(201, 1.0)]),
        "c": np.concatenate([music(202, 1.5), head]),
        "d": head[:800],
    }
    for folder in ("together", "alone", "one by one"):
        (tmp_path / folder).mkdir()
    for name, pcm in sounds.items():
        for folder in ("together", "alone", "one by one"):
            write_wav(tmp_path / folder / f"{name}.wav", pcm)
        SpotLibrary.open(tmp_path / "one by one")
    together = SpotLibrary.open(tmp_path / "together", jobs=2)
    alone, grown = SpotLibrary.open(tmp_path / "alone"), SpotLibrary.open(tmp_path / "one by one")

    for library in (together, grown):
        assert [spot.id for spot in library.spots] == ["a", "b", "c"]
        assert [problem.name for problem in library.problems] == ["d.wav"]
        assert [np.array_equal(library.heads.of(spot), alone.heads.of(spot)) for spot in range(3)] == [True] * 3
        assert {(echo.host_id, echo.guest_id, echo.offset) for echo in library.echoes} >= {("a", "b", 0), ("b", "a", 0)}
    assert together.echoes == alone.echoes


def test_two_files_of_one_id_are_a_problem(tmp_path: Path, music: Music, write_wav: WriteWav) -> None:
    """The id is the name without suffix, so a.aiff beside a.wav needs a decision by a person."""
    write_wav(tmp_path / "a.wav", music(1, 3.0))
    (tmp_path / "a.w64").write_bytes((tmp_path / "a.wav").read_bytes())
    library = SpotLibrary.open(tmp_path)

    assert len(library.spots) == 1
    assert "the id 'a' is taken by" in library.problems[0].message


def test_prints_are_made_once(tmp_path: Path, music: Music, write_wav: WriteWav, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second opening reads no recording, and finds the same prints."""
    write_wav(tmp_path / "a.wav", music(1, 3.0))
    first = SpotLibrary.open(tmp_path)
    monkeypatch.delattr(library_module, "read_recording")
    second = SpotLibrary.open(tmp_path)

    assert np.array_equal(first.spots[0].print.words, second.spots[0].print.words)


def test_a_recording_with_an_inverted_channel_has_the_print_of_a_right_one(tmp_path: Path, music: Music) -> None:
    """It is judged whole, and mixed right from its first sample."""
    middle, side = music(1, 3.0), 0.4 * music(2, 3.0)
    left, right = np.clip(middle + side, -1, 1), np.clip(middle - side, -1, 1)
    for name, sign in (("right", 1), ("wrong", -1)):
        with wave.open(str(tmp_path / f"{name}.wav"), "wb") as file:
            file.setparams((2, 2, SAMPLE_RATE_HZ, 0, "NONE", ""))
            file.writeframes((np.stack([left, sign * right], axis=1) * 32_767).astype("<i2").tobytes())
    prints = [spot.print.table for spot in SpotLibrary.open(tmp_path).spots]

    assert np.array_equal(prints[0], prints[1])


def test_a_damaged_print_is_made_anew(tmp_path: Path, music: Music, write_wav: WriteWav) -> None:
    """The cache may be lost or broken at any time."""
    write_wav(tmp_path / "a.wav", music(1, 3.0))
    SpotLibrary.open(tmp_path)
    (cached,) = (tmp_path / ".prints").glob("*.print")
    whole = cached.read_bytes()
    cached.write_bytes(whole[: len(whole) // 2])

    (spot,) = SpotLibrary.open(tmp_path).spots
    assert len(spot.print.table) == spot.print.rows
    assert cached.read_bytes() == whole


def test_a_changed_recording_gets_a_new_print(tmp_path: Path, music: Music, write_wav: WriteWav) -> None:
    """Prints belong to contents, not to names."""
    write_wav(tmp_path / "a.wav", music(1, 3.0))
    old = SpotLibrary.open(tmp_path).spots[0].print
    write_wav(tmp_path / "a.wav", music(2, 3.0))

    assert not np.array_equal(SpotLibrary.open(tmp_path).spots[0].print.words, old.words)


def test_a_folder_that_cannot_keep_prints_works_without(tmp_path: Path, music: Music, write_wav: WriteWav) -> None:
    """A file in the place of the cache folder is as good as a read-only disk, also for root."""
    write_wav(tmp_path / "a.wav", music(1, 3.0))
    (tmp_path / ".prints").write_text("in the way")

    assert len(SpotLibrary.open(tmp_path).spots) == 1


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    """The message names the folder and what to do."""
    with pytest.raises(FingerprintsError, match="nowhere: there is no such folder; make it"):
        SpotLibrary.open(tmp_path / "nowhere")


def test_compressed_references_are_read(tmp_path: Path, music: Music, write_wav: WriteWav) -> None:
    """What production houses send: FLAC, MP3, Opus, AAC in M4A."""
    source = write_wav(tmp_path / "source.wav", music(3, 3.0))
    folder = tmp_path / "spots"
    folder.mkdir()
    for name in ("a.flac", "b.mp3", "c.opus", "d.m4a"):
        subprocess.run(["ffmpeg", "-v", "error", "-i", source, folder / name], check=True)
    library = SpotLibrary.open(folder)

    assert [spot.id for spot in library.spots] == ["a", "b", "c", "d"]
    assert library.groups == (("a", "b", "c", "d"),)


def test_adding_copies_and_removing_deletes(tmp_path: Path, music: Music, write_wav: WriteWav) -> None:
    """The original stays; the folder gains and loses one recording."""
    source, folder = write_wav(tmp_path / "Kaffee.WAV", music(1, 3.0)), tmp_path / "spots"
    spot = add_recording(folder, source, spot_id="kaffee-30")

    assert spot.path == folder / "kaffee-30.wav"
    assert [each.id for each in SpotLibrary.open(folder).spots] == ["kaffee-30"]
    assert remove_recording(folder, "kaffee-30").name == "kaffee-30.wav"
    assert os.listdir(folder) == [".prints"]
    assert list((folder / ".prints").glob("*.print")) == []
    assert source.exists()


def test_what_cannot_be_added_is_refused_with_its_fix(tmp_path: Path, music: Music, write_wav: WriteWav) -> None:
    """A taken id, an id that is a path, another kind of file, a spot too short: nothing is copied."""
    folder, good = tmp_path / "spots", write_wav(tmp_path / "good.wav", music(1, 3.0))
    add_recording(folder, good)
    with pytest.raises(SpotError, match=r"the id 'good' is taken by good\.wav; choose another with --id"):
        add_recording(folder, good)
    with pytest.raises(SpotError, match="not a spot id"):
        add_recording(folder, good, spot_id="../good")
    with pytest.raises(SpotError, match=r"\.txt is no audio file"):
        add_recording(folder, tmp_path / "good.txt")
    with pytest.raises(SpotError, match="a spot needs at least 2 s"):
        add_recording(folder, write_wav(tmp_path / "short.wav", music(2, 1.0)))
    with pytest.raises(SpotError, match=r"gone\.wav: it cannot be read"):
        add_recording(folder, tmp_path / "gone.wav")
    with pytest.raises(SpotError, match=r"nobody: no such spot in .*; there are good"):
        remove_recording(folder, "nobody")

    assert sorted(os.listdir(folder)) == [".prints", "good.wav"]


def _same(one: SpotLibrary, other: SpotLibrary) -> bool:
    arrays = all(
        np.array_equal(getattr(one.heads, each.name), getattr(other.heads, each.name)) for each in dataclasses.fields(one.heads)
    )
    prints = all(np.array_equal(a.print.table, b.print.table) for a, b in zip(one.spots, other.spots, strict=True))
    return arrays and prints and (one.echoes, one.groups) == (other.echoes, other.groups)


def test_a_library_grown_bit_by_bit_is_the_one_made_at_once(tmp_path: Path, music: Music, write_wav: WriteWav) -> None:
    """Added, replaced and removed recordings leave no trace: heads, echoes and groups are those of a fresh folder."""
    grown, fresh = tmp_path / "grown", tmp_path / "fresh"
    grown.mkdir()
    fresh.mkdir()
    head = music(11, 2.5)
    sounds = {"b": np.concatenate([head, music(12, 1.0)]), "a": music(13, 3.0), "c": np.concatenate([head, music(14, 2.0)])}
    for name, pcm in {**sounds, "gone": music(15, 3.0)}.items():
        write_wav(grown / f"{name}.wav", pcm)
        SpotLibrary.open(grown)
    write_wav(grown / "a.wav", music(16, 3.5))
    (grown / "gone.wav").unlink()
    for name, pcm in {**sounds, "a": music(16, 3.5)}.items():
        write_wav(fresh / f"{name}.wav", pcm)

    library = SpotLibrary.open(grown)
    assert library.groups == (("b", "c"),)
    assert _same(library, SpotLibrary.open(fresh))
    assert _same(library, SpotLibrary.open(grown))
    assert _same(library, SpotLibrary.of(library.spots))


def test_heads_are_mapped_from_the_file(tmp_path: Path, music: Music, write_wav: WriteWav) -> None:
    """What a listener compares with is the file's own memory, so listeners share it; nothing is copied."""
    write_wav(tmp_path / "a.wav", music(1, 3.0))
    SpotLibrary.open(tmp_path)
    rows: object = SpotLibrary.open(tmp_path).heads.rows
    while isinstance(rows, np.ndarray) and not isinstance(rows, np.memmap):
        rows = rows.base

    assert isinstance(rows, np.memmap)


def test_a_damaged_library_file_is_made_anew(tmp_path: Path, music: Music, write_wav: WriteWav) -> None:
    """It may be lost or broken at any time; the recordings are the truth."""
    write_wav(tmp_path / "a.wav", music(1, 3.0))
    first = SpotLibrary.open(tmp_path)
    file = tmp_path / ".prints" / "library"
    whole = file.read_bytes()
    file.unlink()  # never written in place: who has it mapped keeps the old one
    file.write_bytes(whole[:-100])

    assert _same(SpotLibrary.open(tmp_path), first)
    assert file.read_bytes() == whole


def test_a_print_that_is_gone_is_followed_by_its_head(tmp_path: Path, music: Music, write_wav: WriteWav) -> None:
    """A recording removed while its spot is on air: what the library file knows is kept, the rest tells nothing."""
    write_wav(tmp_path / "a.wav", music(1, 6.0))
    first = SpotLibrary.open(tmp_path).spots[0].print.table
    library = SpotLibrary.open(tmp_path)
    remove_recording(tmp_path, "a")
    table = library.spots[0].print.table

    assert np.array_equal(table[:500], first[:500])
    assert not table[500:].any()
