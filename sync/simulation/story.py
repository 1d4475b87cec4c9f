"""What happens in a seed: some seconds in which anything may, then quiet until everything has come to rest."""

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, Literal

import aiomqtt

from hardware.events import ScoreKind
from sync.errors import SyncError
from sync.simulation.approvers import Approvers
from sync.simulation.invariants import Invariants
from sync.simulation.pair import Pair
from sync.simulation.process import Process
from sync.simulation.storage import scene_cues
from sync.simulation.world import DEVICES, Span, World
from sync.states import Mode
from sync.wire import Kill, Release, Reload, Request, SetMode, Settle, Veto

LIKELY, FAVOURED = 0.45, 0.35
"""Shares of a story's steps: what happens all evening, and those rare things of which this story has more than others."""
FAVOURITES = 4
"""Rare things that a story favours. Bugs that need two of them are found sooner where each story has a few of them often
than where every story has all of them seldom (swarm testing: Groce and others, ISSTA 2012)."""
FAULTS = (*["none"] * 6, "no_route", "lost_before", "lost_after", "refused", "bug", "late")
WRONG_S_MAX = 7200
"""The wall clock is never wrong by more: the reconciler looks back three hours."""
BEGINS_S_MAX = 28.0
"""The last window of the plan opens then."""
REST_S = 240.0
"""Quiet at the end: a request applied two minutes late has been found by then, and taken down where its goal was taken back."""


