"""The engine: reports come in, signals are decided on, firings leave, and everybody is told.

`run_engine` is the table of contents; the parts are `translate` and `decide` (what does it mean),
`shooter` (fire it), `reconciler` (what became of it), `board` (what is shown) and `control` (to whom).
"""

import asyncio
import contextlib
import dataclasses
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, assert_never

from fingerprints.events import Detection, FeedStatus, FollowEnd
from hardware.events import DeviceStatus, Refusal, ScoreEvent
from hardware.link import LinkHandlers
from hardware.replay import ReplayState, dump_replay, load_replay
from schedules.airing import Airing
from schedules.windows import WindowChange
from sync.board import ALARMS_SHOWN, FIRINGS_SHOWN, Board, account_view
from sync.conditions import SpotCondition
from sync.control import ControlServer, control_server, ensure_no_engine
from sync.decide import Intent, Moment, decide_correction, decide_goal, decide_spot
from sync.errors import ControlError, FencedError, IllegalTransitionError, LedgerError, SyncError
from sync.firings import Firings
from sync.gate import Guard
from sync.lease import holder_of, take_over
from sync.ledger import Ledger, Switch
from sync.loading import Loader
from sync.matches import Matches
from sync.media_files import MediaStore
from sync.media_records import MediaRecords
from sync.media_uploads import MediaUploads, Need, need_of
from sync.posting import AccountHealth, Publisher
from sync.receipts import FiringRecord
from sync.reconciler import PROVISIONAL, Reconciler
from sync.rehearsal import RehearsalPublisher
from sync.setup import EngineSetup
from sync.shooter import Shooter
from sync.signals import GoalScored, GoalTakenBack, SpotHeard, goal_taken_back
from sync.snapshot import AlarmView, EngineView, JsonObject, Snapshot, as_json
from sync.states import Action, FiringState, Mode
from sync.translate import spot_signal
from sync.warmth import Warmth
from sync.wire import (
    DetectionReport,
    FeedReport,
    FollowEndReport,
    Kill,
    Ping,
    Release,
    Reload,
    Request,
    SetMode,
    Settle,
    SnapshotRequest,
    Subscribe,
    Veto,
)
from sync.writer import ThreadWriter, Writer

CHECKPOINT_EVERY = 10
"""Heartbeats between two copies of the write-ahead log, on a thread that no claim waits for."""
LISTENER_SILENT_NS = 2_000_000_000
CLOCK_STEP_MAX = timedelta(seconds=2)
"""A wall clock that leaves the monotonic one by more is reported."""
FOLLOW_UP_WITHIN_NS = 600_000_000_000
"""A tweet of a goal that was taken back is deleted or corrected within ten minutes of the correction, or by a person."""
FIRINGS_AT_ONCE_MAX = 2000
"""Firings that wait or are under way; a further one is refused with an alarm."""
SHOWN_AFTER_S = 0.02
"""What is only shown waits this long: it shares the interpreter with the claim and the first byte."""
REFRESHED_AFTER_S = 0.1
"""How soon changed cues, airings and accounts are shown: a look at all of them is milliseconds' work, in slices."""
SLICE_VIEWS = 8
"""Views made in one turn of the loop."""
MARKED_AFTER_S = 0.15
"""What nobody waits for is written this much later than it is known, after the claims."""
THREADS_TURN_S = 0.0005
"""How long a thread that has work waits for the interpreter while another one computes: Python's own 5 ms is a whole firing."""
REPLAY_LINK = "mqtt"

P = ParamSpec("P")
T = TypeVar("T")
_log = logging.getLogger(__name__)


async def run_engine(setup: EngineSetup, *, writer: Writer | None = None) -> None:
    """Run the engine until cancelled; firings under way finish first.

    Args:
        writer: where transactions run; a thread of its own unless a simulation says otherwise.

    Raises:
        SyncError: another engine answers on the socket, or the ledger cannot be opened.
        FencedError: another engine has taken over the ledger.
    """
    await ensure_no_engine(setup.socket_path)
    sys.setswitchinterval(THREADS_TURN_S)
    writer = writer or ThreadWriter()
    try:
        ledger = await writer.run(Ledger.open, setup.ledger_target, clock=setup.clock, mode=setup.mode, audit=setup.audit_files)
        try:
            engine = await Engine.start(setup, ledger, writer)
            with _one_of_many():
                async with control_server(setup.socket_path, engine) as control:
                    await engine.run(control)
        finally:
            await writer.run(ledger.close)
    finally:
        writer.close()


