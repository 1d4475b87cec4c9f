"""No bytes break the reader of library files, and no change to one goes unnoticed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprints.errors import PrintFileError
from fingerprints.heads import heads_of
from fingerprints.prints import make_print
from fingerprints.store import KeptLibrary, KeptSpot, echo_array, read_library, write_library

PCM = (0.1 * np.random.default_rng(1).standard_normal(48_000)).astype(np.float32)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library file of two spots."""
    prints = [make_print("a", PCM), make_print("b", PCM[::-1].copy())]
    spots = tuple(
        KeptSpot(
            name=f"{print_.spot_id}.wav", size=1, changed_ns=2, content_sha256="c" * 64, rows=print_.rows,
            lead_in_samples=print_.lead_in_samples, audible_samples=print_.audible_samples,
        )
        for print_ in prints
    )  # fmt: skip
    path = tmp_path_factory.mktemp("library") / "library"
    write_library(path, KeptLibrary(spots=spots, heads=heads_of(prints), echoes=echo_array([(0, 1, 5, 0.5)])))
    return path


def test_a_library_file_is_read_as_it_was_written(file: Path) -> None:
    """Spots, heads and echoes come back."""
    kept = read_library(file)

    assert [spot.name for spot in kept.spots] == ["a.wav", "b.wav"]
    assert np.array_equal(kept.heads.rows, heads_of([make_print("a", PCM), make_print("b", PCM[::-1].copy())]).rows)
    assert kept.echoes.tolist() == [(0, 1, 5, 0.5)]


@given(data=st.one_of(st.binary(max_size=400), st.binary(max_size=200).map(lambda data: b"CUEBIRD LIBRARY 1\n" + data)))
@settings(max_examples=100, deadline=None)
def test_any_bytes_as_a_library_file_are_refused(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A clear error, whatever the bytes."""
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(data)
    with pytest.raises(PrintFileError, match=r"^any: .*delete it"):
        read_library(path)


@given(at=st.floats(0, 1, exclude_max=True), value=st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_any_changed_byte_of_a_library_file_is_noticed(at: float, value: int, file: Path) -> None:
    """Each part has its checksum; what lies between the parts is never read."""
    whole = file.read_bytes()
    data = bytearray(whole)
    data[int(at * len(data))] ^= value
    changed = file.with_name("changed")
    changed.write_bytes(data)
    try:
        kept = read_library(changed)
    except PrintFileError:
        return
    padding = whole[int(at * len(whole))]
    assert padding in b"\0 "
    assert kept.spots == read_library(file).spots
    assert np.array_equal(kept.heads.rows, read_library(file).heads.rows)


@given(length=st.floats(0, 1, exclude_max=True))
@settings(max_examples=50, deadline=None)
def test_a_library_file_cut_short_is_noticed(length: float, file: Path) -> None:
    """A disk that ran full is no library."""
    whole = file.read_bytes()
    cut = file.with_name("cut")
    cut.write_bytes(whole[: int(length * (len(whole) - 64))])
    with pytest.raises(PrintFileError, match=r"^cut: .*delete it"):
        read_library(cut)


def test_heads_that_point_outside_are_refused(file: Path) -> None:
    """A file made by somebody else, checksums and all, cannot make a compiled loop read what is not its own."""
    kept = read_library(file)
    for name in ("starts", "lengths", "births"):
        broken = {each: np.array(getattr(kept.heads, each)) for each in kept.heads.__dataclass_fields__}
        broken[name][0] = 1_000_000
        wrong = file.with_name("wrong")
        write_library(wrong, KeptLibrary(spots=kept.spots, heads=type(kept.heads)(**broken), echoes=kept.echoes))
        with pytest.raises(PrintFileError, match="do not fit together"):
            read_library(wrong)


def test_planes_of_fewer_filters_are_refused(file: Path) -> None:
    """The loop over groups looks at as many filters as there are planes for."""
    kept = read_library(file)
    wrong = file.with_name("wrong")
    heads = replace(kept.heads, planes=np.concatenate([kept.heads.planes] * 2))
    write_library(wrong, KeptLibrary(spots=kept.spots, heads=heads, echoes=kept.echoes))
    with pytest.raises(PrintFileError, match="do not fit together"):
        read_library(wrong)
