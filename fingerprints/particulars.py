"""What is known of a spot besides its sound: identifiers, campaign, version, loudness. One small JSON file beside the recording.

`<folder>/<spot id>.spot.json`. A file that cannot be understood is told by name and stops nothing else.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fingerprints.errors import SpotError
from fingerprints.identifiers import checked

SUFFIX: Final = ".spot.json"
BYTES_MAX: Final = 65_536
TEXT_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Particulars:
    """What a media buyer says of a spot, and what was measured when it was added.

    Attributes:
        identifiers: checked, by kind (`identifiers.KEYS`).
        campaign: which campaign it belongs to, empty when not said.
        version: which cut or language of it.
        loudness_lufs: integrated loudness, None when silent or never measured.
    """

    identifiers: Mapping[str, str] = field(default_factory=dict)
    campaign: str = ""
    version: str = ""
    loudness_lufs: float | None = None


def particulars_file(folder: Path, spot_id: str) -> Path:
    """Where the particulars of a spot lie."""
    return folder / f"{spot_id}{SUFFIX}"


def read_particulars(folder: Path, spot_id: str) -> Particulars:
    """What is known of a spot; nothing but defaults when there is no such file.

    Raises:
        SpotError: the file cannot be read or understood.
    """
    file = particulars_file(folder, spot_id)
    try:
        if file.stat().st_size > BYTES_MAX:
            raise SpotError(f"{file.name}: larger than {BYTES_MAX} bytes; it holds only identifiers, campaign and version")
        return parse_particulars(file.read_bytes(), name=file.name)
    except FileNotFoundError:
        return Particulars()
    except OSError as error:
        raise SpotError(f"{file.name}: it cannot be read ({error.strerror}); check its rights") from error


def parse_particulars(data: bytes, *, name: str) -> Particulars:
    """The particulars in a file's bytes.

    Raises:
        SpotError: not understood; the sentence begins with the name.
    """
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SpotError(f"{name}: not JSON ({error}); add the spot again, or correct it") from error
    known = {"identifiers", "campaign", "version", "loudness_lufs"}
    if not isinstance(fields, dict) or not fields.keys() <= known:
        raise SpotError(f"{name}: not the particulars of a spot; it may hold {', '.join(sorted(known))}")
    identifiers, loudness = fields.get("identifiers", {}), fields.get("loudness_lufs")
    if not isinstance(identifiers, dict) or not all(isinstance(one, str) for one in identifiers.values()):
        raise SpotError(f'{name}: identifiers: must be texts by kind, such as {{"isci": "ABCD1234"}}')
    if loudness is not None and (isinstance(loudness, bool) or not isinstance(loudness, int | float)):
        raise SpotError(f"{name}: loudness_lufs: must be a number")
    try:
        held = checked(identifiers)
    except SpotError as error:
        raise SpotError(f"{name}: {error}") from error
    return Particulars(
        identifiers=held,
        campaign=_text(fields.get("campaign", ""), name=f"{name}: campaign"),
        version=_text(fields.get("version", ""), name=f"{name}: version"),
        loudness_lufs=None if loudness is None else float(loudness),
    )


def dump_particulars(particulars: Particulars) -> bytes:
    """The particulars as the bytes of a file, for people to read as well."""
    fields = {
        "identifiers": dict(particulars.identifiers),
        "campaign": particulars.campaign,
        "version": particulars.version,
        "loudness_lufs": particulars.loudness_lufs,
    }
    return json.dumps(fields, indent=2, ensure_ascii=False).encode() + b"\n"


def _text(value: object, *, name: str) -> str:
    if not isinstance(value, str) or len(value) > TEXT_MAX or not value.isprintable():
        raise SpotError(f"{name}: must be a line of up to {TEXT_MAX} letters")
    return value
