"""Whatever is claimed, in whatever order: caps, priorities, texts and approvals hold for what was let pass."""

import asyncio
import dataclasses
import itertools
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sync.audit import AuditChain
from sync.caps import CapLimits
from sync.cues import Caps, Cue, parse_cues
from sync.database import Database
from sync.decide import Moment, decide_goal
from sync.firings import Firings
from sync.ledger import Ledger
from sync.receipts import FiringRecord
from sync.schema import METADATA
from sync.signals import GoalScored, goal_occurrence
from sync.states import Mode
from timebase import VirtualClock

CUES = b"""
[[cue]]
id = "usual"
name = "Usual"
author = "sponsor"
account = "bank"
campaign = "spring"
variants = ["{side} {home_score}", "goal", "again", "and again", "once more"]
duplicate_window_h = 24
caps = { per_minute = 2, per_hour = 4, per_day = 9 }
[cue.on]
kind = "goal"
fixture = "final"
"""
(USUAL,) = parse_cues(CUES, source="test")
POOL = ("{side} {home_score}", "goal", "special", "again")
POOLED = {
    "usual": USUAL,
    "equal": dataclasses.replace(USUAL, cue_id="equal", variants=POOL, campaign=""),
    "special": dataclasses.replace(USUAL, cue_id="special", priority=5, variants=POOL, duplicate_window_h=0),
    "cafe": dataclasses.replace(USUAL, cue_id="cafe", account_id="cafe", priority=1),
}
LIMITS = CapLimits(
    campaign=Caps(per_minute=2, per_hour=3, per_day=7),
    account=Caps(per_minute=3, per_hour=5, per_day=8),
    everything=Caps(per_minute=3, per_hour=6, per_day=9),
)
PERIODS_S = {"per_minute": 60, "per_hour": 3600, "per_day": 86_400}

