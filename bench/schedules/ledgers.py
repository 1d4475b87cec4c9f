"""What a ledger with very many airings still answers at once: a day's timeline, the next window, arming a day."""

import random
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bench.schedules.making import A_DAY, CHANNELS, FIRST_DAY, airings
from schedules import Airing, Windows
from sync import plan_statements as statements
from sync.board import Board, Loaded
from sync.ledger import AIRING_FIELDS, Ledger
from sync.plan_contents import plain
from sync.states import Mode

ROUNDS: Final = 20
FILLED_AT_ONCE: Final = 20_000
SEED: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How long something took, several times: milliseconds."""

    name: str
    target_ms: float
    median_ms: float
    most_ms: float


def fill(path: Path, count: int) -> float:
    """Make a ledger with so many airings; the seconds it took."""
    begin_s = time.perf_counter()
    with closing(Ledger.open(path, mode=Mode.OFF)) as ledger:
        names = (*AIRING_FIELDS, "plan_id", "plan_sha256")
        add = ledger.database.prepared(statements.ADD_AIRING, sets=names)
        for first in range(0, count, FILLED_AT_ONCE):
            rows = [(*plain(one), "year", "") for one in airings(first, min(first + FILLED_AT_ONCE, count))]
            with ledger.database.claiming() as cursor:
                add.run_many(cursor, add.bound_rows(names, rows))
    return time.perf_counter() - begin_s


def ask(path: Path, count: int) -> list[Asked]:
    """Ask for days all over the span."""
    chance = random.Random(SEED)
    midnight = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC)
    days = [midnight + timedelta(days=chance.randrange(count // A_DAY)) for _ in range(ROUNDS)]
    with closing(Ledger.open(path, mode=Mode.OFF)) as ledger:

        def of_day(day_utc: datetime) -> tuple[Airing, ...]:
            return ledger.airings(closes_after_utc=day_utc, opens_before_utc=day_utc + timedelta(days=1))

        windows = Windows()
        windows.load(of_day(days[0]), days[0])
        return [
            _timed("a day's timeline, all channels", 150, lambda number: of_day(days[number])),
            _timed("the next window", 2, lambda _: windows.next_utc()),
            _timed("arming a day", 2000, lambda number: _arm(of_day(days[number]), days[number])),
        ]


def _arm(of_day: tuple[Airing, ...], now_utc: datetime) -> None:
    """What the engine does with the airings it has read."""
    nothing = Loaded(cues=(), cue_faults={}, airings=of_day, heard=frozenset(), fired=frozenset(), used_texts=frozenset())
    Board({channel: channel for channel in CHANNELS}).load(nothing)
    Windows().load(of_day, now_utc)


def _timed(name: str, target_ms: float, call: Callable[[int], object]) -> Asked:
    took_ms = []
    for number in range(ROUNDS):
        begin_s = time.perf_counter()
        call(number)
        took_ms.append(1000 * (time.perf_counter() - begin_s))
    return Asked(name=name, target_ms=target_ms, median_ms=statistics.median(took_ms), most_ms=max(took_ms))