class Story:
    """Plays one seed and judges it after each step."""

    def __init__(self, world: World, invariants: Invariants) -> None:
        self.world, self.rng, self.truth, self.invariants = world, world.rng, world.truth, invariants
        self.current: Process
        self.goals: list[tuple[int, datetime]] = []
        self.corrections: list[tuple[int, datetime]] = []
        self.messages: list[tuple[aiomqtt.Message, datetime]] = []
        self.takes: dict[int, int] = {}
        self.points, self.wrong_s, self.edits = 0, 0, 0
        self.pair, self.approvers = Pair(self), Approvers(self)

    async def play(self) -> None:
        """Play to the end.

        Raises:
            BrokenGuaranteeError: by the first guarantee that does not hold.
        """
        self.world.x.faults = [self.rng.choice(FAULTS) for _ in range(100)]
        if self.world.plot.has_standby:
            self.pair.begin()
        self.current = await self.world.start()
        # A short story begins anywhere in the evening: mostly where a window is open.
        await self.pass_time(self.rng.uniform(0, BEGINS_S_MAX))
        likely: list[Callable[[], Coroutine[Any, Any, None]]] = [self.hear] * 5 + [self.score] * 4 + [self.wait, self.play_on]
        rare: list[Callable[[], Coroutine[Any, Any, None]]] = [
            *(self.score_again, self.correct, self.correct_again, self.redeliver, self.retained, self.burst),
            *(self.die_soon, self.restart, self.pause, self.step_clock, self.break_disk, self.break_disk),
            *(self.kill, self.kill, self.kill_outside, self.hold, self.change_cue, self.change_mode, self.veto, self.settle),
            *(self.approvers.withdraw, self.approvers.let_end, self.rearm),
            *((self.pair.stand_by, self.pair.stand_by, self.pair.fall_silent) if self.world.plot.has_standby else ()),
        ]
        favoured = self.rng.sample(rare, FAVOURITES)
        for _ in range(self.world.plot.steps):
            (among,) = self.rng.choices((likely, favoured, rare), (LIKELY, FAVOURED, 1 - LIKELY - FAVOURED))
            await self.rng.choice(among)()
            self.invariants.check()
            await self.pass_time(self.rng.uniform(0, 0.4))
            await self.revive()
        self.current.effects_left = None
        await self.revive()
        await self.pair.end()
        await self.pass_time(10)
        self.world.say("all is quiet, and the network well")
        self.world.x.faults, self.world.upkeep.calm = [], True
        await self.pass_time(REST_S)
        self.invariants.check_at_rest()

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and judge."""
        await self.world.clock.advance(seconds)
        self.invariants.check()

    # --- processes ------------------------------------------------------------------------------

    async def revive(self) -> None:
        if not self.current.alive or self.current.task.done():
            self.world.say(f"engine {self.current.number} has died")
            await self.pass_time(self.rng.uniform(0, 3))
            if self.rng.random() < 0.5 or not await self.pair.take_over():
                await self.restart()
        self.pair.look()

    async def restart(self) -> None:
        """kill -9, and the supervisor starts it again."""
        await self.current.kill()
        self.current = await self.world.start(self.current.machine)

    async def die_soon(self) -> None:
        self.current.effects_left = self.rng.randrange(1, 12)
        self.world.say(f"engine {self.current.number} will die in {self.current.effects_left} effects")

    async def pause(self) -> None:
        """A paused engine is replaced, and later goes on where it stood."""
        self.world.say(f"engine {self.current.number} is paused")
        self.current.pause()
        paused, self.current = self.current, await self.world.start(self.current.machine)
        self.world.hear()
        await self.pass_time(self.rng.uniform(0, 2))
        self.world.say(f"engine {paused.number} goes on")
        paused.resume()

    async def step_clock(self) -> None:
        """The wall clock steps."""
        step_s = self.rng.choice([-3600, -5, 5, 3600])
        if abs(self.wrong_s + step_s) <= WRONG_S_MAX:
            self.wrong_s += step_s
            self.world.say(f"the wall clock steps by {step_s} s")
            self.world.clock.step_utc(timedelta(seconds=step_s))

    async def break_disk(self) -> None:
        """The disk is full for a moment."""
        self.world.say("the disk is full")
        self.world.ledger_broken = True
        await self.rng.choice([self.hear, self.score])()
        await self.pass_time(self.rng.uniform(0, 1))
        self.world.ledger_broken = False
        self.world.say("the disk has room again")

    # --- what is on air -------------------------------------------------------------------------

    async def wait(self) -> None:
        await self.pass_time(self.rng.uniform(0, 1))

    async def hear(self) -> None:
        """A listener reports a spot: mostly one that is planned now, sometimes another one or one of seconds ago."""
        ago_s = self.rng.uniform(0.1, self.rng.choice([0.5, 5]))
        onset_utc = self.world.clock.utc() - timedelta(seconds=ago_s)
        planned = [one.spot_id for one in self.world.airings if one.opens_utc <= onset_utc <= one.closes_utc]
        spot_id, feed_id = self.rng.choice(["kaffee-30", "kaffee-20", *planned * 4]), self.rng.choice(["main", "backup"])
        self.world.say(f"{feed_id} hears {spot_id}")
        self.world.hear(spot_id, feed_id=feed_id, ago_s=ago_s)
        if self.rng.random() < 1 / 4:
            other = "backup" if feed_id == "main" else "main"
            self.world.say(f"{other} hears it too")
            self.world.hear(spot_id, feed_id=other, ago_s=ago_s + 0.02)

    async def score(self) -> None:
        self.points += 1
        utc = self.world.clock.utc() - timedelta(milliseconds=50)
        take = self.takes[self.points] = self.takes.get(self.points, 0) + 1
        self.truth.of_goal[utc] = f"goal {self.points}, take {take}"
        self.goals.append((self.points, utc))
        self.world.say(f"goal: {self.points}:0")
        self.publish(ScoreKind.GOAL, self.points, utc)
        if self.rng.random() < (1 / 2 if self.world.plot.needs_both else 1 / 5):
            self.tell_again(self.points, utc)

    async def play_on(self) -> None:
        """Play goes on: what is on the board stands."""
        self.world.say("play goes on")
        self.publish(ScoreKind.RESTART, self.points, self.world.clock.utc() - timedelta(milliseconds=50))

    async def burst(self) -> None:
        """Four goals in one reading's time."""
        for _ in range(4):
            await self.score()
            await self.world.clock.advance(0.001)

    async def score_again(self) -> None:
        """The second gateway's report of a goal, with a clock of its own (less wrong than a correction takes to come)."""
        if self.goals:
            self.tell_again(*self.rng.choice(self.goals))

    def tell_again(self, points: int, utc: datetime) -> None:
        again = utc + timedelta(milliseconds=self.rng.randrange(20), microseconds=500)
        while again in self.truth.of_goal:  # by its instant a report is known
            again += timedelta(microseconds=1)
        if not any(utc <= corrected <= again for _, corrected in self.corrections):
            self.truth.of_goal.setdefault(again, self.truth.of_goal[utc])
            self.world.say(f"the second gateway tells of goal {points}:0")
            self.publish(ScoreKind.GOAL, points, again, gateway=1)

    async def correct(self) -> None:
        """The newest goal is taken back, and every other time the second gateway says so too."""
        if not self.points:
            await self.score()
            await self.pass_time(self.rng.uniform(0.1, 1))
        if self.points:
            utc = self.world.clock.utc() - timedelta(milliseconds=50)
            if not self.goals or self.goals[-1][1] >= utc:
                return
            self.truth.taken_back.add(f"goal {self.points}, take {self.takes[self.points]}")
            self.points -= 1
            self.corrections.append((self.points, utc))
            self.world.say(f"the goal is taken back: {self.points}:0")
            self.publish(ScoreKind.CORRECTION, self.points, utc)
            if self.rng.random() < 1 / 2:
                await self.pass_time(self.rng.uniform(0, 1))
                await self.correct_again()

    async def correct_again(self) -> None:
        if self.corrections:
            points, utc = self.rng.choice(self.corrections)
            self.publish(ScoreKind.CORRECTION, points, utc, gateway=1)

    async def redeliver(self) -> None:
        """The broker delivers a message once more, as QoS 1 allows, or somebody replays it."""
        if self.messages:
            message, utc = self.rng.choice(self.messages)
            self.world.say("the broker delivers a message again")
            self.world.publish(message, event_utc=utc)

    async def retained(self) -> None:
        """A gateway in error retains a goal that is scored while the engine is down: the next one gets it at its subscription."""
        await self.current.kill()
        self.points += 1
        utc = self.world.clock.utc() - timedelta(milliseconds=50)
        take = self.takes[self.points] = self.takes.get(self.points, 0) + 1
        self.truth.of_goal[utc] = f"goal {self.points}, take {take}"
        self.goals.append((self.points, utc))
        message = self.world.signed(ScoreKind.GOAL, self.points, event_utc=utc)
        message.retain = True
        await self.pass_time(self.rng.uniform(0, 2))
        self.current = await self.world.start(self.current.machine)
        if self.current.line is not None:
            self.world.say(f"a retained message tells of goal {self.points}:0")
            self.current.do(self.current.line.deliver, message)

    def publish(self, kind: ScoreKind, points: int, utc: datetime, *, gateway: int = 0) -> None:
        """Publish under the gateway's signature; the broker may be late with it."""
        message = self.world.signed(kind, points, event_utc=utc, device=DEVICES[gateway])
        self.messages.append((message, utc))
        self.world.publish(message, event_utc=utc)

    # --- the operator ---------------------------------------------------------------------------

    async def kill(self) -> None:
        """Kill, wait for the answer, see that nothing leaves until the release; the engine is released or started anew."""
        await self.under_way()
        process = self.current
        if await self.ask(Kill(op="kill", actor="ops", reason="test")):
            span = Span(self.world.clock.mono_ns())
            self.truth.killed.append(span)
            self.truth.stopped.append(span)
            self.world.say("the kill is acknowledged")
            await self.world.clock.advance(0.001)
            await self.rng.choice([self.hear, self.score])()
            await self.pass_time(self.rng.uniform(0.1, 3))
            span.until_ns = self.world.clock.mono_ns()
        self.world.say("the kill is released")
        if process.listening is not None and self.rng.random() < 0.7:
            await self.ask(Release(op="release", actor="ops", reason="test"))
        else:
            self.world.ledger.release(actor="ops", reason="test")
            await self.restart()

    async def under_way(self) -> None:
        """Every other time something is on its way to X when a person acts."""
        if self.rng.random() < 1 / 2:
            await self.rng.choice([self.hear, self.score])()
            await self.pass_time(self.rng.uniform(0, 0.3))

    async def kill_outside(self) -> None:
        """The command line writes the kill to the ledger; the engine learns of it by looking."""
        self.world.ledger.kill(actor="cli", reason="test")
        span = Span(self.world.clock.mono_ns())
        self.truth.killed.append(span)
        self.world.say("killed from outside")
        await self.world.clock.advance(0.001)
        await self.rng.choice([self.hear, self.score])()
        await self.pass_time(self.rng.uniform(0.1, 2))
        span.until_ns = self.world.clock.mono_ns()
        self.world.ledger.release(actor="cli", reason="test")
        self.world.say("released from outside")

    async def hold(self) -> None:
        """Hold a cue for a while, or let one go that a cap has disarmed."""
        cue_id = self.rng.choice(["now", "else", "later", "goal"])
        self.world.ledger.hold_cue(cue_id, actor="ops", reason="test")
        span = Span(self.world.clock.mono_ns())
        self.truth.held.setdefault(cue_id, []).append(span)
        self.world.say(f"cue {cue_id} is held")
        await self.world.clock.advance(0.001)
        await self.rng.choice([self.hear, self.score])()
        await self.pass_time(self.rng.uniform(0.1, 1))
        span.until_ns = self.world.clock.mono_ns()
        self.let_go(cue_id)

    async def rearm(self) -> None:
        """Let every cue go again that a cap has disarmed; the caps count on."""
        for (cue_id,) in self.world.rows("SELECT cue_id FROM cue WHERE hold_actor = 'cap' ORDER BY cue_id"):
            self.let_go(cue_id)
        await self.rng.choice([self.hear, self.score, self.burst])()

    def let_go(self, cue_id: str) -> None:
        """Rearm a cue, once what has happened to it so far has been judged."""
        self.invariants.check()
        self.world.ledger.hold_cue(cue_id, actor="ops", reason="")
        self.truth.rearmed[cue_id] = self.world.clock.mono_ns()
        self.world.say(f"cue {cue_id} is rearmed")

    async def change_cue(self) -> None:
        """Change a cue's texts: nothing of it may leave until somebody approves them, whether or not the engine has read them."""
        cue = self.rng.choice([one for one in scene_cues() if one.on.kind == "spot"])
        self.edits += 1
        changed = dataclasses.replace(cue, variants=tuple(f"{text} ({self.edits})" for text in cue.variants))
        self.world.ledger.import_cues([changed], actor="sponsor")
        span = Span(self.world.clock.mono_ns())
        self.truth.unapproved.setdefault(cue.cue_id, []).append(span)
        self.world.say(f"cue {cue.cue_id} is changed")
        if self.rng.random() < 0.5:
            await self.ask(Reload(op="reload"))
        await self.world.clock.advance(0.001)
        await self.hear()
        await self.pass_time(self.rng.uniform(0.1, 2))
        span.until_ns = self.world.clock.mono_ns()
        self.truth.texts[cue.cue_id] |= set(changed.variants)
        self.world.ledger.approve_cue(cue.cue_id, approved_by="approver")
        self.world.say(f"cue {cue.cue_id} is approved")
        await self.ask(Reload(op="reload"))

    async def change_mode(self) -> None:
        """Another mode for a while: nothing leaves in it, and what it declined is not caught up."""
        await self.under_way()
        mode: Literal["OFF", "REHEARSAL"] = self.rng.choice(("OFF", "REHEARSAL"))
        if await self.ask(SetMode(op="mode", mode=mode, actor="ops")):
            span = Span(self.world.clock.mono_ns())
            self.truth.not_live.append(span)
            self.world.say(f"the mode is {mode}")
            await self.world.clock.advance(0.001)
            await self.rng.choice([self.hear, self.score])()
            await self.pass_time(self.rng.uniform(0.1, 2))
            span.until_ns = self.world.clock.mono_ns()
        if not await self.ask(SetMode(op="mode", mode="LIVE", actor="ops")):
            self.world.ledger.set_mode(Mode.LIVE, actor="cli")
            await self.restart()
        self.world.say("the mode is LIVE")

    async def veto(self) -> None:
        """Stop a tweet that waits for its viewers."""
        waiting = [firing_id for (firing_id,) in self.world.rows("SELECT firing_id FROM firing WHERE state = 'ARMED'")]
        if not waiting:
            self.world.hear()
            await self.pass_time(self.rng.uniform(0, 2))
            waiting = [firing_id for (firing_id,) in self.world.rows("SELECT firing_id FROM firing WHERE state = 'ARMED'")]
        if waiting:
            firing_id = self.rng.choice(waiting)
            if await self.ask(Veto(op="veto", firing_id=firing_id, actor="ops", reason="test")):
                self.truth.vetoed.add(firing_id)
                self.world.say(f"firing {firing_id} is vetoed")
                await self.hear()

    async def settle(self) -> None:
        """A person looks at the timeline, and says what became of an unknown firing: what is there, or is known to be lost."""
        lost = {sent.firing_id for sent in self.world.x.sent if sent.is_lost and sent.kind == "post"}
        unknown = self.world.rows(
            "SELECT firing_id, account_id, text FROM firing WHERE state IN ('UNKNOWN', 'NOT_SEEN') AND action = 'post'"
        )
        for firing_id, account_id, text in unknown:
            there = [tweet.tweet_id for tweet in self.world.x.tweets.get(account_id, []) if tweet.text == text]
            if not there and firing_id not in lost:
                continue
            state: Literal["POSTED", "NOT_SEEN"] = "POSTED" if there else "NOT_SEEN"
            tweet_id = there[0] if there else None
            request = Settle(op="settle", firing_id=firing_id, state=state, actor="ops", reason="test", tweet_id=tweet_id)
            if await self.ask(request):
                self.truth.settled[firing_id] = state
                self.world.say(f"a person settles firing {firing_id}: {state}")
                await self.rng.choice([self.hear, self.score_again])()
            return

    async def ask(self, request: Request) -> bool:
        """Ask the engine; whether it answered at once, and not with a refusal. One that dies meanwhile never answers."""
        process = self.current
        if process.listening is None:
            return False
        asked = process.begin(process.ask(request), name="ask")
        await self.world.clock.advance(0)
        asked.cancel()
        try:
            await asked
        except (asyncio.CancelledError, SyncError):
            return False
        return True
