"""The ledger's database in memory, set back to the same beginning for each story: the same code, without a disk."""

import dataclasses
import hashlib
import shutil
import tempfile
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from schedules.airing import Airing
from sync.audit import AuditChain
from sync.conditions import GoalCondition
from sync.cues import Cue, parse_cues
from sync.database import IN_MEMORY, Database
from sync.ledger import Ledger
from sync.media import Media
from sync.media_files import FOLDER_NAME, MediaStore
from sync.plan_versions import PlanSource, PlanVersions
from sync.simulation.plot import Plot
from sync.states import Mode
from timebase import Clock, VirtualClock

CUES = """
[[cue]]
id = "now"
name = "Coffee on air"
author = "sponsor"
account = "coffee"
deadline_ms = 3000
variants = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
caps = { per_minute = 60, per_hour = 600, per_day = 2400 }
[cue.on]
kind = "spot"
spots = ["kaffee-30", "kaffee-20"]
channel = "nord"

[[cue]]
id = "else"
name = "Coffee on air, where the first may not speak"
author = "sponsor"
account = "coffee"
priority = -1
deadline_ms = 3000
variants = ["uno", "due", "tre", "quattro", "cinque", "sei", "sette", "otto"]
caps = { per_minute = 60, per_hour = 600, per_day = 2400 }
[cue.on]
kind = "spot"
spots = ["kaffee-30"]
channel = "nord"

[[cue]]
id = "later"
name = "Coffee for cable viewers"
author = "sponsor"
account = "cable"
deadline_ms = 6000
audience_delay_ms = 2500
variants = ["eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht"]
caps = { per_minute = 60, per_hour = 600, per_day = 2400 }
[cue.on]
kind = "spot"
spots = ["kaffee-30"]
channel = "nord"

[[cue]]
id = "goal"
name = "Goal"
author = "sponsor"
account = "bank"
deadline_ms = 4000
taken_back = "delete"
variants = [
  "Goal! {home} {home_score}:{away_score} {away}",
  "{home_score}:{away_score} after {clock}",
  "{home_score}:{away_score}, {home}!",
]
caps = { per_minute = 7, per_hour = 600, per_day = 2400 }
[cue.on]
kind = "goal"
fixture = "final"
side = "any"
"""
CAP_IF_TIGHT = 3
GATEWAYS = ("oes-1", "oes-2")
"""The devices that read the same scoreboard."""
FIRST, SECOND = "first", "second"
"""Machines that may fire from one ledger."""
PICTURE_BYTES = b"a picture; nobody looks at more than its hash"
PICTURE = Media(
    file="goal.png",
    sha256=hashlib.sha256(PICTURE_BYTES).hexdigest(),
    media_type="image/png",
    category="tweet_image",
    size_bytes=len(PICTURE_BYTES),
    width=64,
    height=48,
    alt="the goal",
)
CORRECTING: dict[str, Any] = {
    "taken_back": "correct",
    "corrections": (
        "No goal for {side} after all.",
        "{side}: it does not count.",
        "Taken back from {side}.",
        "Not {side}, not yet.",
    ),
}
"""What a goal's cue says where it corrects instead of deleting."""
PLAN = ((5, 30), (14, 20), (23, 30), (32, 30))
"""Seconds after the beginning at which a spot of that length is planned."""


@cache
def scene_cues() -> tuple[Cue, ...]:
    """The cues every story begins with."""
    return parse_cues(CUES.encode(), source="simulation")


def goal_cue(plot: Plot) -> Cue:
    """The goal's cue as a story has it."""
    goal = next(cue for cue in scene_cues() if cue.cue_id == "goal")
    media = (PICTURE,) if plot.has_media else ()
    caps = dataclasses.replace(goal.caps, per_minute=CAP_IF_TIGHT) if plot.caps_are_tight else goal.caps
    on = dataclasses.replace(goal.on, devices=GATEWAYS) if isinstance(goal.on, GoalCondition) and plot.needs_both else goal.on
    return dataclasses.replace(
        goal,
        on=on,
        **(CORRECTING if plot.corrects else {}),
        confirm_restart=plot.confirm_restart,
        caps=caps,
        media=media,
        media_fallback="text" if plot.text_alone else "disarm",
    )


class Storage:
    """One database for many stories, one after the other, and a folder with the picture of those that have one."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cuebird-simulation-"))
        for machine in (FIRST, SECOND):
            copy = MediaStore(self.state_dir(machine) / FOLDER_NAME).path_of(PICTURE)
            copy.parent.mkdir(parents=True)
            copy.write_bytes(PICTURE_BYTES)
        self.database = Database(IN_MEMORY)
        self.chain = AuditChain(None)
        with self.database.reading() as connection:
            driver: Any = connection.connection.driver_connection
        self.driver = driver
        # A story's clock begins where this one stands.
        ledger = Ledger(self.database, VirtualClock(), self.chain)
        ledger.begin(Mode.LIVE)
        ledger.import_cues(scene_cues(), actor="sponsor")
        for cue in scene_cues():
            ledger.approve_cue(cue.cue_id, approved_by="approver")
        self.airings = _airings(ledger.clock)
        PlanVersions(ledger).commit("plan", self.airings, PlanSource(actor="planner"))
        self._beginning: bytes = self.driver.serialize()
        self._beginnings = {goal_cue(Plot()): self._beginning}

    def ledger(self, clock: Clock, *, goal: Cue) -> Ledger:
        """The ledger as it stands at the beginning of a story.

        Args:
            goal: the goal's cue as this story has it.
        """
        if goal not in self._beginnings:
            self._begin_with(goal)
        self.driver.deserialize(self._beginnings[goal])
        return Ledger(self.database, clock, self.chain)

    def state_dir(self, machine: str) -> Path:
        """Where a machine has its files."""
        return self.folder if machine == FIRST else self.folder / machine

    def _begin_with(self, goal: Cue) -> None:
        """Keep this beginning too: to import and approve it anew costs as much as a step of a story."""
        self.driver.deserialize(self._beginning)
        ledger = Ledger(self.database, VirtualClock(), self.chain)
        ledger.import_cues([goal], actor="sponsor")
        ledger.approve_cue(goal.cue_id, approved_by="approver")
        self._beginnings[goal] = self.driver.serialize()

    def close(self) -> None:
        """Let the memory and the folder go."""
        self.database.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _airings(clock: Clock) -> tuple[Airing, ...]:
    start = clock.utc()
    return tuple(
        Airing(
            airing_id=f"nord/kaffee-{length}/2027-03-01/{number}",
            channel="nord",
            spot_id=f"kaffee-{length}",
            number=number,
            planned_utc=start + timedelta(seconds=at_s),
            opens_utc=start + timedelta(seconds=at_s - 4),
            closes_utc=start + timedelta(seconds=at_s + 4),
            raw="",
            row=number,
        )
        for number, (at_s, length) in enumerate(PLAN, start=1)
    )
