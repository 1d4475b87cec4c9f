"""The library file: the heads of all spots of a folder, mapped into memory and shared by every process that listens.

A line `CUEBIRD LIBRARY 2`, a line of JSON, and arrays one after the other, each at a multiple of 64 bytes with its CRC-32. The
JSON names every parameter that changes a fingerprint or a head and the arrays' places; its SHA-256 stands before it. Nothing in
it is ever executed or unpickled, and no array is looked at before it is known to be whole and to fit the others. A file appears
all at once, so nobody reads half of one; who still reads the old one keeps it.
"""

import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fingerprints import heads, kernels
from fingerprints.coherence import WAVE_WORDS
from fingerprints.errors import PrintFileError
from fingerprints.heads import BIRTH_FRAMES, Heads
from fingerprints.prints import PARAMETERS, PHASES

_MAGIC: Final = b"CUEBIRD LIBRARY 2\n"
_ALIGNMENT: Final = 64
_HEADER_BYTES_MAX: Final = 65_536
FILE_BYTES_MAX: Final = 16 << 30
SPOT_BYTES_MAX: Final = 1 << 12
HEAD_PARAMETERS: Final = {
    **PARAMETERS,
    "birth_frames": list(BIRTH_FRAMES),
    "head_frames_max": heads.HEAD_FRAMES_MAX,
    "filter_rows": heads.FILTER_ROWS,
    "filter_bits_least": heads.FILTER_BITS_LEAST,
    "first_sigmas": list(heads.FIRST_SIGMAS),
    "both_sigmas": list(heads.BOTH_SIGMAS),
    "group": kernels.GROUP,
}
"""Everything that changes a head; a library file made with other values is made anew."""

_HEAD_TYPES: Final = {
    "rows": "<u4", "starts": "<i8", "lengths": "<i8", "skipped": "<i4", "waves": "<u4", "births": "<i4",
    "filters": "<u8", "limits": "|i1", "planes": "<u8",
}  # fmt: skip
_HEAD_SHAPES: Final = {
    "rows": (-1, PHASES + 2), "waves": (-1, WAVE_WORDS), "filters": (-1, 4), "limits": (-1, 2),
    "planes": (-1, kernels.PLANES, kernels.GROUP_WORDS),
}  # fmt: skip
ECHO_TYPE: Final = np.dtype([("host", "<i4"), ("guest", "<i4"), ("offset", "<i4"), ("until_s", "<f8")])
"""Where the head of spot `guest` is heard in spot `host`, both by index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSpot:
    """What the file knows of one recording.

    Attributes:
        name: the recording's file name.
        size: its bytes when it was read.
        changed_ns: when it was last changed, as the file system says.
        content_sha256: of its bytes.
        rows: of its print.
        lead_in_samples: see `Print`.
        audible_samples: see `Print`.
    """

    name: str
    size: int
    changed_ns: int
    content_sha256: str
    rows: int
    lead_in_samples: int
    audible_samples: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptLibrary:
    """A library file's content; the arrays are views of the file.

    Attributes:
        spots: in the order of the heads.
        heads: of each spot.
        echoes: `ECHO_TYPE` [shape=(n_echoes,)].
    """

    spots: tuple[KeptSpot, ...]
    heads: Heads
    echoes: npt.NDArray[np.void]


def write_library(path: Path, kept: KeptLibrary) -> None:
    """Write a library file, all at once.

    Raises:
        OSError: it cannot be written.
    """
    described = json.dumps([[getattr(spot, field.name) for field in fields(KeptSpot)] for spot in kept.spots]).encode()
    arrays: dict[str, npt.NDArray[Any]] = {"spots": np.frombuffer(described, np.uint8), "echoes": kept.echoes}
    arrays |= {name: np.ascontiguousarray(getattr(kept.heads, name), dtype) for name, dtype in _HEAD_TYPES.items()}
    places, offset = {}, 0
    for name, array in arrays.items():
        places[name] = [offset, array.nbytes, zlib.crc32(_bytes(array))]
        offset += array.nbytes + -array.nbytes % _ALIGNMENT
    header = {"parameters": HEAD_PARAMETERS, "arrays": places}
    line = json.dumps(header, sort_keys=True).encode()
    start = _MAGIC + hashlib.sha256(line).hexdigest().encode() + b" " + line
    start += b" " * (-(len(start) + 1) % _ALIGNMENT) + b"\n"

    def write(temporary: str) -> None:
        with open(temporary, "wb") as file:
            file.write(start)
            for array in arrays.values():
                file.write(_bytes(array))
                file.write(bytes(-array.nbytes % _ALIGNMENT))

    write_whole(path, write)


def read_library(path: Path) -> KeptLibrary:
    """The library file, mapped into memory.

    Raises:
        PrintFileError: damaged, not a library, or made with other parameters.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(_HEADER_BYTES_MAX)
    if not start.startswith(_MAGIC) or b"\n" not in start[len(_MAGIC) :] or size > FILE_BYTES_MAX:
        raise PrintFileError(f"{path.name}: damaged, or not a library of this version; delete it and it is made anew")
    line, _, _ = start[len(_MAGIC) :].partition(b"\n")
    digest, text = line[:64], line[65:].rstrip(b" ")
    if hashlib.sha256(text).hexdigest().encode() != digest:
        raise PrintFileError(f"{path.name}: its header is damaged; delete it and it is made anew")
    try:
        header = json.loads(text)
        if header["parameters"] != HEAD_PARAMETERS:
            raise PrintFileError(f"{path.name}: made with other parameters; delete it and it is made anew")
        # Copy on write: the compiled loops take no read-only arrays, nobody writes, so all processes share the same pages.
        return _parse(path.name, np.memmap(path, np.uint8, mode="c"), header, len(_MAGIC) + len(line) + 1)
    except (KeyError, ValueError, TypeError) as error:
        raise PrintFileError(f"{path.name}: its parts cannot be read; delete it and it is made anew") from error


