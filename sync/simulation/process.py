"""One engine as a process that can die at any effect, be paused, and be resumed."""

import asyncio
import contextlib
import contextvars
import json
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import aiomqtt

from hardware.keys import DeviceKey
from hardware.link import LinkHandlers, MqttLink
from hardware.mqtt import BrokerAddress
from hardware.replay import ReplayState
from sync.control import ControlServer
from sync.engine import Engine
from sync.errors import FencedError, LedgerError
from sync.posting import AccountHealth, Certainty, Limits, Outcome, Shot, TimelineTweet, Withhold
from sync.simulation.service import Sent
from sync.snapshot import JsonObject
from sync.wire import Request
from timebase import Clock

if TYPE_CHECKING:
    from sync.simulation.world import World

P = ParamSpec("P")
T = TypeVar("T")

_OWNER: contextvars.ContextVar["Process | None"] = contextvars.ContextVar("owner", default=None)


def own_tasks(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> "asyncio.Task[Any]":
    """The loop's task factory: each task belongs to the process whose task began it, and dies with it."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
    context = options.get("context")
    owner = _OWNER.get() if context is None else context.get(_OWNER)
    if owner is not None:
        owner.tasks.append(task)
    return task


class Process:
    """One engine. `kill` takes away every effect it could still have.

    Attributes:
        number: 1 for the first of a world, 2 for the next.
        machine: where it runs; two machines stand by for each other.
        alive, running: False once it is dead; cleared while it is paused (SIGSTOP).
        halted_ns: when it died or was last paused, None if neither has happened.
        epoch: the ledger's when it took over, 0 before.
        effects_left: dies at that many effects from now; None lives on.
        engine: None before it has started and after it has ended.
        ended_with: why it ended by itself.
    """

    def __init__(self, world: "World", number: int, machine: str) -> None:
        self.world, self.number, self.machine = world, number, machine
        self.halted_ns: int | None = None
        self.epoch = 0
        self.alive = True
        self.running = asyncio.Event()
        self.running.set()
        self.effects_left: int | None = None
        self.engine: Engine | None = None
        self.line: Line | None = None
        self.ended_with: BaseException | None = None
        self.tasks: list[asyncio.Task[Any]] = []
        self._context = contextvars.copy_context()
        self._context.run(_OWNER.set, self)
        self.task = asyncio.get_running_loop().create_task(self._run(), name=f"process {number}", context=self._context)

    @property
    def listening(self) -> Engine | None:
        """The engine, while it can take anything in."""
        return self.engine if self.alive and self.running.is_set() else None

    @property
    def is_unhindered(self) -> bool:
        """Whether the next effect is certain to happen at once."""
        return self.alive and self.effects_left is None and self.running.is_set()

    async def point(self) -> None:
        """Pass, or stop here for ever when the process is dead, or as long as it is paused."""
        await self.running.wait()
        if self.effects_left is not None:
            self.effects_left -= 1
            if self.effects_left <= 0 and self.alive:
                self.alive, self.halted_ns = False, self.world.clock.mono_ns()
        if not self.alive:
            await asyncio.get_running_loop().create_future()

    def pause(self) -> None:
        """Stop here (SIGSTOP)."""
        self.running.clear()
        self.halted_ns = self.world.clock.mono_ns()

    def resume(self) -> None:
        """Go on (SIGCONT)."""
        self.running.set()

    def do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something of the engine's as one of its own tasks would."""
        return self._context.run(work, *args, **kwargs)

    def begin(self, work: Coroutine[Any, Any, T], *, name: str) -> "asyncio.Task[T]":
        """Begin something of the engine's in a task that is its own."""
        return asyncio.get_running_loop().create_task(work, name=name, context=self._context)

    async def ask(self, request: Request) -> JsonObject:
        """The engine's answer to a request on its socket."""
        assert self.engine is not None
        return await self.begin(self.engine.answer(request), name="control-client")

    async def _run(self) -> None:
        try:
            engine = await Engine.start(self.world.setup(self), self.world.ledger, Pen(self))
            async with asyncio.TaskGroup() as group:
                self.engine, self.epoch = engine, engine.epoch
                await engine.run(ControlServer(engine, group))
        except* FencedError as fenced:
            self.ended_with = fenced
        finally:
            self.engine = None

    async def kill(self) -> None:
        """End as kill -9 does: what had an effect keeps it, nothing more happens."""
        if self.alive:
            self.alive, self.halted_ns = False, self.world.clock.mono_ns()
        self.running.set()
        while left := [task for task in self.tasks if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.sleep(0)
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


class Pen:
    """The ledger's writer of a process: each transaction is an effect it can die before or after."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        process = self._process
        if not process.is_unhindered:
            await process.point()
        if process.world.ledger_broken:
            raise LedgerError("ledger: database or disk is full")
        result = work(*args, **kwargs)
        await asyncio.sleep(0)
        if not process.is_unhindered:
            await process.point()
        return result

    async def at_once(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.run(work, *args, **kwargs)

    async def standing_still(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.run(work, *args, **kwargs)

    def is_urgent(self) -> bool:
        return False

    async def aside(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return work(*args, **kwargs)

    def close(self) -> None:
        pass


class Line(MqttLink):
    """The link to the broker without the broker: messages come from the world's hand and are verified as ever."""

    def __init__(self, process: Process, handlers: LinkHandlers, replay: ReplayState, devices: tuple[DeviceKey, ...]) -> None:
        clock: Clock = process.world.clock
        address = BrokerAddress(host="simulated")
        super().__init__(address=address, devices=devices, handlers=handlers, clock=clock, replay=replay)
        self._arriving: asyncio.Queue[aiomqtt.Message] = asyncio.Queue()

    def deliver(self, message: aiomqtt.Message) -> None:
        """Hand a message over, as the broker does."""
        self._arriving.put_nowait(message)

    async def run(self) -> None:
        self.connected.set()
        while True:
            await self._take(await self._arriving.get())


class Hands:
    """The publisher of a process: X as seen over a network that loses things."""

    def __init__(self, process: Process) -> None:
        self._process, self._x, self._clock = process, process.world.x, process.world.clock

    async def warm(self, account_id: str) -> None:
        pass

    async def cool(self, account_id: str) -> None:
        pass

    async def post(self, shot: Shot, withhold: Withhold) -> Outcome:
        fields = json.loads(shot.body)
        text, media_ids = fields["text"], fields.get("media", {}).get("media_ids", ())
        sent = self._sent("post", shot.account_id, firing_id=shot.firing_id, text=text, deadline_mono_ns=shot.deadline_mono_ns)
        sent.body = shot.body.decode()
        world = self._process.world
        known = world.upkeep.has(media_ids) or not world.plot.has_media
        return await self._exchange(sent, withhold, lambda: self._x.apply_post(shot.account_id, text), refused=not known)

    async def delete(self, account_id: str, tweet_id: str, withhold: Withhold) -> Outcome:
        sent = self._sent("delete", account_id, tweet_id=tweet_id)

        def apply() -> str:
            self._x.apply_delete(account_id, tweet_id)
            return tweet_id

        return await self._exchange(sent, withhold, apply)

    async def timeline(self, account_id: str, *, since_id: int) -> list[TimelineTweet] | None:
        await self._process.point()
        if not self._x.readable:
            return None
        return [tweet for tweet in self._x.tweets.get(account_id, []) if int(tweet.tweet_id) > since_id][::-1]

    def health(self, account_id: str) -> AccountHealth:
        return AccountHealth(
            account_id=account_id, handle=account_id, connections=1, warm=True, limits=Limits(), last_answer_utc=None
        )

    async def close(self) -> None:
        pass

    def _sent(
        self,
        kind: str,
        account_id: str,
        *,
        firing_id: int = 0,
        text: str = "",
        tweet_id: str = "",
        deadline_mono_ns: int = 1 << 62,
    ) -> Sent:
        engine = self._process.engine
        return Sent(
            kind=kind,
            firing_id=firing_id,
            account_id=account_id,
            text=text,
            tweet_id=tweet_id,
            deadline_mono_ns=deadline_mono_ns,
            engine=self._process.number,
            epoch=0 if engine is None else engine.epoch,
        )

    async def _exchange(self, sent: Sent, withhold: Withhold, apply: Callable[[], str], *, refused: bool = False) -> Outcome:
        fault, latency_s = self._x.next_fault(), self._x.rng.uniform(0.001, 0.3)
        if refused and fault not in ("no_route", "lost_before"):
            fault = "media_refused"
        await self._process.point()
        if fault == "no_route":
            return self._outcome(Certainty.NOT_SENT, "connection refused", None)
        await self._clock.sleep(latency_s)
        await self._process.point()
        # The last look and the first byte are one step, as the port demands.
        late = "the deadline has passed" if self._clock.mono_ns() > sent.deadline_mono_ns else None
        if reason := late or withhold():
            return self._outcome(Certainty.NOT_SENT, reason, None)
        sent.at_mono_ns, sent.newest_epoch = self._clock.mono_ns(), self._process.world.newest_epoch()
        sent.is_lost = fault == "lost_before"
        self._x.sent.append(sent)
        what = f"{sent.kind} {sent.account_id} {sent.text or sent.tweet_id!r}"
        self._process.world.say(f"engine {sent.engine} sends {what} ({fault})")
        return await self._answered(fault, latency_s, apply)

    async def _answered(self, fault: str, latency_s: float, apply: Callable[[], str]) -> Outcome:
        first_byte_ns = self._clock.mono_ns()
        if fault == "late":
            self._process.world.later(120, apply)
            return self._outcome(Certainty.UNKNOWN, "timeout", first_byte_ns)
        if fault == "lost_before":
            return self._outcome(Certainty.UNKNOWN, "connection reset", first_byte_ns)
        if fault == "refused":
            return self._outcome(Certainty.REFUSED, "403 you are not permitted", first_byte_ns)
        if fault == "media_refused":
            return self._outcome(Certainty.REFUSED, "400 Your media IDs are invalid.", first_byte_ns, http_status=400)
        tweet_id = apply()
        await self._process.point()
        await self._clock.sleep(latency_s)
        await self._process.point()
        if fault == "lost_after":
            return self._outcome(Certainty.UNKNOWN, "connection reset", first_byte_ns)
        if fault == "bug":
            raise RuntimeError("a bug in the publisher")
        return self._outcome(Certainty.POSTED, "", first_byte_ns, tweet_id)

    def _outcome(
        self,
        certainty: Certainty,
        reason: str,
        first_byte_ns: int | None,
        tweet_id: str | None = None,
        http_status: int | None = None,
    ) -> Outcome:
        return Outcome(
            certainty=certainty,
            tweet_id=tweet_id,
            reason=reason,
            http_status=http_status,
            first_byte_mono_ns=first_byte_ns,
            answered_mono_ns=self._clock.mono_ns(),
            warm=True,
        )
