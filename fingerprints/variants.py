"""A library whose spots are also known at the rates a channel plays them at.

Variants are prints like all others, under the spot's name with the rate after an `@`. They are kept in `.prints/` too.
"""

import contextlib
import hashlib
from dataclasses import replace
from pathlib import Path

from fingerprints.errors import PrintFileError
from fingerprints.library import PRINTS_FOLDER, Progress, Spot, SpotLibrary, read_recording
from fingerprints.prints import Print, audible_span, dump_print, load_print, make_print
from fingerprints.rates import AS_DELIVERED, Rate, name_and_speed, played_at


def at_rates(library: SpotLibrary, rates: tuple[Rate, ...], *, progress: Progress | None = None) -> SpotLibrary:
    """The library with each spot at each rate; the library itself when there is no rate but 1.0.

    All variants of a spot are one group, so that an airing is reported once whatever rates it agrees with.

    Raises:
        MediaError: a recording that could be read before cannot be read any more.
    """
    others = [rate for rate in rates if rate != AS_DELIVERED]
    if not others:
        return library
    spots = list(library.spots)
    for done, spot in enumerate(library.spots):
        if progress is not None:
            progress(done, len(library.spots), spot.path.name)
        spots += _variants(spot, others)
    wide = SpotLibrary.of(spots, problems=library.problems)
    return replace(wide, groups=_with_variants(wide), calibration=library.calibration)


def _variants(spot: Spot, rates: list[Rate]) -> list[Spot]:
    files = [_file(spot, rate) for rate in rates]
    prints = [print_ for print_ in map(_kept, files) if print_ is not None]
    if len(prints) < len(files):
        prints = _make(spot, rates)
        for file, print_ in zip(files, prints, strict=True):
            with contextlib.suppress(OSError):  # a folder that cannot be written works without the cache
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(dump_print(print_, content_sha256=file.stem))
    names = [f"{spot.id}{rate.suffix}" for rate in rates]
    return [replace(spot, id=name, print=replace(print_, spot_id=name)) for name, print_ in zip(names, prints, strict=True)]


def _make(spot: Spot, rates: list[Rate]) -> list[Print]:
    pcm = read_recording(spot.path)
    start, end = audible_span(pcm)
    return [make_print(spot.id, played_at(pcm[start:end], rate)) for rate in rates]


def _file(spot: Spot, rate: Rate) -> Path:
    status = spot.path.stat()
    key = hashlib.sha256(f"{spot.path.name} {status.st_size} {status.st_mtime_ns}{rate.suffix}".encode()).hexdigest()
    return spot.path.parent / PRINTS_FOLDER / f"{key}.print"


def _kept(file: Path) -> Print | None:
    try:
        return load_print(file.read_bytes(), content_sha256=file.stem, name=file.name)
    except (OSError, PrintFileError):
        return None


def _with_variants(library: SpotLibrary) -> tuple[tuple[str, ...], ...]:
    """The groups with every spot's variants in one."""
    leader = {spot.id: name_and_speed(spot.id)[0] for spot in library.spots}
    for group in library.groups:
        first = leader[group[0]]
        joined = {leader[one] for one in group}
        leader = {spot_id: first if lead in joined else lead for spot_id, lead in leader.items()}
    members: dict[str, list[str]] = {}
    for spot_id, lead in sorted(leader.items()):
        members.setdefault(lead, []).append(spot_id)
    return tuple(tuple(group) for group in members.values() if len(group) > 1)