def _parse(name: str, mapped: npt.NDArray[np.uint8], header: Mapping[str, Any], first: int) -> KeptLibrary:
    parts: dict[str, npt.NDArray[np.uint8]] = {}
    for part, (offset, n_bytes, crc) in header["arrays"].items():
        parts[part] = mapped[first + offset : first + offset + n_bytes]
        if len(parts[part]) != n_bytes or zlib.crc32(_bytes(parts[part])) != crc:
            raise PrintFileError(f"{name}: {part} cut off or damaged; delete it and it is made anew")
    described = json.loads(parts["spots"].tobytes())
    names = [field.name for field in fields(KeptSpot)]
    arrays = {part: parts[part].view(dtype).reshape(_HEAD_SHAPES.get(part, -1)) for part, dtype in _HEAD_TYPES.items()}
    kept = KeptLibrary(
        spots=tuple(KeptSpot(**dict(zip(names, each, strict=True))) for each in described),
        heads=Heads(**arrays),
        echoes=parts["echoes"].view(ECHO_TYPE),
    )
    if len(kept.spots) != kept.heads.n_spots or not fits(kept.heads):
        raise PrintFileError(f"{name}: its parts do not fit together; delete it and it is made anew")
    return kept


def fits(kept: Heads) -> bool:
    """Whether every index of the heads lies inside their arrays, so that a compiled loop never reads outside."""
    n_filters = kept.n_spots * len(BIRTH_FRAMES)
    padded = n_filters + -n_filters % kernels.GROUP
    if {len(kept.births), len(kept.filters), len(kept.limits), len(kept.planes) * kernels.GROUP} != {padded}:
        return False
    # A filter of limit 0 passes nothing whatever its planes say, so what stands in those of the padding does not matter.
    if {len(each) for each in (kept.lengths, kept.skipped, kept.waves)} != {kept.n_spots} or (
        kept.limits[n_filters:, 0] > 0
    ).any():
        return False
    inside = (kept.starts >= 0) & (kept.lengths >= 0) & (kept.starts + kept.lengths <= len(kept.rows))
    births = kept.births[:n_filters].reshape(len(BIRTH_FRAMES), -1)
    on_rows = (births >= 0) & (births + heads.FILTER_ROWS <= kept.lengths)
    unused = kept.limits[:n_filters, 0].reshape(births.shape) <= 0
    return bool(inside.all() and (on_rows | unused).all())


def _bytes(array: npt.NDArray[Any]) -> memoryview:
    return array.view(np.uint8).reshape(-1).data


def write_whole(target: Path, write: Callable[[str], object]) -> None:
    """Make a file appear all at once, so that another process never reads half of it."""
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
    os.close(handle)
    try:
        write(temporary)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def echo_array(echoes: Sequence[tuple[int, int, int, float]]) -> npt.NDArray[np.void]:
    """Echoes as the file keeps them."""
    array: npt.NDArray[np.void] = np.array(echoes, ECHO_TYPE)
    return array
