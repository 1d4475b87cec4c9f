"""A recording becomes a spot: judged, copied, its particulars written beside it.

Idempotent by content: the same file under the same name is no change, and under another name it is refused, because no
detection could tell the two apart.
"""

import filecmp
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fingerprints.errors import FingerprintsError, SpotError
from fingerprints.identifiers import checked
from fingerprints.library import Spot, add_recording, audio_files
from fingerprints.loudness import Loudness
from fingerprints.particulars import Particulars, dump_particulars, particulars_file, read_particulars
from fingerprints.validation import Advice, Warned, read_sound, warnings_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What became of a recording.

    Attributes:
        spot_id: the spot.
        spot: with its print; None when it was there already.
        loudness: as measured.
        warnings: what a person should know.
        particulars: what is known of it now.
    """

    spot_id: str
    spot: Spot | None
    loudness: Loudness
    warnings: tuple[Warned, ...]
    particulars: Particulars


def add_spot(
    folder: Path,
    source: Path,
    *,
    spot_id: str | None = None,
    identifiers: Mapping[str, str] | None = None,
    campaign: str = "",
    version: str = "",
) -> Added:
    """Judge a recording and copy it into the folder as a new spot.

    Args:
        folder: of the spots; made when it is not there.
        source: any audio or video file.
        spot_id: the file's name without suffix when None.
        identifiers: by kind (`identifiers.KEYS`), checked by their grammar.
        campaign: which campaign it belongs to.
        version: which cut or language.

    Raises:
        FingerprintsError: it cannot serve as a spot, an identifier is not in its form or in use, or the folder cannot be written.
    """
    new_id = source.stem if spot_id is None else spot_id
    held = checked(identifiers or {})
    there = _same_recording(folder, source)
    if there not in (None, new_id):
        raise SpotError(
            f"{source.name}: the same recording is there as {there!r}; no detection could tell them apart, so keep one"
        )
    _refuse_taken(folder, new_id, held)
    sound = read_sound(source)
    loudness, warnings = warnings_of(sound, identifiers=held)
    spot = None if there == new_id else add_recording(folder, source, spot_id=new_id)
    if there == new_id:
        warnings = (Warned(about=Advice.DUPLICATE, message="this very recording is there already; nothing to do"), *warnings)
    before = read_particulars(folder, new_id) if there == new_id else Particulars()
    particulars = Particulars(
        identifiers={**before.identifiers, **held},
        campaign=campaign or before.campaign,
        version=version or before.version,
        loudness_lufs=round(loudness.integrated_lufs, 1) if loudness.integrated_lufs > -1000 else None,
    )
    _write(particulars_file(folder, new_id), dump_particulars(particulars))
    return Added(spot_id=new_id, spot=spot, loudness=loudness, warnings=warnings, particulars=particulars)


def forget_particulars(folder: Path, spot_id: str) -> None:
    """Delete what is known of a spot that has been removed.

    Raises:
        FingerprintsError: it cannot be deleted.
    """
    try:
        particulars_file(folder, spot_id).unlink(missing_ok=True)
    except OSError as error:
        raise FingerprintsError(f"{folder}: the particulars of {spot_id} cannot be deleted ({error.strerror})") from error


def _same_recording(folder: Path, source: Path) -> str | None:
    """The spot whose file has the very same bytes."""
    if not folder.is_dir():
        return None
    try:
        size = source.stat().st_size
        for path in audio_files(folder):
            if path.stat().st_size == size and filecmp.cmp(path, source, shallow=False):
                return path.stem
    except OSError as error:
        raise SpotError(f"{source}: it cannot be read ({error.strerror}); name a recording") from error
    return None


def _refuse_taken(folder: Path, new_id: str, held: Mapping[str, str]) -> None:
    if not held or not folder.is_dir():
        return
    for path in audio_files(folder):
        if path.stem != new_id:
            other = read_particulars(folder, path.stem)
            for key, value in held.items():
                if other.identifiers.get(key) == value:
                    raise SpotError(f"{new_id}: its {key} {value} is that of {path.stem} already; correct one of the two")


def _write(file: Path, data: bytes) -> None:
    try:
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=file.parent)
        with os.fdopen(handle, "wb") as part:
            part.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(file)
    except OSError as error:
        raise FingerprintsError(f"{file}: it cannot be written ({error.strerror}); check rights and space") from error
