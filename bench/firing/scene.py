"""What an engine of the benchmark knows: cues, airings, fixtures, accounts, made up for one measurement.

Written to a folder as a real ledger; the engine's process (`engine.py`) opens it there.
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from schedules.airing import Airing
from sync.audit import AuditFiles
from sync.conditions import GoalCondition, SpotCondition
from sync.cues import Caps, Cue
from sync.firings import Firings
from sync.ledger import Ledger
from sync.plan_versions import PlanSource, PlanVersions
from sync.receipts import FiringRecord
from sync.setup import LEDGER_NAME
from sync.states import Action, Mode
from timebase import Clock

CHANNEL, FEED = "nord", "main"
NO_CAPS = Caps(per_minute=10**9, per_hour=10**9, per_day=10**9)
OPEN_FOR = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One measurement's world.

    Attributes:
        spots: each has one airing, open now.
        fixtures: whose goals the engine's process can be told to make up.
        mqtt_fixture: the fixture whose goals come signed over MQTT, empty when none do.
        connections: kept open for each account.
    """

    cues: tuple[Cue, ...]
    spots: tuple[str, ...] = ()
    fixtures: tuple[str, ...] = ()
    mqtt_fixture: str = ""
    mode: Mode = Mode.LIVE
    connections: int = 2

    @property
    def accounts(self) -> tuple[str, ...]:
        """Every account a cue posts from."""
        return tuple(dict.fromkeys(cue.account_id for cue in self.cues))


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOrder:
    """What an engine's process is started with, as JSON in a file of its folder."""

    accounts: tuple[str, ...]
    fixtures: tuple[str, ...]
    mqtt_fixture: str
    mqtt_port: int
    connections: int
    api_base: str
    sandbox_dir: str
    state_dir: str = field(default="")

    def write(self, path: Path) -> None:
        """Leave it for the process."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "EngineOrder":
        """What was left."""
        return cls(**json.loads(path.read_text()))


def spot_cue(name: str, *, account: str, spots: tuple[str, ...], variants: int, audience_delay_ms: int = 0) -> Cue:
    """A cue for spots, with that many texts."""
    on = SpotCondition(kind="spot", spots=spots, channel=CHANNEL)
    return _cue(name, account, tuple(f"{name}, text {number} #ad" for number in range(variants)), on, audience_delay_ms)


def goal_cue(name: str, *, account: str, fixture: str, side: Literal["home", "away", "any"] = "any") -> Cue:
    """A cue for a fixture's goals; each goal's text is another one."""
    text = "{home} {home_score}:{away_score} {away} #ad"
    return _cue(name, account, (text,), GoalCondition(kind="goal", fixture=fixture, side=side))


def _cue(
    name: str, account: str, variants: tuple[str, ...], on: SpotCondition | GoalCondition, audience_delay_ms: int = 0
) -> Cue:
    return Cue(
        cue_id=name,
        name=name,
        author="author",
        account_id=account,
        deadline_ms=10_000,
        audience_delay_ms=audience_delay_ms,
        taken_back="leave",
        variants=variants,
        caps=NO_CAPS,
        on=on,
    )


def write_ledger(scene: Scene, target: Path | str, clock: Clock, *, audit: AuditFiles | None = None) -> None:
    """Make the scene's ledger in a file (or at a PostgreSQL URL): cues approved, every spot's airing open."""
    now_utc = clock.utc()
    airings = [
        Airing(
            airing_id=f"{CHANNEL}/{spot}/1",
            channel=CHANNEL,
            spot_id=spot,
            number=1,
            planned_utc=now_utc,
            opens_utc=now_utc - OPEN_FOR,
            closes_utc=now_utc + OPEN_FOR,
            raw="",
            row=row,
        )
        for row, spot in enumerate(scene.spots, start=1)
    ]
    ledger = Ledger.open(target, clock=clock, mode=scene.mode, audit=audit)
    try:
        ledger.import_cues(scene.cues, actor="author")
        for cue in scene.cues:
            ledger.approve_cue(cue.cue_id, approved_by="approver")
        PlanVersions(ledger).commit("plan", airings, PlanSource(actor="planner"))
    finally:
        ledger.close()


def read_posts(folder: Path) -> tuple[FiringRecord, ...]:
    """Every post of an engine's ledger."""
    ledger = Ledger.open(folder / LEDGER_NAME)
    try:
        records = Firings(ledger, epoch=0, boot_id="").recent(limit=1_000_000)
        return tuple(record for record in records if record.action is Action.POST)
    finally:
        ledger.close()
