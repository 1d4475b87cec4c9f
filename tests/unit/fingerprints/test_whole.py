"""The index over whole spots: rows, memory, bounded work."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprints import whole
from fingerprints.errors import PrintFileError
from fingerprints.features import pack_bits
from fingerprints.library import SpotLibrary
from fingerprints.rates import AS_DELIVERED, Rate
from fingerprints.whole_file import FILE_NAME, KeptRows, dump_rows, load_rows, open_index

Pcm = npt.NDArray[np.float32]
Music = Callable[[int, float], Pcm]


def test_thirty_seconds_take_less_than_twelve_kilobytes(music: Music) -> None:
    """The promise of memory, the fixed table of keys left out."""
    rows = whole.rows_of(music(1, 30.0))
    index = whole.WholeIndex([whole.WholePrint(spot_id="spot", rows=rows, length_samples=480_000)])

    assert 30 * index.bytes_a_second <= 12_000


def test_rows_of_a_stream_are_those_of_the_whole(music: Music) -> None:
    """Bits depend on the samples, not on how they were delivered."""
    pcm = music(2, 3.0)
    stream = whole.RowStream()
    parts = [stream.feed(part)[0] for part in np.split(pcm, [1, 4000, 9000, 9001, 30_000])]

    assert np.array_equal(np.concatenate(parts), pack_bits(whole.contrasts_of(pcm, floor=whole.HEARD_FLOOR) > 0))


def test_a_feed_forty_decibels_quieter_says_the_same(music: Music) -> None:
    """What is strong in the recording is still there when it comes rounded to 16 bits at a hundredth of its level."""
    pcm = np.float32(0.3) * music(2, 6.0)
    quiet = (np.round(pcm * 327.68) / 32768).astype(np.float32)
    signs, _ = whole.RowStream().feed(quiet)
    rows = whole.rows_of(pcm)
    flips = np.bitwise_count((signs ^ rows[:, 0]) & rows[:, 1]).sum() / np.bitwise_count(rows[:, 1]).sum()

    assert flips < whole.FLIP_STRONG


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
@settings(max_examples=100)
def test_a_row_scores_as_in_plain_numpy(reference: int, strong: int, sign: int, still: int) -> None:
    """The compiled score is the sum of what each bit says."""
    bits = (np.array([reference, strong, sign, still], np.uint32)[:, None] >> np.arange(32, dtype=np.uint32)) & 1
    agrees, is_strong = (bits[0] == bits[2]) & (bits[3] == 0), bits[1] == 1
    flip = np.where(is_strong, whole.FLIP_STRONG, whole.FLIP_WEAK)
    expected = whole.INDEPENDENT * np.where(agrees, np.log(2 * (1 - flip)), np.log(2 * flip)).sum()
    words = [np.uint32(word) for word in (reference, strong, sign, still)]

    assert whole.row_nats(words[0], words[1], words[2], words[3], whole.WEIGHTS_NATS) == pytest.approx(expected, abs=1e-3)


def test_candidates_are_bounded_whatever_the_sound(music: Music) -> None:
    """A hundred copies of one spot give no more candidates than there is room for."""
    rows = whole.rows_of(music(3, 4.0))
    index = whole.WholeIndex([whole.WholePrint(spot_id=str(n), rows=rows, length_samples=64_000) for n in range(100)])
    matcher = whole.WholeMatcher(index)
    found = [matcher.advance(int(sign), 0) for sign in rows[:, 0]]

    assert max(map(len, found)) == whole.CANDIDATES_MAX


def test_the_file_is_made_once_and_read_again(music: Music, write_wav: Callable[[Path, Pcm], Path], tmp_path: Path) -> None:
    """A second opening reads no recording; a changed recording is read anew; a rate is kept beside."""
    for name, seed in (("a", 4), ("b", 5)):
        write_wav(tmp_path / f"{name}.wav", music(seed, 3.0))
    library = SpotLibrary.open(tmp_path)
    read: list[str] = []

    def progress(_done: int, _total: int, name: str) -> None:
        read.append(name)

    first = open_index(library, progress=progress)
    again = open_index(library, progress=progress)
    assert read == ["a.wav", "b.wav"]
    assert np.array_equal(first.rows, again.rows)

    write_wav(tmp_path / "b.wav", music(6, 3.5))
    library = SpotLibrary.open(tmp_path)
    changed = open_index(library, rates=(AS_DELIVERED, Rate(speed=1.042)), progress=progress)
    assert read == ["a.wav", "b.wav", "a.wav", "b.wav"]
    assert [print_.speed for print_ in changed.prints] == [1.0, 1.042, 1.0, 1.042]
    assert changed.prints[3].length_samples == pytest.approx(56_000 / 1.042, abs=100)
    open_index(library, progress=progress)
    assert len(read) == 4


def test_a_damaged_file_is_made_anew(music: Music, write_wav: Callable[[Path, Pcm], Path], tmp_path: Path) -> None:
    """Whatever lies there, the index is the same."""
    write_wav(tmp_path / "a.wav", music(7, 3.0))
    library = SpotLibrary.open(tmp_path)
    first = open_index(library)
    (tmp_path / ".prints" / FILE_NAME).write_bytes(b"CUEBIRD WHOLE 1\n{}")

    assert np.array_equal(open_index(library).rows, first.rows)


@given(st.binary(max_size=300) | st.builds(lambda tail: b"CUEBIRD WHOLE 1\n" + tail, st.binary(max_size=200)))
@settings(max_examples=100)
def test_any_bytes_are_refused_in_a_sentence(data: bytes) -> None:
    """No other error than ours comes out."""
    with pytest.raises(PrintFileError, match="x: "):
        load_rows(data, name="x")


def test_rows_survive_the_file(music: Music) -> None:
    """What is written is what is read; one flipped byte is noticed."""
    kept = {"a 1 2": KeptRows(rows=whole.rows_of(music(8, 2.0)), length_samples=32_000)}
    data = dump_rows(kept)
    back = load_rows(data, name="x")["a 1 2"]

    assert np.array_equal(back.rows, kept["a 1 2"].rows)
    assert back.length_samples == 32_000
    with pytest.raises(PrintFileError, match="damaged"):
        load_rows(data[:40] + bytes([data[40] ^ 1]) + data[41:], name="x")
