"""The demonstration's story: who is started when, when it goes live, and what is asked at its end."""

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from statistics import median
from typing import Any

import aiohttp

from console.demo.screen import Screen
from console.demo.stage import Stage, utc_of
from console.demo.verdict import Aired, Verdict, expected_goals, expected_spots, judge
from console.ledgers import open_ledger
from console.supervisor import Supervisor
from schedules.airing import Airing
from sync.client import ControlClient
from timebase import Clock

LIVE_FROM_S = 16.0
"""Until here the programme is rehearsed: one spot and one goal fire without leaving."""
LEFT_OUT = "vinterdack-20"
"""The spot that airs without being planned."""
SETTLE_S = 10.0
"""How long after the programme's end an outcome may still come in."""
PASSES_KEPT_MAX = 10
OPEN_STATES = frozenset({"CLAIMED", "UNKNOWN"})


@dataclass(slots=True)
class Heard:
    """What the engine has told so far."""

    firings: dict[int, dict[str, Any]] = field(default_factory=dict)
    detections: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a demonstration that ran once came out."""

    verdict: Verdict
    figures: dict[str, Any]


async def tell(stage: Stage, *, clock: Clock, screen: Screen, once: bool) -> Ending | None:
    """Play the demonstration; with `once` judge it at the programme's end, else play on until cancelled.

    Raises:
        ConsoleError: a process could not be started.
    """
    passes: asyncio.Queue[int] = asyncio.Queue(maxsize=PASSES_KEPT_MAX)

    def on_line(name: str, facts: dict[str, Any]) -> None:
        if name == "television" and facts.get("on_air"):
            passes.put_nowait(facts["mono_ns"])

    heard = Heard()
    async with Supervisor(clock=clock, log_dir=stage.folder / "log", on_line=on_line) as family:
        await _raise_the_house(stage, family, screen, once=once)
        screen.opening(stage)
        async with contextlib.AsyncExitStack() as stack:
            follower = asyncio.create_task(_follow(stage, heard, screen), name="follow the engine")
            stack.push_async_callback(_cancelled, follower)
            screen.say("waiting for the listener to tune in …")
            began_mono_ns = await passes.get()
            await _begin(stage, family, began_mono_ns, clock=clock, screen=screen)
            if not once:
                await _play_on(stage, passes, [utc_of(began_mono_ns, clock=clock)], clock=clock, screen=screen)
                return None
            await family.ended("television")
            screen.say("the programme is over; waiting for the last answers …")
            await _settled(heard, clock)
            return await _judged(stage, heard, began_mono_ns, clock)


async def _raise_the_house(stage: Stage, family: Supervisor, screen: Screen, *, once: bool) -> None:
    """Start everything that must be there before the first sample; the programme begins when the listener tunes in."""
    screen.say("starting the X sandbox and the broker …")
    await asyncio.gather(family.start_ready(stage.sandbox()), family.start_ready(stage.broker()))
    screen.say("starting the engine and the console …")
    where = ("--config", str(stage.config_path))
    await family.start_ready(stage.child("engine", "run", "engine", *where))
    television, console = stage.television(once=once), stage.child("console", "run", "console", *where)
    await asyncio.gather(family.start_ready(television), family.start_ready(console))
    screen.say("starting the listener … (the first time its matcher is compiled, which takes some seconds)")
    for feed in stage.config.feeds:
        await family.start(stage.child(f"listener-{feed.id}", "run", "listener", feed.id, *where))


async def _begin(stage: Stage, family: Supervisor, began_mono_ns: int, *, clock: Clock, screen: Screen) -> None:
    """On air: the plan is imported, the match begins, and after a rehearsal the engine goes live."""
    began_utc = utc_of(began_mono_ns, clock=clock)
    screen.say(f"[bold]on air[/bold] at {began_utc:%H:%M:%S} UTC; mode [bold cyan]REHEARSAL[/bold cyan]: nothing leaves")
    await asyncio.gather(family.start_ready(stage.scoreboard()), _import_plan(stage, [began_utc]))
    await family.start(stage.gateway())
    await clock.sleep_until(began_mono_ns + round(LIVE_FROM_S * 1e9))
    left = await _tweets(stage)
    screen.say(f"rehearsed; tweets on the sandbox: {len(left)}. Mode [bold red]LIVE[/bold red] from here on")
    async with ControlClient(stage.socket_path) as client:
        await client.request("mode", mode="LIVE", actor="demo")


async def _play_on(
    stage: Stage, passes: "asyncio.Queue[int]", begun_utc: list[datetime], *, clock: Clock, screen: Screen
) -> None:
    """Loop: each pass of the programme is added to the plan."""
    screen.say("the programme plays in a loop; stop with Ctrl-C")
    while True:
        begun_utc.append(utc_of(await passes.get(), clock=clock))
        del begun_utc[:-PASSES_KEPT_MAX]
        await _import_plan(stage, begun_utc)
        screen.say(f"[dim]the programme begins again at {begun_utc[-1]:%H:%M:%S} UTC[/dim]")


async def _import_plan(stage: Stage, begun_utc: list[datetime]) -> None:
    """Import the plan with the very command a media buyer's system would call."""
    path = stage.plan(begun_utc, left_out=LEFT_OUT)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console.cli", "schedule", "import", str(path), "--config", str(stage.config_path)),
        *("--day-start", "00:00"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the demonstration's own plan was not accepted: {complaint.decode().strip()}")


async def _follow(stage: Stage, heard: Heard, screen: Screen) -> None:
    """Note every firing and detection the engine tells of."""
    async with ControlClient(stage.socket_path) as client:
        async for event in client.events():
            if event.event == "firing":
                before = heard.firings.get(event.data["firing_id"])
                heard.firings[event.data["firing_id"]] = dict(event.data)
                if before is None or before["state"] != event.data["state"]:
                    screen.firing(event.data)
            elif event.event == "detection":
                heard.detections.append(dict(event.data))


async def _settled(heard: Heard, clock: Clock) -> None:
    """Return when no outcome is open any more, or it has taken too long."""
    until_ns = clock.mono_ns() + round(SETTLE_S * 1e9)
    await clock.sleep(1.0)
    while clock.mono_ns() < until_ns and any(firing["state"] in OPEN_STATES for firing in heard.firings.values()):
        await clock.sleep(0.2)


async def _judged(stage: Stage, heard: Heard, began_mono_ns: int, clock: Clock) -> Ending:
    airings = _stored_airings(stage)
    began_utc = utc_of(began_mono_ns, clock=clock)
    aired = [
        Aired(
            spot_id=spot_id,
            onset_s=onset_s,
            cue_id=stage.spot_cues[spot_id],
            occurrence_id=_planned(airings, spot_id, began_utc, onset_s),
        )
        for spot_id, onset_s in stage.truth.airings
    ]
    goals = expected_goals(
        stage.match,
        fixture=stage.config.fixtures[0].id,
        cues=stage.goal_cues,
        live_from_s=LIVE_FROM_S,
        until_s=stage.truth.length_s - 2,
    )
    expected = sorted([*expected_spots(aired, live_from_s=LIVE_FROM_S), *goals], key=lambda one: one.at_s)
    firings = list(heard.firings.values())
    verdict = judge(expected, firings, await _tweets(stage))
    onsets_ns = [began_mono_ns + round(onset_s * 1e9) for _, onset_s in stage.truth.airings]
    figures = _figures(onsets_ns, heard.detections, firings)
    missed = len(stage.truth.airings) - figures["spots_heard"]
    if missed:
        verdict = replace(verdict, surplus=(*verdict.surplus, f"{missed} of the programme's spots were not heard"))
    return Ending(verdict=verdict, figures=figures)


def _stored_airings(stage: Stage) -> tuple[Airing, ...]:
    with open_ledger(stage.config) as ledger:
        return ledger.airings()


def _planned(airings: Sequence[Airing], spot_id: str, began_utc: datetime, onset_s: float) -> str | None:
    """The occurrence of the planned airing of this spot at this moment, None when no plan has it."""
    for airing in airings:
        if airing.spot_id == spot_id and abs((airing.planned_utc - began_utc).total_seconds() - onset_s) < 1.5:
            return f"airing:{airing.airing_id}"
    return None


def _figures(onsets_ns: Sequence[int], detections: Sequence[dict[str, Any]], firings: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Milliseconds that were measured, from instants of one monotonic clock."""
    late_ms = []
    for onset_ns in onsets_ns:
        after = [
            detection["decided_mono_ns"] - onset_ns
            for detection in detections
            if abs(detection["onset_mono_ns"] - onset_ns) < 1e9
        ]
        if after:
            late_ms.append(min(after) / 1e6)
    fired = [
        (firing["receipt"]["first_byte_mono_ns"] - firing["receipt"]["decided_mono_ns"]) / 1e6
        for firing in firings
        if firing["mode"] == "LIVE" and firing["action"] == "post" and firing["receipt"].get("first_byte_mono_ns")
    ]
    return {
        "spots_aired": len(onsets_ns),
        "spots_heard": len(late_ms),
        "decided_ms": {"median": round(median(late_ms or [0]), 1), "max": round(max(late_ms or [0]), 1)},
        "decided_to_first_byte_ms": {"median": round(median(fired or [0]), 3), "max": round(max(fired or [0]), 3)},
    }


async def _tweets(stage: Stage) -> list[dict[str, Any]]:
    """Every tweet of the sandbox, deleted ones too."""
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{stage.page_url}sandbox/tweets") as answer:
        tweets: list[dict[str, Any]] = await answer.json()
        return tweets


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