cue_ids = st.sampled_from(sorted(POOLED))
goals = st.tuples(st.just("goal"), cue_ids, st.integers(1, 5))
steps = st.lists(
    st.one_of(
        goals,
        goals,
        goals,
        st.tuples(st.just("wait"), st.sampled_from([1, 20, 61, 1800, 3601, 43_200, 86_401])),
        st.tuples(st.just("rearm")),
        st.tuples(st.just("approve"), cue_ids, st.integers(1, 30)),
        st.tuples(st.just("change"), cue_ids),
        st.tuples(st.just("wall"), st.integers(-7200, 7200)),
    ),
    min_size=5,
    max_size=60,
)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """One ledger file for all examples."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        database = Database(Path(folder) / "ledger.db")
        yield database
        database.close()


class Played:
    """A ledger to which a story happens, and what was true of its approvals meanwhile."""

    def __init__(self, database: Database) -> None:
        with database.writing() as connection:
            for table in reversed(METADATA.sorted_tables):
                connection.execute(table.delete())
        self.clock = VirtualClock()
        self.ledger = Ledger(database, self.clock, AuditChain(None))
        self.ledger.begin(Mode.LIVE)
        self.firings = Firings(self.ledger, epoch=self.ledger.become_engine(), boot_id="boot", limits=LIMITS)
        self.ledger.import_cues(list(POOLED.values()), actor="sponsor")
        self.cues = dict(POOLED)
        self.approved_until = dict.fromkeys(POOLED, self.clock.utc())
        self.claimed = list[FiringRecord]()
        for cue_id in POOLED:
            self.approve(cue_id, 24)

    async def play(self, story: list[tuple[object, ...]]) -> None:
        for what, *rest in story:
            await getattr(self, str(what))(*rest) if what == "wait" else getattr(self, str(what))(*rest)

    async def wait(self, seconds: int) -> None:
        await self.clock.advance(seconds)

    def wall(self, seconds: int) -> None:
        self.clock.step_utc(timedelta(seconds=seconds))

    def rearm(self) -> None:
        for cue_id in POOLED:
            self.ledger.hold_cue(cue_id, actor="ops", reason="")

    def approve(self, cue_id: str, hours: int) -> None:
        self.ledger.approve_cue(cue_id, approved_by="approver", valid_for=timedelta(hours=hours))
        self.approved_until[cue_id] = self.clock.utc() + timedelta(hours=hours)

    def change(self, cue_id: str) -> None:
        cue = self.cues[cue_id]
        self.cues[cue_id] = dataclasses.replace(cue, deadline_ms=cue.deadline_ms + 1)
        self.ledger.import_cues([self.cues[cue_id]], actor="sponsor")
        self.approved_until[cue_id] = self.clock.utc()

    def goal(self, cue_id: str, ordinal: int) -> None:
        now = Moment(mono_ns=self.clock.mono_ns(), utc=self.clock.utc())
        signal = GoalScored(
            occurrence_id=goal_occurrence(fixture="final", side="home", ordinal=ordinal, take=1), fixture="final", side="home",
            ordinal=ordinal, take=1, home_score=ordinal, away_score=0, period="1", clock="12:34", taken_back=False,
            on_air_mono_ns=now.mono_ns, on_air_utc=now.utc, heard_mono_ns=now.mono_ns,
        )  # fmt: skip
        (intent,) = decide_goal(signal, [self.cues[cue_id]], names={"final": ("North", "South")}, now=now)
        record = self.firings.claim(intent, account_faults={}).record
        if record is not None and record.claimed_mono_ns is not None:
            assert now.utc < self.approved_until[cue_id], "fired without a standing approval"
            self.claimed.append(record)


def instants_of(records: list[FiringRecord]) -> list[int]:
    return sorted(record.claimed_mono_ns for record in records if record.claimed_mono_ns is not None)


def within(records: list[FiringRecord], caps: Caps) -> bool:
    """Whether no period holds more claims than are allowed in it."""
    at_ns = instants_of(records)
    return all(
        later - earlier >= seconds * 10**9
        for period, seconds in PERIODS_S.items()
        for earlier, later in zip(at_ns, at_ns[getattr(caps, period) :], strict=False)
    )


def of(cue: Cue, records: list[FiringRecord]) -> list[FiringRecord]:
    return [record for record in records if record.cue_id == cue.cue_id]


@given(story=steps)
@example(story=[("goal", "special", 1), ("goal", "usual", 1)])
@example(story=[("goal", "usual", 1), ("goal", "special", 1)])
@example(story=[("wait", 86_401), ("goal", "usual", 1)])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_passes_keeps_every_limit(database: Database, story: list[tuple[object, ...]]) -> None:
    """Goals, waits, changed cues, approvals, rearmed caps and a wall clock that steps, in any order."""
    played = Played(database)
    asyncio.run(played.play(story))
    claimed = played.claimed

    for cue in POOLED.values():
        assert within(of(cue, claimed), cue.caps)
    assert within([record for record in claimed if POOLED[record.cue_id].campaign], LIMITS.campaign)
    assert within(claimed, LIMITS.everything)
    for account_id in ("bank", "cafe"):
        assert within([record for record in claimed if record.account_id == account_id], LIMITS.account)

    priorities, texts = defaultdict[tuple[str, str], set[int]](set), defaultdict[tuple[str, str], list[FiringRecord]](list)
    for record in claimed:
        priorities[record.occurrence_id, record.account_id].add(POOLED[record.cue_id].priority)
        texts[record.account_id, record.text].append(record)
    assert all(len(found) == 1 for found in priorities.values()), "two priorities fired for one occurrence"
    assert len({(record.occurrence_id, record.cue_id) for record in claimed}) == len(claimed)
    for uses in texts.values():
        for before, after in itertools.pairwise(uses):
            window_h = POOLED[after.cue_id].duplicate_window_h
            assert before.claimed_mono_ns is not None
            assert after.claimed_mono_ns is not None
            assert window_h, "a text left again that never may"
            assert after.claimed_mono_ns - before.claimed_mono_ns >= window_h * 3600 * 10**9
