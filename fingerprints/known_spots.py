"""What a folder's library file says of its spots without any recording being read: lengths, and which begin alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.echoes import Echo
from fingerprints.errors import PrintFileError
from fingerprints.library import LIBRARY_FILE, PRINTS_FOLDER
from fingerprints.store import KeptLibrary, read_library


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFacts:
    """What is known of a recording that has been read before.

    Attributes:
        length_s: from its first to its last audible sample.
        alike: other spots that begin as it does, with the seconds until they can be told apart.
    """

    length_s: float
    alike: Mapping[str, float]


def kept_facts(folder: Path) -> dict[str, KeptFacts]:
    """Facts by spot id, of those recordings only that have not changed since they were read; empty without a library file."""
    try:
        kept = read_library(folder / PRINTS_FOLDER / LIBRARY_FILE)
    except (OSError, PrintFileError):
        return {}
    alike = _alike(kept)
    return {
        Path(spot.name).stem: KeptFacts(length_s=spot.audible_samples / SAMPLE_RATE_HZ, alike=alike.get(index, {}))
        for index, spot in enumerate(kept.spots)
        if _is_as_read(folder / spot.name, spot.size, spot.changed_ns)
    }


def _alike(kept: KeptLibrary) -> dict[int, dict[str, float]]:
    ids = [Path(spot.name).stem for spot in kept.spots]
    found: dict[int, dict[str, float]] = {}
    for host, guest, offset, until_s in kept.echoes.tolist():
        echo = Echo(host_id=ids[host], guest_id=ids[guest], offset=offset, until_s=until_s)
        if echo.heads_alike:
            for one, other in ((host, guest), (guest, host)):
                known = found.setdefault(one, {})
                known[ids[other]] = max(until_s, known.get(ids[other], 0.0))
    return found


def _is_as_read(path: Path, size: int, changed_ns: int) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (size, changed_ns)
