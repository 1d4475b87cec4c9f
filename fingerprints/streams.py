"""What a matcher would hear of every reference, kept in one file: a new spot is looked for in all of them without opening each.

A record a recording, appended when the recording is new: a header of 64 bytes (the recording's SHA-256, a digest of the
parameters, how many frames, and checksums), then signs and stills, uint32 each: 1 kB a second of spot. The file is a cache.
Records that do not fit, were made with other parameters or are damaged are not used, and made anew from the prints.
"""

import contextlib
import hashlib
import json
import os
import struct
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numba
import numpy as np
import numpy.typing as npt

from fingerprints.features import LAG_FRAMES, StreamBits, Words
from fingerprints.prints import PARAMETERS, Print
from fingerprints.store import write_whole

HEADER: Final = struct.Struct("<32s8sQQQ")
"""The recording's SHA-256, the parameters' digest, frames, checksum of the frames, CRC-32 of what stands before it."""
FRAMES_MAX: Final = 80_000
WASTE_SHARE_MAX: Final = 0.5
"""When more of the file than this belongs to recordings that are gone, it is written anew."""

_PARAMETERS: Final = hashlib.sha256(json.dumps(PARAMETERS, sort_keys=True).encode()).digest()[:8]


def as_stream(print_: Print) -> StreamBits:
    """A reference as a matcher would hear it, the grid's origin at its onset."""
    table, _ = print_.load()  # not kept: many are looked at once
    signs = np.ascontiguousarray(table[:, 0])
    # The smallest contrasts were not kept; those that are not positive may be no movement at all.
    return StreamBits(first_frame=LAG_FRAMES - 1, signs=signs, stills=~(table[:, 0] | table[:, 2] | table[:, 3]))


@numba.njit("uint64(uint32[::1], uint32[::1])", cache=True, nogil=True)
def _checksum(signs, stills):  # type: ignore[no-untyped-def] # compiled: the signature is the type
    """Fletcher's two sums over both, which notice any changed word and most exchanged ones."""
    first, second = np.uint64(1), np.uint64(0)
    for i in range(len(signs)):
        first += np.uint64(signs[i]) | (np.uint64(stills[i]) << np.uint64(32))
        second += first
    return first ^ (second << np.uint64(1))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a record's frames lie in the file, in bytes, and what they must add up to."""

    offset: int
    frames: int
    checksum: int


class Streams:
    """The streams of a folder's references.

    Args:
        path: the file; it need not exist, and a folder that cannot be written works without.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, _Place] = {}
        self._bytes: npt.NDArray[np.uint8] = np.empty(0, np.uint8)
        self._broken = False
        with contextlib.suppress(OSError, ValueError):  # there is none, or an empty one
            self._bytes = np.asarray(np.memmap(path, np.uint8, mode="c"))  # a plain array's slices cost a tenth of a map's
        self._read()

    def of(self, content_sha256: str, print_: Print) -> StreamBits:
        """The stream of a reference, from the file or else from its print."""
        place = self._places.get(content_sha256)
        if place is not None and place.frames == print_.rows:
            words: Words = self._bytes[place.offset : place.offset + 8 * place.frames].view("<u4")
            signs, stills = words[: place.frames], words[place.frames :]
            if int(_checksum(signs, stills)) == place.checksum:
                return StreamBits(first_frame=LAG_FRAMES - 1, signs=signs, stills=stills)
            self._broken = True
        return as_stream(print_)

    def keep(self, prints: Mapping[str, Print]) -> None:
        """Bring the file up to date: exactly these recordings, by their SHA-256, need be in it.

        Raises:
            OSError: it cannot be written.
        """
        missing = [sha256 for sha256 in prints if sha256 not in self._places]
        if self._broken or self._waste(prints) > WASTE_SHARE_MAX:
            records = b"".join(_record(sha256, as_stream(print_)) for sha256, print_ in prints.items())
            write_whole(self._path, lambda temporary: Path(temporary).write_bytes(records))
        elif missing:
            records = b"".join(_record(sha256, as_stream(prints[sha256])) for sha256 in missing)
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            with os.fdopen(handle, "ab", buffering=0) as file:
                file.write(records)

    def _waste(self, wanted: Collection[str]) -> float:
        used = sum(HEADER.size + 8 * place.frames for sha256, place in self._places.items() if sha256 in wanted)
        return 1.0 - used / len(self._bytes) if len(self._bytes) else 0.0

    def _read(self) -> None:
        at, size, data = 0, len(self._bytes), self._bytes
        while at < size:
            if at + HEADER.size > size:
                break
            raw = data[at : at + HEADER.size].tobytes()
            sha256, parameters, frames, checksum, crc = HEADER.unpack(raw)
            at += HEADER.size
            whole = crc == zlib.crc32(raw[:-8]) and frames <= FRAMES_MAX and at + 8 * frames <= size
            if not whole or parameters != _PARAMETERS:
                self._broken = True
                return
            self._places[sha256.hex()] = _Place(at, frames, checksum)
            at += 8 * frames
        self._broken = at != size


def _record(content_sha256: str, bits: StreamBits) -> bytes:
    start = HEADER.pack(bytes.fromhex(content_sha256), _PARAMETERS, len(bits), int(_checksum(bits.signs, bits.stills)), 0)[:-8]
    header = start + zlib.crc32(start).to_bytes(8, "little")
    return header + bits.signs.astype("<u4").tobytes() + bits.stills.astype("<u4").tobytes()
