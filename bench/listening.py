"""`cuebird bench listening`: how soon and how surely spots are heard, how often wrongly, and what others need for the same.

The work is divided into pieces (`measuring.py`) that two processes take; each result is kept as soon as it is there, so that
an interrupted run goes on where it was. What is printed at the end is `report.py`'s.
"""

import itertools
import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench import measuring
from bench.corpus import Corpus, Place, make_corpus, programme_piece, render_spot
from bench.degradations import CONDITIONS
from bench.impostor_sound import impostor_places
from bench.matching import features_of
from bench.measuring import Shared, reference, share
from bench.report import write_report
from bench.setting import Setting, Store
from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.heads import Heads, heads_of
from fingerprints.onset import OnsetMatcher
from fingerprints.prints import Print, load_print, make_print

PROCESSES: Final = 2
HEADS_SPARE: Final = 1.08
"""Some heads are silence or end in it and cannot serve."""
PROBE_S: Final = 8.0

Work = tuple[str, Callable[..., Any], tuple[Any, ...]]
"""A name to keep the result under, the function, its arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast one core plays the whole library against sound.

    Attributes:
        features: times real time, features alone.
        matching: times real time, whole library.
    """

    features: float
    matching: float


def run_listening(setting: Setting, out: Path) -> Path:
    """Measure everything that has not been measured yet and write the report.

    Args:
        setting: the size of the run.
        out: folder for the report, its plots and the results so far.

    Returns:
        The report.

    Raises:
        MissingError: Debian packages are missing.
    """
    began = time.monotonic()
    store = Store(out, setting)
    with _progress() as progress:
        first = progress.add_task("dividing the material", total=1)
        corpus = make_corpus(
            seed=setting.seed,
            n_spots=setting.n_spots,
            n_heads=round((setting.n_library - setting.n_spots) * HEADS_SPARE),
            folder=out / "speech",
        )
        progress.advance(first)
        library, places = _library(setting, corpus, progress)
        heads = heads_of(library)
        impostors = impostor_places(corpus, hours=setting.impostor_hours)
        share(Shared(setting=setting, corpus=corpus, library=library, heads=heads, library_places=places, impostors=impostors))
        pace = _pace(corpus, heads)
        n_impostor = _affordable(setting.impostor_core_s, setting.impostor_hours, pace, len(library))
        n_headline = sum(one.headline for one in CONDITIONS)
        headline_hours = n_headline * setting.n_spots * (setting.aired_s + 1.5) / 3600
        whole = _affordable(setting.library_core_s, headline_hours, pace, len(library)) == len(library)
        results = _measure(list(_works(setting, n_impostor, len(impostors), whole)), store, progress)
    return write_report(
        setting, corpus, results, out=out, n_impostor=n_impostor, heads=heads, features_pace=pace.features,
        took_s=time.monotonic() - began,
    )  # fmt: skip


def _works(setting: Setting, n_impostor: int, n_pieces: int, whole_library: bool) -> Iterator[Work]:
    """Everything to measure, the longest first."""
    yield "peers", measuring.measure_peers, (0, setting.n_peers)
    for condition, first in itertools.product(CONDITIONS, range(0, setting.n_spots, setting.batch)):
        whole = condition.headline and whole_library
        yield f"condition {condition.name} {first} {whole}", measuring.measure_condition, (condition.name, first, whole)
    for number in range(n_pieces):
        yield f"impostors {number} {n_impostor}", measuring.measure_impostors, (number, n_impostor)


def _library(setting: Setting, corpus: Corpus, progress: Progress) -> tuple[list[Print], list[Place | None]]:
    """The aired spots' prints and as many heads as make the library full, and where each was cut."""
    share(Shared(setting=setting, corpus=corpus, library=[], heads=heads_of([]), library_places=[]))
    spots = [make_print(spot.id, reference(render_spot(corpus, spot))) for spot in corpus.spots]
    task = progress.add_task(f"printing {setting.n_library:,} spots", total=len(corpus.spot_tracks))
    made: list[tuple[int, bytes]] = []
    with _pool() as pool:
        for of_track in pool.map(measuring.print_heads, range(len(corpus.spot_tracks))):
            made += of_track
            progress.advance(task)
    made = sorted(made, key=lambda numbered: numbered[0])[: setting.n_library - len(spots)]
    places: list[Place | None] = [*([None] * len(spots)), *(corpus.heads[number] for number, _ in made)]
    heads = [load_print(data, content_sha256="", name=f"head {number}") for number, data in made]
    return [*spots, *heads], places


def _pace(corpus: Corpus, heads: Heads) -> Pace:
    pcm = programme_piece(corpus, random.Random(corpus.seed), seconds=PROBE_S)
    heard = np.ascontiguousarray(reference(pcm))
    features_of(heard)
    began = time.process_time()
    bits = features_of(heard)
    features_s = time.process_time() - began
    matcher = OnsetMatcher(heads)
    began = time.process_time()
    matcher.advance(bits)
    matching_s = time.process_time() - began
    length_s = len(heard) / SAMPLE_RATE_HZ
    return Pace(features=length_s / max(features_s, 1e-6), matching=length_s / max(matching_s, 1e-6))


def _affordable(core_s: float, hours: float, pace: Pace, n_library: int) -> int:
    """How many spots of the library can be played against so much sound in the time there is."""
    needed_s = hours * 3600 / pace.matching
    return n_library if needed_s <= core_s else max(100, int(n_library * core_s / needed_s) // 100 * 100)


def _measure(works: list[Work], store: Store, progress: Progress) -> dict[str, Any]:
    task = progress.add_task("listening", total=len(works))
    results = {name: kept for name, _, _ in works if (kept := store.get(name)) is not None}
    progress.update(task, completed=len(results))
    with _pool() as pool:
        left = iter([work for work in works if work[0] not in results])
        running: dict[Future[Any], str] = {}
        for name, function, arguments in itertools.islice(left, PROCESSES + 1):
            running[pool.submit(function, *arguments)] = name
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                name = running.pop(future)
                results[name] = future.result()
                store.put(name, results[name])
                progress.update(task, advance=1, description=f"listening: {name}"[:60])
                for name_, function, arguments in itertools.islice(left, 1):
                    running[pool.submit(function, *arguments)] = name_
    return results


def _pool() -> ProcessPoolExecutor:
    # Forked, so that the processes share the library's memory instead of copying it.
    return ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("fork"))


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, refresh_per_second=2) as progress:
        yield progress
