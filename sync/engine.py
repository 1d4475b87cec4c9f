"""The engine: reports come in, signals are decided on, firings leave, and everybody is told.

`run_engine` is the table of contents; the parts are `translate` and `decide` (what does it mean), `firing_line` and `shooter`
(fire it), `reconciler` (what became of it), `follow_up` (its goal does not stand), `commands` (what people order), `heartbeat`
(does everything still live), `bookkeeping` (what it must remember), `outside` (what others put into the ledger), `outlets`
(where firings leave), `board` and `showing` (what is shown), `alarms`, and `control` (to whom).
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import assert_never

from fingerprints.events import Detection, FeedStatus, FollowEnd
from hardware.events import Answer, DeviceStatus, Refusal, ScoreEvent, ScoreKind
from hardware.link import LinkHandlers
from hardware.markers import MarkerReport, MarkerSourceStatus
from hardware.tally import TallyStatus
from schedules.airing import Airing
from schedules.windows import WindowChange
from sync.alarms import Alarms
from sync.board import ALARMS_SHOWN, FIRINGS_SHOWN, Board
from sync.bookkeeping import Bookkeeping
from sync.commands import Commands
from sync.control import ControlServer, control_server, ensure_no_engine
from sync.corroboration import Corroboration
from sync.decide import Intent, Moment, decide_goal, decide_spot, decide_trigger, evidence_of
from sync.errors import ControlError, LedgerError
from sync.firing_line import FiringLine
from sync.firing_timer import FiringTimer, Lateness
from sync.firings import Firings
from sync.follow_up import FollowUp
from sync.gate import Guard, evidence_fault
from sync.hearing_log import HearingLog
from sync.hearings import Hearings
from sync.heartbeat import Heartbeat
from sync.interlocks import Interlocks
from sync.lease import Lease, holder_of, take_over
from sync.ledger import Ledger
from sync.loading import Loader
from sync.markers import Markers
from sync.marking import Marking
from sync.matches import Matches
from sync.media_files import MediaStore
from sync.media_records import MediaRecords
from sync.media_uploads import MediaUploads, needs_of
from sync.outlets import Outlets
from sync.outside import Outside
from sync.process import boot_id, kept_for_good, one_of_many, share_the_interpreter
from sync.quorum import score_key, witness_key
from sync.receipts import FiringRecord
from sync.reconciler import PROVISIONAL, Reconciler
from sync.recording import Recorder
from sync.renewals import Renewals
from sync.setup import EngineSetup, Link
from sync.shooter import Shooter
from sync.showing import Showing
from sync.signals import GoalScored, GoalTakenBack, SpotHeard
from sync.snapshot import AlarmView, JsonObject, as_json
from sync.source_watch import LISTENER_SILENT_NS
from sync.standby import StandbySign
from sync.standing import Standing
from sync.states import Action, FiringState, Mode
from sync.tasks import Tasks
from sync.token_records import TokenRecords
from sync.translate import spot_signal
from sync.triggers import Triggers
from sync.unheard import Unheard
from sync.warmth import Warmth
from sync.wire import (
    DetectionReport,
    DeviceMessage,
    FeedReport,
    FollowEndReport,
    Kill,
    MarkerMessage,
    MarkerSourceMessage,
    Ping,
    Release,
    Reload,
    Report,
    Request,
    SetMode,
    Settle,
    SnapshotRequest,
    Subscribe,
    TallyMessage,
    Veto,
)
from sync.writer import ThreadWriter, Writer

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
    share_the_interpreter()
    writer = writer or ThreadWriter()
    try:
        ledger = await writer.run(Ledger.open, setup.ledger_target, clock=setup.clock, mode=setup.mode, audit=setup.audit_files)
        try:
            engine = await _take_over(setup, ledger, writer)
            with one_of_many(), kept_for_good():
                async with control_server(setup.socket_path, engine) as control:
                    await engine.run(control)
        finally:
            await writer.run(ledger.close)
    finally:
        writer.close()


async def _take_over(setup: EngineSetup, ledger: Ledger, writer: Writer) -> "Engine":
    """The engine of the ledger; while another one lives this one says that it stands by."""
    sign = StandbySign(setup.standby_path, setup.clock)

    async def stand_by(lease: Lease) -> None:
        await sign.show(lease)
        setup.on_standby(lease.holder)

    try:
        return await Engine.start(setup, ledger, writer, on_standby=stand_by)
    finally:
        await sign.close()


async def _wait_quietly(_: Lease) -> None:
    pass


class Engine:
    """One engine over one ledger. Made by `start`; `run` runs it.

    Everything here happens on the event loop; only `writer` leaves it.

    Attributes:
        heartbeat: what it does once a second.
    """

    def __init__(self, setup: EngineSetup, ledger: Ledger, firings: Firings, writer: Writer, standing: Standing) -> None:
        self._setup, self._clock, self._writer = setup, setup.clock, writer
        self._ledger, self._firings, self._standing = ledger, firings, standing
        self._outlets = Outlets(setup.accounts, setup.publisher, self._clock)
        self._board = Board(dict(setup.feeds))
        self._markers, self._corroboration = Markers(setup.marker_sources), Corroboration(self._clock)
        self._interlocks = Interlocks(setup.interlocks)
        self._board.on_air_fault = lambda cue: self._interlocks.fault(cue, "", now_mono_ns=self._clock.mono_ns())
        self._board.markers_live = lambda channel: self._markers.live_on(
            channel, now_mono_ns=self._clock.mono_ns(), older_than_ns=LISTENER_SILENT_NS
        )
        self._names = {one.fixture: (one.home, one.away) for one in setup.fixtures}
        self._matches = Matches(tuple(self._names), ledger=ledger, firings=firings, writer=writer)
        self._triggers = Triggers()
        self._loader = Loader(ledger=ledger, firings=firings, writer=writer, clock=self._clock, catalogue=setup.catalogue)
        self._tasks = Tasks()
        self._link: Link | None = None
        self._arming = setup.arming(self._clock, self._window_changed) if setup.arming else None
        live = setup.publisher
        self._warmth = Warmth(live, self._armed_accounts) if live else None
        lateness = Lateness()
        self._showing = Showing(
            board=self._board,
            standing=standing,
            lateness=lateness,
            clock=self._clock,
            tasks=self._tasks,
            markers=self._markers,
            interlocks=self._interlocks,
            healths=self._outlets.healths,
            look_at_warmth=self._warmth.look if self._warmth else lambda: None,
        )
        self._alarms = Alarms(board=self._board, ledger=ledger, writer=writer, clock=self._clock, publish=self._showing.publish)
        self._books = Bookkeeping(
            ledger=ledger, writer=writer, matches=self._matches, alarms=self._alarms, clock=self._clock, tasks=self._tasks
        )
        self._hearings = HearingLog(
            Hearings(ledger), board=self._board, writer=writer, alarms=self._alarms, clock=self._clock, tasks=self._tasks
        )
        self._media = MediaUploads(
            records=MediaRecords(ledger),
            store=MediaStore(setup.media_folder),
            uploader=setup.media,
            writer=writer,
            clock=self._clock,
            mode=lambda: standing.mode,
            stop_reason=lambda: standing.stop_reason,
            needs=lambda: needs_of(self._board, standing.mode, self._clock.utc()),
            changed=self._showing.refresh,
            alarm=self._alarms.sound,
        )
        self._board.media_fault = self._media.fault
        self._renewals = self._outlets.renewals = self._make_renewals()
        self._board.account_fault = self._outlets.token_fault
        self._timer = FiringTimer(lateness, clock=self._clock, alarm_above_ms=setup.timer_alarm_ms, alarm=self._alarms.sound)
        self._recorder = (
            Recorder(setup.record, writer=writer, clock=self._clock, alarm=self._alarms.sound) if setup.record else None
        )
        self._shooter = Shooter(
            firings=firings,
            publishers=self._outlets.by_mode,
            writer=writer,
            clock=self._clock,
            timer=self._timer,
            stop_reason=lambda: standing.stop_reason,
            withdrawn=self._withdrawn,
            play_restarted=self._matches.play_restarted,
            agreed=self._agreed,
            media=self._media.standings,
            show=self._showing.claimed,
            announce=self._announce,
            alarm=self._alarms.sound,
        )
        self._line = FiringLine(
            board=self._board,
            shooter=self._shooter,
            corroboration=self._corroboration,
            interlocks=self._interlocks,
            outlets=self._outlets,
            alarms=self._alarms,
            tasks=self._tasks,
            clock=self._clock,
        )
        self._follow_up = FollowUp(
            board=self._board,
            matches=self._matches,
            names=self._names,
            firings=firings,
            writer=writer,
            shooter=self._shooter,
            alarms=self._alarms,
            clock=self._clock,
            tasks=self._tasks,
            fire=self._line.fire,
            announce=self._announce,
        )
        self._unheard = Unheard(
            board=self._board, alarms=self._alarms, clock=self._clock, tasks=self._tasks, fire=self._line.fire
        )
        self._marking = Marking(
            self._markers,
            board=self._board,
            corroboration=self._corroboration,
            firings=firings,
            showing=self._showing,
            alarms=self._alarms,
            clock=self._clock,
            fire=self._line.fire,
            announce=self._announce,
            record=self._note,
        )
        self._commands = Commands(
            standing=standing,
            modes=self._outlets.by_mode.keys(),
            ledger=ledger,
            firings=firings,
            writer=writer,
            board=self._board,
            showing=self._showing,
            alarms=self._alarms,
            tasks=self._tasks,
            announce=self._announce,
            look_again=self._look_again,
        )
        self.heartbeat = Heartbeat(
            board=self._board,
            markers=self._markers,
            interlocks=self._interlocks,
            showing=self._showing,
            alarms=self._alarms,
            ledger=ledger,
            writer=writer,
            clock=self._clock,
            epoch=standing.epoch,
            every_s=setup.heartbeat_s,
        )
        self._outside = Outside(
            board=self._board,
            ledger=ledger,
            firings=firings,
            writer=writer,
            clock=self._clock,
            showing=self._showing,
            alarms=self._alarms,
            reload=self._reload,
        )
        self._reconciler = (
            Reconciler(firings=firings, publisher=live, writer=writer, clock=self._clock, announce=self._announce)
            if live
            else None
        )

    @classmethod
    async def start(
        cls, setup: EngineSetup, ledger: Ledger, writer: Writer, *, on_standby: Callable[[Lease], Awaitable[None]] | None = None
    ) -> "Engine":
        """An engine that has taken over the ledger, once no other one lives, and knows what it says.

        Args:
            on_standby: told of an engine that is waited for.

        Raises:
            LedgerError: the ledger cannot be read or written.
        """
        holder = holder_of(setup.state_dir)
        epoch = await take_over(
            lambda: writer.run(ledger.lease),
            lambda seen: writer.run(ledger.become_engine, holder=holder, seen=seen),
            holder=holder,
            clock=setup.clock,
            on_standby=on_standby or _wait_quietly,
        )
        firings = Firings(ledger, epoch=epoch, boot_id=setup.boot_id or boot_id(), limits=setup.limits)
        await writer.run(firings.prepare)
        engine = cls(setup, ledger, firings, writer, Standing.of(await writer.run(ledger.switch)))
        await engine._matches.remember()
        for occurrence_id in await writer.run(firings.triggers_claimed):
            engine._triggers.remember(occurrence_id)
        await engine._media.remember()
        if engine._renewals is not None:
            await engine._renewals.remember()
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
        return self._standing.epoch

    @property
    def alarms(self) -> tuple[AlarmView, ...]:
        """The newest alarms, newest first."""
        return tuple(self._board.alarms)

    async def run(self, control: ControlServer) -> None:
        """Run until cancelled or fenced."""
        self._showing.control = control
        try:
            async with asyncio.TaskGroup() as group:
                self._tasks.group = group
                self._tasks.begin(self.heartbeat.run(), name="heartbeat")
                self._tasks.begin(self._media.run(), name="media")
                self._tasks.begin(self._hearings.run(), name="hearing-log")
                self._tasks.begin(self._unheard.run(), name="unheard")
                if self._renewals is not None:
                    self._tasks.begin(self._renewals.run(), name="renewals")
                if self._setup.timer_probe_s is not None:
                    self._tasks.begin(self._timer.run(self._setup.timer_probe_s), name="firing-timer")
                if self._recorder is not None:
                    self._tasks.begin(self._recorder.run(), name="record")
                if self._setup.looks_outside:
                    self._tasks.begin(self._outside.run(), name="outside")
                if self._warmth is not None:
                    self._tasks.begin(self._warmth.run(), name="warmth")
                if self._arming is not None:
                    self._tasks.begin(self._arming.run(), name="windows")
                if self._setup.link is not None:
                    self._link = self._setup.link(self._link_handlers(), await self._books.replay())
                    self._tasks.begin(self._link.run(), name="link")
                await self._take_up_unsettled()
                if self._setup.on_ready is not None:
                    self._setup.on_ready()
        finally:
            self._standing.stop_reason = self._standing.stop_reason or "the engine is stopping"
            await self._tasks.ended()
            await self._outlets.close()
            await self._hearings.finish()
            if self._recorder is not None:
                await self._writer.aside(self._recorder.write)
            with contextlib.suppress(LedgerError):
                await self._writer.at_once(self._ledger.let_go, self.epoch)

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
        self._line.fire(decide_spot(signal, self._board.fireable(), status_age_ns=age_ns, now=now))
        self._marking.hear(signal, believed=not evidence_fault(evidence_of(signal, status_age_ns=age_ns)))
        self._note(detection, age_ns)
        self._showing.after_the_claims(lambda: self._note_heard(detection, signal))

    def _note_heard(self, detection: Detection, signal: SpotHeard) -> None:
        self._showing.detection(detection, signal.spot_id)
        self._hearings.note(detection, signal)
        if signal.airing is not None and self._board.take_heard(signal.airing.airing_id):
            self._books.note_heard(signal.airing.airing_id, signal.on_air_utc)
            self._showing.refresh()

    async def take_score(self, event: ScoreEvent) -> None:
        """Take a verified score event."""
        signals = self._matches.take(event)
        if signals is None:
            sentence = f"device {event.device} tells of fixture {event.fixture}, which is not configured"
            await self._alarms.sound("warning", sentence)
            return
        if event.kind in (ScoreKind.HORN, ScoreKind.TRIGGER):
            self._take_named(event)
        for signal in signals:
            if isinstance(signal, GoalScored):
                self._corroboration.note(score_key(signal.device, signal.occurrence_id), signal.on_air_mono_ns)
                self._line.fire(decide_goal(signal, self._board.fireable(), names=self._names, now=self._now()))
        self._showing.score(event)
        self._note(event)
        taken_back = [signal for signal in signals if isinstance(signal, GoalTakenBack)]
        if not taken_back:
            self._books.note_match(event.fixture)
            return
        await self._alarms.unless_failed(self._matches.save(event.fixture))
        for signal in taken_back:
            await self._follow_up.take_back(signal)

    def _take_named(self, event: ScoreEvent) -> None:
        """Take a horn or a trigger: a goal's witness, and what its own cues wait for."""
        for device in ("", event.device):
            self._corroboration.note(witness_key(event.fixture, event.name or event.kind.value, device), event.event_mono_ns)
        if event.kind is ScoreKind.TRIGGER:
            signal = self._triggers.signal(event)
            self._corroboration.note(score_key(signal.device, signal.occurrence_id), signal.on_air_mono_ns)
            self._line.fire(decide_trigger(signal, self._board.fireable(), now=self._now()))

    def take_feed(self, status: FeedStatus, *, now_mono_ns: int | None = None) -> None:
        """Take a feed's status.

        Args:
            now_mono_ns: when it was taken; a rehearsal tells of one that came a little before its detection.

        Raises:
            ControlError: the feed is not configured.
        """
        self._channel(status.feed_id)
        if status.dropped_blocks and not self._board.dropped_blocks(status.feed_id):
            # The first of a listener's life; its count goes on in the status.
            sentence = f"feed {status.feed_id} loses sound: its listener cannot keep up; give it fewer feeds or more processors"
            self._tasks.begin(self._alarms.sound("critical", sentence), name="alarm")
        self._showing.publish("feed", self._board.take_feed(status, now_mono_ns=now_mono_ns or self._clock.mono_ns()))

    async def take_device(self, status: DeviceStatus) -> None:
        """Take a device's status."""
        self._showing.publish("device", self._board.take_device(status))
        self._media.look()
        self._showing.refresh()

    async def take_refusal(self, refusal: Refusal) -> None:
        """Count and show a message that was not believed."""
        _log.warning("message_refused", extra={"topic": refusal.topic, "kind": refusal.kind, "reason": refusal.reason})
        if (view := self._board.take_refusal(refusal)) is not None:
            self._showing.publish("device", view)

    async def take_marker(self, report: MarkerReport) -> None:
        """Take a marker.

        Raises:
            ControlError: as `Marking.take`.
        """
        await self._marking.take(report)

    def take_marker_source(self, status: MarkerSourceStatus, *, now_mono_ns: int | None = None) -> None:
        """Take how a source of markers is; `now_mono_ns` as of `take_feed`.

        Raises:
            ControlError: it is not configured.
        """
        self._marking.take_status(status, now_mono_ns=now_mono_ns or self._clock.mono_ns())

    def take_tally(self, status: TallyStatus) -> None:
        """Take how a mixer's tally is.

        Raises:
            ControlError: it is not configured.
        """
        if not self._interlocks.is_configured(status.tally_id):
            raise ControlError("refused", f"tally {status.tally_id}: it is not configured")
        self._showing.publish("tally", self._interlocks.take(status, now_mono_ns=self._clock.mono_ns()))
        self._showing.refresh()

    def _followed(self, end: FollowEnd) -> None:
        self._hearings.note_end(end, channel=self._channel(end.feed_id))
        facts = {
            "feed_id": end.feed_id,
            "spot_id": end.spot_id,
            "onset_s": end.onset_s,
            "coverage": end.coverage,
            "late": end.late,
        }
        _log.info("follow_end", extra=facts)

    # --- what clients ask -----------------------------------------------------------------------

    async def answer(self, request: Request) -> JsonObject:
        """The result of a request on the control socket."""
        result: JsonObject = {}
        match request:
            case DetectionReport() | FeedReport() | FollowEndReport() | MarkerMessage() | MarkerSourceMessage() | TallyMessage():
                await self._take_report(request)
            case Ping():
                result = {"mono_ns": self._clock.mono_ns(), "utc": self._clock.utc()}
            case SnapshotRequest() | Subscribe():
                result = self.snapshot()
            case DeviceMessage():
                result = as_json(await self._take_message(request))
            case Kill():
                result = await self._commands.kill(request)
            case Release():
                result = await self._commands.release(request)
            case SetMode():
                result = await self._commands.set_mode(request)
            case Settle():
                result = await self._commands.settle(request)
            case Veto():
                result = await self._commands.veto(request)
            case Reload():
                await self._reload()
                self._showing.refresh()
            case _:
                assert_never(request)
        return result

    async def _take_report(self, report: Report) -> None:
        match report:
            case DetectionReport():
                self.hear(report.detection)
            case FeedReport():
                self.take_feed(report.feed)
            case FollowEndReport():
                self._followed(report.follow_end)
            case MarkerMessage():
                await self.take_marker(report.marker)
            case MarkerSourceMessage():
                self.take_marker_source(report.marker_source)
            case TallyMessage():
                self.take_tally(report.tally)
            case _:
                assert_never(report)

    async def _take_message(self, request: DeviceMessage) -> Answer:
        if self._link is None:
            raise ControlError("refused", "no device is configured; add a [[device]] to cuebird.toml")
        return await self._link.take(request.topic, request.message.encode())

    def snapshot(self) -> JsonObject:
        """Everything, as docs/engine-socket.md shows it."""
        return self._showing.snapshot()

    # --- firing ---------------------------------------------------------------------------------

    async def _agreed(self, intent: Intent) -> Intent:
        """The intent that was armed, as it is to be claimed now."""
        return self._interlocks.seen_by(await self._corroboration.awaited(intent), now_mono_ns=self._clock.mono_ns())

    def _withdrawn(self, occurrence_id: str) -> str:
        if self._matches.is_taken_back(occurrence_id):
            return "the goal has been taken back"
        return self._markers.withdrawn(occurrence_id)

    async def _announce(self, record: FiringRecord) -> None:
        """Show a record that changed, and do what follows from its new state."""
        self._showing.firing(record)
        if record.state is FiringState.UNKNOWN:
            sentence = f"it is not known whether {record.cue_name} was posted ({record.reason}); reading the timeline"
            await self._alarms.sound("critical", sentence)
            self._reconcile(record)
        elif record.state is FiringState.REFUSED:
            await self._alarms.sound("critical", f"{record.cue_name} was refused: {record.reason}")
            await self._alarms.unless_failed(self._media.take_refusal(record))
        elif record.action is Action.CORRECT and record.state is not FiringState.POSTED:
            sentence = f"the tweet of a goal that was taken back stands uncorrected: {record.state} ({record.reason}); look at it"
            await self._alarms.sound("critical", sentence)
        elif record.guard == Guard.CAPS:
            # A cap that trips holds every cue of its scope: show that.
            await self._alarms.unless_failed(self._reload())
            self._showing.refresh()
        elif self._follow_up.is_wanted(record):
            self._follow_up.begin_late(record)

    def _reconcile(self, record: FiringRecord) -> None:
        if self._reconciler is not None:
            self._reconciler.follow(record, self._tasks.begin)

    # --- what is loaded and taken up ------------------------------------------------------------

    async def _take_up_unsettled(self) -> None:
        after_utc = self._clock.utc() - PROVISIONAL
        for record in await self._writer.run(self._firings.unsettled, claimed_after_utc=after_utc):
            self._reconcile(record)
        await self._follow_up.take_up()

    def _link_handlers(self) -> LinkHandlers:
        async def alarm(sentence: str) -> None:
            await self._alarms.sound("warning", sentence)

        return LinkHandlers(
            score=self.take_score, status=self.take_device, refusal=self.take_refusal, alarm=alarm, replay=self._books.note_replay
        )

    async def _reload(self) -> None:
        """Read cues, approvals and airings again.

        Raises:
            LedgerError: they cannot be read; what was known stays.
        """
        self._standing.switch = await self._writer.run(self._ledger.switch)
        await self._outside.note()
        loaded = await self._loader.load()
        self._board.load(loaded)
        self._media.reload()
        if self._arming is not None:
            self._arming.load(loaded.airings)

    async def _window_changed(self, airing: Airing, change: WindowChange) -> None:
        _log.info("window_changed", extra={"airing_id": airing.airing_id, "change": change.value})
        self._media.look()
        self._showing.refresh()

    def _armed_accounts(self) -> frozenset[str]:
        """Configured accounts of cues that could fire live now."""
        if self._standing.mode is not Mode.LIVE:
            return frozenset()
        return self._outlets.account_ids & self._board.armed_accounts(Mode.LIVE, self._clock.utc())

    def _look_again(self) -> None:
        self._media.look()
        if self._renewals is not None:
            self._renewals.look()

    # --- small things ---------------------------------------------------------------------------

    def _make_renewals(self) -> Renewals | None:
        if (tokens := self._setup.tokens) is None:
            return None
        return Renewals(
            tokens,
            TokenRecords(self._ledger, tokens.key),
            writer=self._writer,
            clock=self._clock,
            epoch=self.epoch,
            wanted=lambda: self._standing.mode is Mode.LIVE,
            changed=self._showing.refresh,
            alarm=self._alarms.sound,
        )

    def _note(self, event: Detection | ScoreEvent | MarkerReport, status_age_ns: int | None = None) -> None:
        if self._recorder is not None:
            self._recorder.note(event, status_age_ns=status_age_ns)

    def _channel(self, feed_id: str) -> str:
        channel = self._board.channel_of(feed_id)
        if channel is None:
            raise ControlError("refused", f"feed {feed_id}: it is not configured")
        return channel

    def _now(self) -> Moment:
        return Moment(mono_ns=self._clock.mono_ns(), utc=self._clock.utc())
