"""What a plan's names are looked up in: the configuration's channels, and the folder of spots with all it knows of them."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from console.config import Config, ConfigError
from fingerprints.errors import SpotError
from fingerprints.identifiers import form_of, near_miss
from fingerprints.particulars import SUFFIX, read_particulars
from schedules import Catalogue, KnownChannel, KnownSpot

if TYPE_CHECKING:
    from fingerprints.known_spots import KeptFacts

LIBRARY_FILE = Path(".prints") / "library"
"""Where a folder of spots keeps what it knows of its recordings; without it nothing that takes seconds to load is loaded."""
ALIKE_SHOWN_MAX = 3
NOTHING_READ = "no spot's recording has been read yet; run cuebird spots check to see which will be heard"
"""Said once of all spots of a plan."""


def plan_catalogue(config: Config) -> Catalogue:
    """The channels and spots that a plan may name.

    Raises:
        ConfigError: the folder of spots cannot be read, or a spot's particulars cannot be understood.
    """
    folder = config.paths.spots_dir
    ids = _spot_ids(folder)
    aliases = defaultdict[str, list[str]](list)
    for alias in config.spot_aliases:
        aliases[alias.spot].append(alias.name)
    facts = _facts(folder)
    return Catalogue.of(
        (KnownChannel(id=one.id, timezone=one.timezone, aliases=(one.name, *one.aliases)) for one in config.channels),
        (_spot(folder, spot_id, tuple(aliases[spot_id]), facts) for spot_id in ids),
        remark_of=_remark,
    )


def _spot(folder: Path, spot_id: str, aliases: tuple[str, ...], facts: "Mapping[str, KeptFacts] | None") -> KnownSpot:
    try:
        identifiers = tuple(read_particulars(folder, spot_id).identifiers.values())
    except SpotError as error:
        raise ConfigError(f"{folder}: {error}") from error
    known = None if facts is None else facts.get(spot_id)
    return KnownSpot(
        id=spot_id,
        aliases=aliases,
        identifiers=identifiers,
        length_s=None if known is None else known.length_s,
        doubt=NOTHING_READ if facts is None else _doubt(spot_id, known),
    )


def _doubt(spot_id: str, known: "KeptFacts | None") -> str:
    if known is None:
        return f"the recording of {spot_id} has not been read yet; run cuebird spots check to see whether it will be heard"
    if not known.alike:
        return ""
    others = sorted(known.alike, key=lambda other: -known.alike[other])
    named = " and ".join(others[:ALIKE_SHOWN_MAX]) + (" and others" if len(others) > ALIKE_SHOWN_MAX else "")
    return (
        f"{spot_id} begins like {named} for {known.alike[others[0]]:.1f} s and is told apart only then; "
        "let the tweet suit all of them, or see cuebird spots check"
    )


def _facts(folder: Path) -> "Mapping[str, KeptFacts] | None":
    if not (folder / LIBRARY_FILE).exists():
        return None
    from fingerprints.known_spots import kept_facts

    return kept_facts(folder)


def _remark(text: str) -> str:
    """What kind of identifier an unknown spot's name seems to be."""
    form = form_of(text)
    return f"it has the form of {form}" if form else near_miss(text)


def _spot_ids(folder: Path) -> list[str]:
    """Ids of the spots in the reference folder: the names of its visible files without suffix."""
    try:
        files = [entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith(".")]
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}; paths.spots_dir must name the folder of the spots' audio") from error
    return sorted({entry.stem for entry in files if not entry.name.endswith(SUFFIX)})
