"""The rows of whole spots, kept in one file beside the recordings so that only new recordings are read.

`<folder>/.prints/whole.rows` is a line of magic, a line of JSON (every parameter that changes a row; the key and size of each
recording at each rate), the rows (uint32, little endian), and the SHA-256 of all that. It may be deleted at any time, and a
folder that cannot be written works without it.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from fingerprints.errors import PrintFileError
from fingerprints.features import Words
from fingerprints.library import PRINTS_FOLDER, Progress, Spot, SpotLibrary, read_recording
from fingerprints.prints import audible_span
from fingerprints.rates import AS_DELIVERED, Rate, played_at
from fingerprints.whole import PARAMETERS, WholeIndex, WholePrint, rows_of

FILE_NAME: Final = "whole.rows"
FILE_BYTES_MAX: Final = 4 << 30
_MAGIC: Final = b"CUEBIRD WHOLE 1\n"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptRows:
    """The rows of one recording at one rate, and its length as it is played."""

    rows: Words
    length_samples: int


def open_index(
    library: SpotLibrary, *, rates: tuple[Rate, ...] = (AS_DELIVERED,), progress: Progress | None = None
) -> WholeIndex:
    """The whole-spot index of a library's recordings, each at each rate.

    Args:
        library: the spots as delivered, without variants.
        rates: how they may be played.
        progress: told of recordings that have to be read.

    Raises:
        MediaError: a recording that could be read before cannot be read any more.
    """
    if not library.spots:
        return WholeIndex([])
    file = library.spots[0].path.parent / PRINTS_FOLDER / FILE_NAME
    kept = read_rows(file)
    prints: list[WholePrint] = []
    changed = False
    for done, spot in enumerate(library.spots):
        keys = [_key(spot.path, rate) for rate in rates]
        if any(key not in kept for key in keys):
            if progress is not None:
                progress(done, len(library.spots), spot.path.name)
            kept.update(zip(keys, _make(spot, rates), strict=True))
            changed = True
        prints += [
            WholePrint(spot_id=spot.id, rows=kept[key].rows, length_samples=kept[key].length_samples, speed=rate.speed)
            for key, rate in zip(keys, rates, strict=True)
        ]
    if changed:
        there = {_key(spot.path, AS_DELIVERED) for spot in library.spots}
        with contextlib.suppress(OSError):  # a folder that cannot be written works without the file
            _write(file, {key: rows for key, rows in kept.items() if key.partition("@")[0] in there})
    return WholeIndex(prints)


def read_rows(file: Path) -> dict[str, KeptRows]:
    """What the file holds, by key; nothing when there is none, or it is damaged or of other parameters."""
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            return {}
        return load_rows(file.read_bytes(), name=str(file))
    except (OSError, PrintFileError):
        return {}


def load_rows(data: bytes, *, name: str) -> dict[str, KeptRows]:
    """The rows that `dump_rows` wrote, by key.

    Raises:
        PrintFileError: damaged, not such a file, or of other parameters.
    """
    body, digest = data[:-32], data[-32:]
    if not data.startswith(_MAGIC) or hashlib.sha256(body).digest() != digest:
        raise PrintFileError(f"{name}: damaged, or not of this version; delete it and it is made anew")
    try:
        line, arrays = body[len(_MAGIC) :].split(b"\n", 1)
        header = json.loads(line)
        sizes = [(str(key), int(n_rows), int(length)) for key, n_rows, length in header["recordings"]]
        same = header["parameters"] == PARAMETERS and all(n_rows >= 0 and length > 0 for _, n_rows, length in sizes)
    except (ValueError, KeyError, TypeError) as error:
        raise PrintFileError(f"{name}: its header cannot be read; delete it and it is made anew") from error
    if not same or len(arrays) != 8 * sum(n_rows for _, n_rows, _ in sizes):
        raise PrintFileError(f"{name}: made with other parameters; delete it and it is made anew")
    rows: Words = np.frombuffer(arrays, "<u4").reshape(-1, 2).astype(np.uint32)
    kept: dict[str, KeptRows] = {}
    first = 0
    for key, n_rows, length in sizes:
        kept[key] = KeptRows(rows=rows[first : first + n_rows], length_samples=length)
        first += n_rows
    return kept


def dump_rows(kept: Mapping[str, KeptRows]) -> bytes:
    """Rows as the bytes of a file."""
    sizes = [[key, len(one.rows), one.length_samples] for key, one in kept.items()]
    body = _MAGIC + json.dumps({"parameters": PARAMETERS, "recordings": sizes}, sort_keys=True).encode() + b"\n"
    body += b"".join(one.rows.astype("<u4").tobytes() for one in kept.values())
    return body + hashlib.sha256(body).digest()


def _make(spot: Spot, rates: tuple[Rate, ...]) -> list[KeptRows]:
    pcm = read_recording(spot.path)
    start, end = audible_span(pcm)
    played = [played_at(pcm[start:end], rate) for rate in rates]
    return [KeptRows(rows=rows_of(sound), length_samples=len(sound)) for sound in played]


def _key(path: Path, rate: Rate) -> str:
    """A recording as it lies on the disk now; reading a thousand of them only to hash them would take minutes."""
    status = path.stat()
    return f"{path.name.replace('@', ' ')} {status.st_size} {status.st_mtime_ns}{rate.suffix}"


def _write(file: Path, kept: Mapping[str, KeptRows]) -> None:
    """Make the file appear all at once, so that another process never reads half of it."""
    file.parent.mkdir(exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as part:
            part.write(dump_rows(kept))
        Path(temporary).chmod(0o644)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