class Engine:
    """One engine over one ledger. Made by `start`; `run` runs it.

    Everything here happens on the event loop; only `writer` leaves it.
    """

    def __init__(self, setup: EngineSetup, ledger: Ledger, firings: Firings, writer: Writer, switch: Switch) -> None:
        self._setup, self._clock, self._writer = setup, setup.clock, writer
        self._ledger, self._firings, self._switch = ledger, firings, switch
        self._epoch = switch.epoch
        self._started_utc = self._clock.utc()
        self._publishers = self._make_publishers()
        self._board = Board(dict(setup.feeds))
        self._names = {one.fixture: (one.home, one.away) for one in setup.fixtures}
        self._matches = Matches(tuple(self._names), ledger=ledger, firings=firings, writer=writer)
        self._loader = Loader(ledger=ledger, firings=firings, writer=writer, clock=self._clock, catalogue=setup.catalogue)
        self._stop_reason = ""
        self._shown: dict[tuple[str, str], object] = {}
        self._silent: frozenset[str] = frozenset()
        self._anchor_fault = ""
        self._wall_offset = self._wall_offset_now()
        self._group: asyncio.TaskGroup | None = None
        self._shots: set[asyncio.Task[None]] = set()
        self._control: ControlServer | None = None
        self._refresh_due = False
        self._not_fired = 0
        self._matches_unsaved: set[str] = set()
        self._armed_shown: tuple[set[str], Mode] = (set(), Mode.OFF)
        self._replay_newest = ReplayState()
        self._arming = setup.arming(self._clock, self._window_changed) if setup.arming else None
        self._media = MediaUploads(
            records=MediaRecords(ledger),
            store=MediaStore(setup.media_folder),
            uploader=setup.media,
            writer=writer,
            clock=self._clock,
            mode=lambda: self._switch.mode,
            stop_reason=lambda: self._stop_reason,
            needs=self._media_needs,
            changed=self._refresh,
            alarm=self._alarm,
        )
        self._board.media_fault = self._media.fault
        self._shooter = Shooter(
            firings=firings,
            publishers=self._publishers,
            writer=writer,
            clock=self._clock,
            stop_reason=lambda: self._stop_reason,
            taken_back=self._matches.is_taken_back,
            play_restarted=self._matches.play_restarted,
            media=self._media.standings,
            show=self._show_claimed,
            announce=self._announce,
            alarm=self._alarm,
        )
        self._reconciler: Reconciler | None = None
        self._warmth: Warmth | None = None
        if (live := self._publishers.get(Mode.LIVE)) is not None:
            self._warmth = Warmth(live, self._armed_accounts)
            self._reconciler = Reconciler(
                firings=firings, publisher=live, writer=writer, clock=self._clock, announce=self._announce
            )

    @classmethod
    async def start(cls, setup: EngineSetup, ledger: Ledger, writer: Writer) -> "Engine":
        """An engine that has taken over the ledger, once no other one lives, and knows what it says.

        Raises:
            LedgerError: the ledger cannot be read or written.
        """
        holder = holder_of(setup.state_dir)
        epoch = await take_over(
            lambda: writer.run(ledger.lease),
            lambda seen: writer.run(ledger.become_engine, holder=holder, seen=seen),
            holder=holder,
            clock=setup.clock,
            on_standby=setup.on_standby,
        )
        boot_id = setup.boot_id or _boot_id()
        firings = Firings(ledger, epoch=epoch, boot_id=boot_id, limits=setup.limits)
        engine = cls(setup, ledger, firings, writer, await writer.run(ledger.switch))
        if engine._switch.killed:
            engine._stop_reason = f"killed: {engine._switch.kill_reason}"
        await engine._matches.remember()
        await engine._media.remember()
        await engine._reload()
        for record in await writer.run(firings.recover):
            _log.warning("recovered", extra={"firing_id": record.firing_id, "state": record.state.value})
        for record in reversed(await writer.run(firings.recent, limit=FIRINGS_SHOWN)):
            engine._board.take_firing(record)
        for alarm in reversed(await writer.run(ledger.alarms, limit=ALARMS_SHOWN)):
            engine._board.alarms.appendleft(alarm)
        return engine

    @property
    def epoch(self) -> int:
        """Its number among the engines of this ledger; a higher one has taken over."""
        return self._epoch

    async def run(self, control: ControlServer) -> None:
        """Run until cancelled or fenced."""
        self._control = control
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._spawn(self._beat(), name="heartbeat")
                self._spawn(self._media.run(), name="media")
                if self._warmth is not None:
                    self._spawn(self._warmth.run(), name="warmth")
                if self._arming is not None:
                    self._spawn(self._arming.run(), name="windows")
                if self._setup.link is not None:
                    link = self._setup.link(self._link_handlers(), await self._replay())
                    self._spawn(link.run(), name="link")
                await self._take_up_unsettled()
                if self._setup.on_ready is not None:
                    self._setup.on_ready()
        finally:
            self._stop_reason = self._stop_reason or "the engine is stopping"
            for publisher in self._publishers.values():
                await publisher.close()
            with contextlib.suppress(LedgerError):
                await self._writer.at_once(self._ledger.let_go, self._epoch)

    # --- what leaves and sinks say --------------------------------------------------------------

    def hear(self, detection: Detection) -> None:
        """Take a detection: decide at once, fire in tasks of their own.

        Raises:
            ControlError: the feed is not configured.
        """
        channel = self._channel(detection.feed_id)
        now = self._now()
        signal = spot_signal(
            detection,
            channel=channel,
            airings=self._board.airings_of(channel, detection.spot_ids),
            now_mono_ns=now.mono_ns,
            now_utc=now.utc,
        )
        age_ns = self._board.status_age_ns(detection.feed_id, now_mono_ns=now.mono_ns)
        self._fire(decide_spot(signal, self._board.fireable(), status_age_ns=age_ns, now=now))
        asyncio.get_running_loop().call_later(SHOWN_AFTER_S, self._show_detection, detection, signal.spot_id)
        if signal.airing is not None:
            self._note_heard(signal, signal.airing)

    def _show_detection(self, detection: Detection, spot_id: str) -> None:
        self._publish("detection", self._board.take_detection(detection, spot_id=spot_id))

    async def take_score(self, event: ScoreEvent) -> None:
        """Take a verified score event."""
        signals = self._matches.take(event)
        if signals is None:
            await self._alarm("warning", f"device {event.device} tells of fixture {event.fixture}, which is not configured")
            return
        for signal in signals:
            if isinstance(signal, GoalScored):
                self._fire(decide_goal(signal, self._board.fireable(), names=self._names, now=self._now()))
        asyncio.get_running_loop().call_later(SHOWN_AFTER_S, self._publish, "score", event)
        taken_back = [signal for signal in signals if isinstance(signal, GoalTakenBack)]
        if not taken_back:
            # After the claims; should a crash come first, the claims mend it (`Matches.remember`).
            self._spawn(self._save_match(event.fixture), name="save-match")
            return
        await self._alarmed(self._matches.save(event.fixture))
        for signal in taken_back:
            await self._take_back(signal)

    def take_feed(self, status: FeedStatus) -> None:
        """Take a feed's status.

        Raises:
            ControlError: the feed is not configured.
        """
        self._channel(status.feed_id)
        if status.dropped_blocks and not self._board.dropped_blocks(status.feed_id):
            # The first of a listener's life; its count goes on in the status.
            sentence = f"feed {status.feed_id} loses sound: its listener cannot keep up; give it fewer feeds or more processors"
            self._spawn(self._alarm("critical", sentence), name="alarm")
        self._publish("feed", self._board.take_feed(status, now_mono_ns=self._clock.mono_ns()))

    async def take_device(self, status: DeviceStatus) -> None:
        """Take a device's status."""
        self._publish("device", self._board.take_device(status))
        self._media.look()
        self._refresh()

    async def take_refusal(self, refusal: Refusal) -> None:
        """Count and show a message that was not believed."""
        _log.warning("message_refused", extra={"topic": refusal.topic, "reason": refusal.reason})
        if (view := self._board.take_refusal(refusal)) is not None:
            self._publish("device", view)

    # --- what clients ask -----------------------------------------------------------------------

    async def answer(self, request: Request) -> JsonObject:
        """The result of a request on the control socket."""
        result: JsonObject = {}
        match request:
            case DetectionReport():
                self.hear(request.detection)
            case FeedReport():
                self.take_feed(request.feed)
            case FollowEndReport():
                self._followed(request.follow_end)
            case Ping():
                result = {"mono_ns": self._clock.mono_ns(), "utc": self._clock.utc()}
            case SnapshotRequest() | Subscribe():
                result = self.snapshot()
            case Kill():
                result = await self._kill(request)
            case Release():
                result = await self._release(request)
            case SetMode():
                result = await self._set_mode(request)
            case Settle():
                result = await self._settle(request)
            case Veto():
                result = await self._veto(request)
            case Reload():
                await self._reload()
                self._refresh()
            case _:
                assert_never(request)
        return result

    def snapshot(self) -> JsonObject:
        """Everything, as docs/engine-socket.md shows it."""
        now_utc = self._clock.utc()
        return as_json(
            Snapshot(
                engine=self._engine_view(),
                feeds=self._board.feed_views(),
                detections=tuple(self._board.detections),
                devices=self._board.device_views(),
                cues=self._board.cue_views(self._switch.mode, now_utc),
                airings=self._board.airing_views(self._switch.mode, now_utc),
                firings=self._board.firing_views(),
                accounts=tuple(account_view(health) for health in self._healths()),
                alarms=tuple(self._board.alarms),
            )
        )

    async def _kill(self, request: Kill) -> JsonObject:
        # First the flag that the last look before the first byte reads, then the durable switch. Once both
        # stand nothing can start, in this process or in another one.
        self._stop_reason = f"killed: {request.reason}"
        try:
            self._switch, withdrawn = await self._writer.standing_still(
                self._firings.kill, actor=request.actor, reason=request.reason
            )
        except LedgerError as error:
            sentence = f"killed in this process, but it could not be saved and a restart would forget it: {error}"
            await self._alarm("critical", sentence)
            raise ControlError("ledger", sentence) from error
        # Both stand: that is the answer. Telling everybody takes turns with whatever else waits for the ledger.
        self._spawn(self._tell_killed(request, withdrawn), name="tell-killed")
        return {"killed": True}

    async def _tell_killed(self, request: Kill, withdrawn: tuple[FiringRecord, ...]) -> None:
        _log.warning("killed", extra={"actor": request.actor, "reason": request.reason})
        self._publish("heartbeat", self._engine_view())
        for record in withdrawn:
            await self._announce(record)
        await self._alarm("critical", f"killed by {request.actor}: {request.reason}")

    async def _release(self, request: Release) -> JsonObject:
        self._switch = await self._writer.run(self._ledger.release, actor=request.actor, reason=request.reason, epoch=self._epoch)
        self._stop_reason = ""
        _log.warning("released", extra={"actor": request.actor, "reason": request.reason})
        self._publish("heartbeat", self._engine_view())
        self._media.look()
        await self._alarm("info", f"the kill was released by {request.actor}: {request.reason}")
        return {"killed": False}

    async def _set_mode(self, request: SetMode) -> JsonObject:
        mode = Mode(request.mode)
        if mode is not Mode.OFF and mode not in self._publishers:
            raise ControlError("refused", f"mode {mode}: no publisher is configured for it")
        self._switch = await self._writer.run(self._ledger.set_mode, mode, actor=request.actor, epoch=self._epoch)
        _log.warning("mode_changed", extra={"mode": mode.value, "actor": request.actor})
        self._publish("heartbeat", self._engine_view())
        self._media.look()
        await self._alarm("info", f"the mode is {mode}, set by {request.actor}")
        self._refresh()
        return {"mode": mode.value}

    async def _settle(self, request: Settle) -> JsonObject:
        if request.state == "POSTED" and request.tweet_id is None:
            raise ControlError("bad_request", "settle: tweet_id: give the id of the tweet that was posted")
        record = await self._writer.run(
            self._firings.resolve,
            request.firing_id,
            FiringState(request.state),
            tweet_id=request.tweet_id,
            reason=request.reason,
            settled_by=request.actor,
        )
        await self._announce(record)
        return as_json(self._board.take_firing(record))

    async def _veto(self, request: Veto) -> JsonObject:
        # Before all that waits: the claim it must forestall may be due in a moment.
        try:
            record = await self._writer.at_once(
                self._firings.resolve,
                request.firing_id,
                FiringState.WITHDRAWN,
                reason=f"vetoed: {request.reason}",
                settled_by=request.actor,
                for_good=True,
            )
        except IllegalTransitionError as error:
            raise ControlError("refused", f"too late for a veto: {error}") from error
        _log.warning("vetoed", extra={"firing_id": record.firing_id, "actor": request.actor, "reason": request.reason})
        await self._announce(record)
        return as_json(self._board.take_firing(record))

    def _followed(self, end: FollowEnd) -> None:
        self._channel(end.feed_id)
        facts = {
            "feed_id": end.feed_id,
            "spot_id": end.spot_id,
            "onset_s": end.onset_s,
            "coverage": end.coverage,
            "late": end.late,
        }
        _log.info("follow_end", extra=facts)

    # --- firing ---------------------------------------------------------------------------------

    def _fire(self, intents: Iterable[Intent]) -> None:
        for intent in intents:
            if len(self._shots) >= FIRINGS_AT_ONCE_MAX:
                self._too_many(intent)
                continue
            if fault := self._board.cue_faults.get(intent.cue.cue_id):
                intent = dataclasses.replace(intent, text_fault=fault)  # noqa: PLW2901 - the same intent, known better
            shot = self._spawn(self._shooter.fire(intent, self._account_faults), name=f"fire {intent.occurrence_id}")
            if shot is not None:
                self._shots.add(shot)
                shot.add_done_callback(self._shots.discard)

    def _too_many(self, intent: Intent) -> None:
        """One alarm for all that come in a second: an alarm is a transaction, and would take the claims' time."""
        self._not_fired += 1
        if self._not_fired == 1:
            self._spawn(self._alarm_too_many(intent.cue.name), name="alarm")

    async def _alarm_too_many(self, first_name: str) -> None:
        await self._clock.sleep(1.0)
        others, self._not_fired = self._not_fired - 1, 0
        more = f" and {others} more" if others else ""
        await self._alarm("critical", f"{first_name}{more} not fired: {FIRINGS_AT_ONCE_MAX} firings are under way already")

    def _account_faults(self, account_id: str) -> dict[Mode, str]:
        """Why the account cannot post, by mode."""
        if all(one.account_id != account_id for one in self._setup.accounts):
            return dict.fromkeys((Mode.REHEARSAL, Mode.LIVE), f"account {account_id} is not configured")
        live = self._publishers.get(Mode.LIVE)
        if live is None:
            return {Mode.LIVE: "no publisher is configured"}
        limits = live.health(account_id).limits
        if limits.remaining == 0 and limits.reset_utc is not None and limits.reset_utc > self._clock.utc():
            return {Mode.LIVE: f"account {account_id} may post again at {limits.reset_utc:%H:%M:%S} UTC"}
        return {}

    async def _announce(self, record: FiringRecord) -> None:
        """Show a record that changed, and do what follows from its new state."""
        self._show(record)
        if record.state is FiringState.UNKNOWN:
            sentence = f"it is not known whether {record.cue_name} was posted ({record.reason}); reading the timeline"
            await self._alarm("critical", sentence)
            self._follow(record)
        elif record.state is FiringState.REFUSED:
            await self._alarm("critical", f"{record.cue_name} was refused: {record.reason}")
            await self._alarmed(self._media.take_refusal(record))
        elif record.action is Action.CORRECT and record.state is not FiringState.POSTED:
            sentence = f"the tweet of a goal that was taken back stands uncorrected: {record.state} ({record.reason}); look at it"
            await self._alarm("critical", sentence)
        elif record.guard == Guard.CAPS:
            # A cap that trips holds every cue of its scope: show that.
            await self._alarmed(self._reload())
            self._refresh()
        elif self._is_to_follow_up(record):
            self._follow_up(record, self._late_news(record))

    def _show(self, record: FiringRecord) -> None:
        self._publish("firing", self._board.take_firing(record))
        self._refresh()

    def _show_claimed(self, record: FiringRecord) -> None:
        def show() -> None:
            if not self._board.knows_firing(record.firing_id):
                self._show(record)

        asyncio.get_running_loop().call_later(SHOWN_AFTER_S, show)

    def _follow(self, record: FiringRecord) -> None:
        if self._reconciler is not None:
            self._reconciler.follow(record, self._spawn)

    def _note_heard(self, signal: SpotHeard, airing: Airing) -> None:
        if self._board.take_heard(airing.airing_id):
            self._spawn(self._mark_heard(airing.airing_id, signal.on_air_utc), name="mark-heard")
            self._refresh()

    async def _mark_heard(self, airing_id: str, on_air_utc: datetime) -> None:
        # Not before the claim: the ledger takes one transaction after the other.
        await self._clock.sleep(MARKED_AFTER_S)
        await self._save(self._ledger.mark_heard, airing_id, on_air_utc)

    # --- goals that are taken back --------------------------------------------------------------

    async def _take_back(self, signal: GoalTakenBack) -> None:
        records = await self._save(self._firings.of_occurrence, signal.occurrence_id) or ()
        for record in records:
            if record.state is FiringState.ARMED:
                withdrawn = await self._save(
                    self._firings.resolve, record.firing_id, FiringState.WITHDRAWN, reason="the goal has been taken back"
                )
                if withdrawn is not None:
                    await self._announce(withdrawn)
            elif self._is_to_follow_up(record):
                self._follow_up(record, signal)

    def _is_to_follow_up(self, record: FiringRecord) -> bool:
        """Whether a tweet's goal does not stand any more and its cue wants something done about it."""
        if record.action is not Action.POST or record.state is not FiringState.POSTED:
            return False
        cue = self._board.cue(record.cue_id)
        return cue is not None and cue.taken_back != "leave" and self._matches.is_taken_back(record.occurrence_id)

    def _late_news(self, record: FiringRecord) -> GoalTakenBack:
        """The correction of a goal whose tweet turns out to be there only now."""
        now = self._now()
        return goal_taken_back(record.occurrence_id, on_air_mono_ns=now.mono_ns, on_air_utc=now.utc, heard_mono_ns=now.mono_ns)

    def _follow_up(self, record: FiringRecord, signal: GoalTakenBack) -> None:
        """Take a tweet down, or post its correction, as its cue has it."""
        cue = self._board.cue(record.cue_id)
        deadline_ns = signal.on_air_mono_ns + FOLLOW_UP_WITHIN_NS
        if cue is not None and cue.taken_back == "correct":
            intent = decide_correction(
                signal,
                cue,
                firing_id=record.firing_id,
                mode=record.mode,
                names=self._names,
                deadline_mono_ns=deadline_ns,
                now=self._now(),
            )
            self._fire([intent])
        else:
            down = self._shooter.take_down(
                record,
                deadline_mono_ns=deadline_ns,
                on_air_mono_ns=signal.on_air_mono_ns,
                heard_mono_ns=signal.heard_mono_ns,
            )
            self._spawn(down, name="take-down")

    async def _save_match(self, fixture: str) -> None:
        if fixture in self._matches_unsaved:
            return
        self._matches_unsaved.add(fixture)
        await self._clock.sleep(MARKED_AFTER_S)
        self._matches_unsaved.discard(fixture)
        await self._alarmed(self._matches.save(fixture))

    # --- taking up after a restart --------------------------------------------------------------

    async def _take_up_unsettled(self) -> None:
        after_utc = self._clock.utc() - PROVISIONAL
        for record in await self._writer.run(self._firings.unsettled, claimed_after_utc=after_utc):
            self._follow(record)
        recent_utc = self._clock.utc() - timedelta(seconds=FOLLOW_UP_WITHIN_NS / 1e9)
        for view in self._board.firing_views():
            if view.updated_utc > recent_utc and self._matches.is_taken_back(view.occurrence_id):
                record_now = await self._writer.run(self._firings.get, view.firing_id)
                if record_now is not None and self._is_to_follow_up(record_now):
                    self._follow_up(record_now, self._late_news(record_now))

    async def _replay(self) -> ReplayState:
        stored = await self._writer.run(self._ledger.replay_state, REPLAY_LINK)
        return ReplayState() if stored is None else load_replay(stored)

    def _link_handlers(self) -> LinkHandlers:
        async def alarm(sentence: str) -> None:
            await self._alarm("warning", sentence)

        async def replay(state: ReplayState) -> None:
            # Not awaited: a goal must not wait for it. What a crash forgets here, the ledger's occurrence refuses.
            self._spawn(self._save_replay(state), name="save-replay")

        return LinkHandlers(score=self.take_score, status=self.take_device, refusal=self.take_refusal, alarm=alarm, replay=replay)

    async def _save_replay(self, state: ReplayState) -> None:
        self._replay_newest = state
        await self._clock.sleep(MARKED_AFTER_S)
        if state is self._replay_newest:
            await self._save(self._ledger.save_replay, REPLAY_LINK, dump_replay(state))

    # --- what is loaded -------------------------------------------------------------------------

    async def _reload(self) -> None:
        """Read cues, approvals and airings again.

        Raises:
            LedgerError: they cannot be read; what was known stays.
        """
        self._switch = await self._writer.run(self._ledger.switch)
        loaded = await self._loader.load()
        self._board.load(loaded)
        self._media.reload()
        if self._arming is not None:
            self._arming.load(loaded.airings)

    # --- showing --------------------------------------------------------------------------------

    async def _beat(self) -> None:
        beats = 0
        while True:
            self._publish("heartbeat", self._engine_view())
            self._refresh()
            await self._watch_listeners()
            await self._watch_clock()
            await self._alarmed(self._writer.at_once(self._ledger.beat, self._epoch))
            await self._anchor()
            beats += 1
            if beats % CHECKPOINT_EVERY == 0:
                await self._alarmed(self._writer.aside(self._ledger.database.checkpoint))
            await self._clock.sleep(self._setup.heartbeat_s)

    async def _watch_listeners(self) -> None:
        now_ns = self._clock.mono_ns()
        silent = self._board.silent_listeners(now_mono_ns=now_ns, older_than_ns=LISTENER_SILENT_NS)
        news, self._silent = silent - self._silent, silent
        for feed_id in sorted(news):
            await self._alarm("critical", f"the listener of feed {feed_id} has fallen silent; its detections are refused")

    async def _watch_clock(self) -> None:
        offset = self._wall_offset_now()
        step, self._wall_offset = offset - self._wall_offset, offset
        if abs(step) > CLOCK_STEP_MAX:
            sentence = f"the wall clock stepped by {step.total_seconds():+.1f} s; windows follow it, deadlines do not"
            await self._alarm("critical", sentence)

    async def _anchor(self) -> None:
        """Note the newest audit record outside the ledger; what is wrong with it is told once."""
        fault, before = "", self._anchor_fault
        try:
            await self._writer.aside(self._ledger.anchor)
        except LedgerError as error:
            fault = str(error)
        self._anchor_fault = fault
        if fault and fault != before:
            await self._alarm("critical", fault)

    async def _window_changed(self, airing: Airing, change: WindowChange) -> None:
        _log.info("window_changed", extra={"airing_id": airing.airing_id, "change": change.value})
        self._media.look()
        self._refresh()

    def _refresh(self) -> None:
        """Tell subscribers soon of what looks different now, and look at warmth again; several calls are one."""
        if not self._refresh_due:
            self._refresh_due = True
            asyncio.get_running_loop().call_later(REFRESHED_AFTER_S, self._begin_refresh)

    def _begin_refresh(self) -> None:
        self._spawn(self._show_changes(), name="show-changes")

    async def _show_changes(self) -> None:
        self._refresh_due = False
        now_utc, mode = self._clock.utc(), self._switch.mode
        armed = set[str]()
        async for cue in _in_slices(self._board.each_cue_view(mode, now_utc)):
            self._publish_changed("cue", cue.cue_id, cue)
            if cue.state == "armed":
                armed.add(cue.account_id)
        async for airing in _in_slices(self._board.each_airing_view(mode, now_utc)):
            self._publish_changed("airing", airing.airing_id, airing)
        if self._warmth is not None and (armed, mode) != self._armed_shown:
            self._armed_shown = (armed, mode)
            self._warmth.look()
        for health in self._healths():
            self._publish_changed("account", health.account_id, account_view(health))

    def _publish_changed(self, event: str, key: str, view: object) -> None:
        if self._shown.get((event, key)) != view:
            self._shown[event, key] = view
            self._publish(event, view)

    def _publish(self, event: str, view: object) -> None:
        if self._control is not None and self._control.subscribers:
            self._control.publish(event, as_json(view))

    async def _alarm(self, level: str, text: str) -> None:
        _log.warning("alarm", extra={"level": level, "text": text})
        try:
            alarm = await self._writer.run(self._ledger.add_alarm, level, text)
        except LedgerError:
            # The alarm may well be about the ledger: people see it all the same.
            alarm = AlarmView(alarm_id=0, utc=self._clock.utc(), level=level, text=text)
        self._board.alarms.appendleft(alarm)
        self._publish("alarm", alarm)

    def _engine_view(self) -> EngineView:
        killed_here = self._stop_reason.startswith("killed")
        return EngineView(
            pid=os.getpid(),
            started_utc=self._started_utc,
            utc=self._clock.utc(),
            mono_ns=self._clock.mono_ns(),
            epoch=self._epoch,
            mode=self._switch.mode,
            killed=self._switch.killed or killed_here,
            kill_reason=self._switch.kill_reason or self._stop_reason.removeprefix("killed: "),
            kill_actor=self._switch.kill_actor,
        )

    # --- accounts -------------------------------------------------------------------------------

    def _armed_accounts(self) -> frozenset[str]:
        """Configured accounts of cues that could fire live now."""
        if self._switch.mode is not Mode.LIVE:
            return frozenset()
        configured = frozenset(one.account_id for one in self._setup.accounts)
        return configured & self._board.armed_accounts(Mode.LIVE, self._clock.utc())

    def _healths(self) -> list[AccountHealth]:
        publisher = self._publishers.get(Mode.LIVE) or self._publishers[Mode.REHEARSAL]
        return [publisher.health(one.account_id) for one in self._setup.accounts]

    def _media_needs(self) -> Iterator[Need]:
        """Cues with media that may fire and could soon."""
        now_utc, mode = self._clock.utc(), self._switch.mode
        for stored in self._board.cues:
            cue = stored.cue
            if not cue.media or not stored.approved or stored.hold_reason or mode is Mode.OFF:
                continue
            airings = self._board.airings_of(cue.on.channel, cue.on.spots) if isinstance(cue.on, SpotCondition) else ()
            need = need_of(cue, airings, open_now=self._board.is_open(cue, mode, now_utc), now_utc=now_utc)
            if need is not None:
                yield need

    # --- small things ---------------------------------------------------------------------------

    def _make_publishers(self) -> dict[Mode, Publisher]:
        handles = {one.account_id: one.handle for one in self._setup.accounts}
        publishers: dict[Mode, Publisher] = {Mode.REHEARSAL: RehearsalPublisher(self._clock, handles)}
        if self._setup.publisher is not None:
            publishers[Mode.LIVE] = self._setup.publisher
        return publishers

    def _spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None] | None:
        """A task of the engine's; None (and nothing begun) while it stops."""
        if self._group is not None:
            with contextlib.suppress(RuntimeError):
                return self._group.create_task(work, name=name)
        work.close()
        return None

    async def _save(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """The result of a transaction; None, and an alarm, when it fails."""
        return await self._alarmed(self._writer.run(work, *args, **kwargs))

    async def _alarmed(self, work: Coroutine[Any, Any, T]) -> T | None:
        """The result of `work`; when the ledger does not obey, an alarm and None, not the end."""
        try:
            return await work
        except FencedError:
            raise
        except SyncError as error:
            await self._alarm("critical", str(error))
            return None

    def _channel(self, feed_id: str) -> str:
        channel = self._board.channel_of(feed_id)
        if channel is None:
            raise ControlError("refused", f"feed {feed_id}: it is not configured")
        return channel

    def _now(self) -> Moment:
        return Moment(mono_ns=self._clock.mono_ns(), utc=self._clock.utc())

    def _wall_offset_now(self) -> datetime:
        return self._clock.utc() - timedelta(microseconds=self._clock.mono_ns() / 1000)


def _boot_id() -> str:
    """The kernel's name for this boot; where there is none every process counts as another boot."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"process-{os.getpid()}"


async def _in_slices(views: Iterable[T]) -> AsyncIterator[T]:
    """The views, with the loop free for others after every few."""
    for number, view in enumerate(views, start=1):
        yield view
        if number % SLICE_VIEWS == 0:
            await asyncio.sleep(0)


@contextlib.contextmanager
def _one_of_many() -> Iterator[None]:
    """Let a single deliberate error out of a task group as itself: the command line prints its sentence."""
    try:
        yield
    except BaseExceptionGroup as group:
        first = group.exceptions[0]
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        if isinstance(first, SyncError):
            raise first from group
        raise
