"""The streams of a folder's references in one file."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fingerprints import streams as streams_module
from fingerprints.features import StreamBits
from fingerprints.prints import Print, make_print
from fingerprints.streams import HEADER, Streams, as_stream

Pcm = npt.NDArray[np.float32]
Music = Callable[[int, float], Pcm]


@pytest.fixture(scope="module")
def prints(music: Music) -> dict[str, Print]:
    """Three prints by the SHA-256 of a recording."""
    made = [make_print(f"spot-{seed}", music(seed, 3.0)) for seed in (320, 321, 322)]
    return {hashlib.sha256(print_.spot_id.encode()).hexdigest(): print_ for print_ in made}


def same(one: StreamBits, other: StreamBits) -> bool:
    """Whether two streams agree in every bit."""
    return one.first_frame == other.first_frame and bool(
        np.array_equal(one.signs, other.signs) and np.array_equal(one.stills, other.stills)
    )


def unreadable(print_: Print) -> Print:
    """A print whose table must not be asked for."""

    def load() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
        pytest.fail(f"{print_.spot_id} was read")

    return Print(spot_id=print_.spot_id, rows=print_.rows, lead_in_samples=0, audible_samples=1, load=load)


def test_what_was_kept_is_not_made_again(prints: dict[str, Print], tmp_path: Path) -> None:
    """Appended one by one, read back to the bit, no print opened."""
    file = tmp_path / "streams"
    for n in range(1, 4):
        Streams(file).keep(dict(list(prints.items())[:n]))
    kept = Streams(file)

    assert all(same(kept.of(sha256, unreadable(print_)), as_stream(print_)) for sha256, print_ in prints.items())
    assert file.stat().st_size == sum(HEADER.size + 8 * print_.rows for print_ in prints.values())


@pytest.mark.parametrize("at", [0, 40, 60, 200, 2_000, 4_500, -1])
def test_damage_is_noticed_and_repaired(at: int, prints: dict[str, Print], tmp_path: Path) -> None:
    """A changed byte anywhere, or a torn end, costs time and no echo."""
    file = tmp_path / "streams"
    Streams(file).keep(prints)
    whole = file.read_bytes()
    damaged = bytearray(whole)
    damaged[at] ^= 0x40
    for data in (bytes(damaged), whole[:at] if at else b"\n"):
        file.write_bytes(data)
        broken = Streams(file)
        assert all(same(broken.of(sha256, print_), as_stream(print_)) for sha256, print_ in prints.items())
        broken.keep(prints)
        assert file.read_bytes() == whole


def test_records_of_other_parameters_are_not_used(
    prints: dict[str, Print], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They describe another sound."""
    file = tmp_path / "streams"
    Streams(file).keep(prints)
    monkeypatch.setattr(streams_module, "_PARAMETERS", b"12345678")
    sha256, print_ = next(iter(prints.items()))

    with pytest.raises(pytest.fail.Exception, match="was read"):
        Streams(file).of(sha256, unreadable(print_))
    Streams(file).keep(prints)
    assert same(Streams(file).of(sha256, unreadable(print_)), as_stream(print_))


def test_spots_that_are_gone_leave_the_file_in_time(prints: dict[str, Print], tmp_path: Path) -> None:
    """Half of it may be waste, not more."""
    file = tmp_path / "streams"
    Streams(file).keep(prints)
    size = file.stat().st_size
    last = dict(list(prints.items())[2:])
    Streams(file).keep(dict(list(prints.items())[1:]))
    assert file.stat().st_size == size
    Streams(file).keep(last)

    assert file.stat().st_size < size / 2
    assert same(
        Streams(file).of(*next((sha256, unreadable(print_)) for sha256, print_ in last.items())),
        as_stream(next(iter(last.values()))),
    )
