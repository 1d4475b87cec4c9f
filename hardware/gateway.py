"""The gateway: reads one console, publishes what its score does, signed.

Three tasks: listen to the console, watch this machine's clock, and keep a connection to the broker to publish events as
they happen and the state about twice a second. The console and the broker may come and go independently.
An event is stamped when the last byte of the frame that first showed it arrived, and is dropped, not
sent late, when it has grown older than the freshness window before the broker could be reached. After a lost
connection the events of that window are published again, under the ids they had: a broker that was killed may
have lost what it had acknowledged. The engine takes each once.
"""

import asyncio
import contextlib
import hashlib
import logging
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import aiomqtt

from hardware.certificates import certificate_end, ending
from hardware.clock_watch import ClockWatch
from hardware.connection import NOBODY, Connection
from hardware.events import ScoreKind
from hardware.home_assistant import discovery
from hardware.inputs import HORN, InputListener, Told
from hardware.inputs.sources import LISTENERS, input_listener
from hardware.keys import DeviceKey, key_id
from hardware.lines import Recorder, parse_line
from hardware.listening import ConsoleListener
from hardware.messages import DETAIL_LETTERS_MAX, FRESHNESS_S, NS_PER_S, EventBody, StateBody, sign
from hardware.mqtt import BrokerAddress, Will, client, entered, expiring, tls_context
from hardware.scoreboards.protocols import protocol_named
from hardware.scoring import ScoreChange
from hardware.sparkplug import SparkplugNode
from hardware.topics import DeviceTopic
from hardware.ulid import new_ulid
from timebase import Backoff, Clock

log = logging.getLogger(__name__)

OUTBOX_EVENTS_MAX = 64
STATE_EVERY_S = 0.5
UNHEARD_RETRY_S = 0.25
"""How soon an event is offered again that the broker refused, or had nobody to give to."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """What one gateway reads and whom it tells.

    Attributes:
        identity: who we are, which match we keep, and our key.
        sport: key of `hardware.sports.STEPS`.
        protocol: key of `hardware.scoreboards.protocols.PROTOCOLS` or of `hardware.inputs.sources.LISTENERS`.
        source: the address of its line, as in `hardware.lines.EXAMPLES`, or of a source of events.
        events: of a source of events, what each address or pin means.
        freshness_s: an event older than this is not sent any more.
        home_assistant: where Home Assistant looks for discovery; None tells it nothing.
        sparkplug: the Sparkplug group in which the device is a node; None for none.
    """

    identity: DeviceKey
    sport: str
    protocol: str
    source: str
    address: BrokerAddress
    freshness_s: float = FRESHNESS_S
    events: Mapping[str, str] = field(default_factory=dict)
    home_assistant: str | None = None
    sparkplug: str | None = None


class Gateway:
    """One console's way to the broker; runs until cancelled."""

    def __init__(self, settings: GatewaySettings, *, clock: Clock, recorder: Recorder | None = None) -> None:
        """Prepare; nothing is opened yet. The caller closes the recorder.

        Raises:
            UnknownProtocolError, SettingError: the settings cannot work.
        """
        self._settings, self._clock, self._identity = settings, clock, settings.identity
        self._key, self._key_id = self._identity.signing_key, key_id(self._identity.key)
        self._console = self._listener(settings, recorder)
        self._event_topic = DeviceTopic(venue=self._identity.venue, device=self._identity.device, leaf="event")
        self._state_topic = DeviceTopic(venue=self._identity.venue, device=self._identity.device, leaf="state")
        self._tls: ssl.SSLContext | None = None
        self._certificate_ends_utc: datetime | None = None
        self._boot = new_ulid(self._utc_ns())
        self._sequence = 0
        self._clock_watch = ClockWatch(clock=clock)
        self._outbox: deque[EventBody] = deque()
        self._outbox_filled = asyncio.Event()
        self._idle: Connection | None = None
        """The connection, while no event is on its way on it."""
        self._sent: tuple[str, int] | None = None
        """The event that was sent as it was enqueued, and what to ask for its answer."""
        self._expiry = expiring(settings.address, after_s=settings.freshness_s)
        self._published: deque[EventBody] = deque(maxlen=OUTBOX_EVENTS_MAX)
        self._left_sequence = self._told_sequence = 0
        self._troubles = {"events": "", "states": ""}
        self._broker_backoff = Backoff(first_s=0.25, most_s=5.0, floor_s=0.05)
        self._dropped_events = 0
        self.connected = asyncio.Event()
        """Set while the broker takes our messages."""

    async def run(self) -> None:
        """Read and publish until cancelled; then say goodbye.

        Raises:
            SettingError: the TLS files cannot be used. Everything else is retried.
        """
        self._tls = await asyncio.to_thread(tls_context, self._settings.address)
        self._certificate_ends_utc = await asyncio.to_thread(certificate_end, self._settings.address)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._console.run(), name="gateway-console")
            tasks.create_task(self._stay_on_broker(), name="gateway-broker")
            tasks.create_task(self._clock_watch.run(), name="gateway-clock")
            if self._settings.sparkplug is not None:
                node = SparkplugNode(
                    group=self._settings.sparkplug,
                    venue=self._identity.venue,
                    device=self._identity.device,
                    state=self.state,
                    address=self._settings.address,
                    clock=self._clock,
                )
                tasks.create_task(node.run(self._tls), name="gateway-sparkplug")

    def _listener(self, settings: GatewaySettings, recorder: Recorder | None) -> ConsoleListener | InputListener:
        if settings.protocol in LISTENERS:
            return input_listener(settings.protocol, settings.source, settings.events, clock=self._clock, sink=self._enqueue_told)
        protocol = protocol_named(settings.protocol)
        return ConsoleListener(
            parse_line(settings.source, protocol),
            protocol,
            sport=settings.sport,
            clock=self._clock,
            sink=self._enqueue,
            recorder=recorder,
        )

    @property
    def keeps_score(self) -> bool:
        """Whether it reads a scoreboard, and not a source of events."""
        return isinstance(self._console, ConsoleListener)

    # --- events on their way

    def _enqueue(self, change: ScoreChange) -> None:
        shown = change.first.reading
        self._put(
            change.first.utc_ns,
            shown.frame,
            type=change.kind,
            side=change.side,
            delta=change.delta,
            home=change.home,
            away=change.away,
            ordinal=change.ordinal,
            period=shown.period,
            clock=shown.clock,
            confidence=change.confidence.value,
            protocol=shown.protocol,
        )

    def _enqueue_told(self, told: Told) -> None:
        """A source of events knows no score."""
        is_horn = told.name == HORN
        self._put(
            told.utc_ns,
            told.evidence,
            type=ScoreKind.HORN if is_horn else ScoreKind.TRIGGER,
            name="" if is_horn else told.name,
            side=None,
            delta=0,
            home=0,
            away=0,
            ordinal=0,
            period="",
            clock="",
            confidence="told",
            protocol=self._settings.protocol,
        )

    def _put(self, event_utc_ns: int, evidence: bytes, **what: Any) -> None:
        if len(self._outbox) >= OUTBOX_EVENTS_MAX:
            self._drop(self._outbox.popleft(), "the outbox is full")
        self._sequence += 1
        identity, quality = self._identity, self._clock_watch.quality()
        self._outbox.append(
            EventBody(
                version=1,
                id=new_ulid(event_utc_ns),
                boot=self._boot,
                sequence=self._sequence,
                venue=identity.venue,
                device=identity.device,
                fixture=identity.fixture,
                t_event_ns=event_utc_ns,
                t_pub_ns=event_utc_ns,
                clock_source=quality.source,
                clock_error_us=quality.error_us,
                frame_sha256=hashlib.sha256(evidence).hexdigest(),
                key=self._key_id,
                **what,
            )
        )
        if len(self._outbox) == 1 and self._idle is not None:
            # At once: a turn of the event loop later is later.
            with contextlib.suppress(aiomqtt.MqttError):
                self._sent = (self._outbox[0].id, self._send_event(self._idle, self._outbox[0]))
        self._outbox_filled.set()

    def _drop(self, event: EventBody, reason: str) -> None:
        self._told_sequence = event.sequence
        if event.sequence <= self._left_sequence:
            # Published before, and now too old to be published again.
            return
        self._left_sequence = event.sequence
        self._dropped_events += 1
        log.error("gateway.event_dropped", extra={"event": event.id, "type": event.type.value, "reason": reason})

    # --- the broker

    async def _stay_on_broker(self) -> None:
        reported = ""
        while True:
            try:
                await self._publish()
            except* aiomqtt.MqttError as errors:
                text = str(errors.exceptions[0])
                if self.connected.is_set() or text != reported:
                    log.warning("gateway.broker_lost", extra={"broker": str(self._settings.address), "error": text})
                reported = text
            finally:
                self.connected.clear()
            await self._clock.sleep(self._broker_backoff.next_s())

    async def _publish(self) -> None:
        settings = self._settings
        connection = client(
            settings.address,
            identifier=f"cuebird-gateway-{self._identity.venue}-{self._identity.device}",
            will=Will(topic=str(self._state_topic), payload=self._signed_state("offline", "the gateway vanished")),
            tls=self._tls,
        )
        async with entered(connection):
            self._broker_backoff.reset()
            self.connected.set()
            log.info("gateway.broker_reached", extra={"broker": str(settings.address)})
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(_until_lost(connection), name="gateway-connection")
                    tasks.create_task(self._publish_events(connection), name="gateway-events")
                    tasks.create_task(self._publish_states(connection), name="gateway-states")
                    if settings.home_assistant is not None:
                        tasks.create_task(self._publish_discovery(connection, settings.home_assistant), name="gateway-discovery")
            except asyncio.CancelledError:
                with contextlib.suppress(aiomqtt.MqttError):
                    await self._publish_state(connection, self._signed_state("offline", "the gateway was stopped"))
                raise

    async def _publish_events(self, connection: Connection) -> None:
        self._begin_again()
        self._sent = None
        while True:
            while self._outbox:
                event = self._outbox[0]
                age_s = self._age_s(event)
                if age_s > self._settings.freshness_s:
                    why = self._troubles["events"] or "the broker could not be reached before"
                    self._drop(event, f"{age_s:.1f} s old; {why}")
                elif await self._publish_event(connection, event):
                    self._told_sequence = event.sequence
                    self._left_sequence = max(self._left_sequence, event.sequence)
                    self._published.append(event)
                else:
                    await self._clock.sleep(UNHEARD_RETRY_S)
                    continue
                # Only now: a failed publication is repeated under the same id after the next connection.
                if self._outbox and self._outbox[0] is event:
                    self._outbox.popleft()
            self._outbox_filled.clear()
            self._idle = connection
            try:
                await self._outbox_filled.wait()
            finally:
                self._idle = None

    def _begin_again(self) -> None:
        """Put what was published and is still fresh back into the outbox, before the rest."""
        fresh = [event for event in self._published if self._age_s(event) <= self._settings.freshness_s]
        self._published.clear()
        self._outbox.extendleft(reversed(fresh))
        if fresh:
            self._told_sequence = fresh[0].sequence - 1

    def _age_s(self, event: EventBody) -> float:
        return (self._utc_ns() - event.t_event_ns) / NS_PER_S

    async def _publish_event(self, connection: Connection, event: EventBody) -> bool:
        """Publish once; False when the broker says that nobody gets it."""
        sent, self._sent = self._sent, None
        asked = sent[1] if sent is not None and sent[0] == event.id else self._send_event(connection, event)
        trouble = await connection.answered(asked)
        self._note_trouble("events", trouble)
        if trouble:
            return False
        log.info(
            "gateway.event_published",
            extra={
                "event": event.id,
                "type": event.type.value,
                "side": event.side,
                "home": event.home,
                "away": event.away,
                "answered_ms": (self._utc_ns() - event.t_event_ns) / 1e6,
            },
        )
        return True

    def _send_event(self, connection: Connection, event: EventBody) -> int:
        now = {"t_pub_ns": self._utc_ns(), "repeated": event.sequence <= self._left_sequence}
        message = sign(self._event_topic, event.model_copy(update=now), self._key)
        return connection.send(str(self._event_topic), message, retain=False, properties=self._expiry)

    @property
    def trouble(self) -> str:
        """Why nobody gets what is published, as far as the broker says; empty otherwise."""
        return "; ".join(f"its {what}: {trouble}" for what, trouble in self._troubles.items() if trouble)

    def _note_trouble(self, what: str, trouble: str) -> None:
        if trouble and trouble != self._troubles[what]:
            log.warning("gateway.unheard", extra={"broker": str(self._settings.address), "what": what, "reason": trouble})
        self._troubles[what] = trouble

    async def _publish_states(self, connection: Connection) -> None:
        """Publish on change, at most every `STATE_EVERY_S`, and at least every second time without one."""
        published, skipped = None, False
        while True:
            state = self.state()
            # Ages, and the bound on the clock's error, grow all the time by themselves.
            unstamped = state.model_copy(
                update={"t_pub_ns": 0, "clock_error_us": None, "clock_offset_us": None, "frame_age_ms": None}
            )
            skipped = unstamped == published and not skipped
            if not skipped:
                await self._publish_state(connection, sign(self._state_topic, state, self._key))
                published = unstamped
            await self._clock.sleep(STATE_EVERY_S)

    async def _publish_state(self, connection: Connection, message: bytes) -> None:
        self._note_trouble("states", await connection.deliver(str(self._state_topic), message, retain=True))

    async def _publish_discovery(self, connection: Connection, prefix: str) -> None:
        topic, message = discovery(self._identity, protocol=self._settings.protocol, prefix=prefix)
        trouble = await connection.deliver(topic, message, retain=True)
        if trouble and trouble != NOBODY:
            log.warning("gateway.undiscovered", extra={"topic": topic, "reason": trouble})

    def _signed_state(self, state: Literal["offline"], detail: str) -> bytes:
        return sign(self._state_topic, self.state().model_copy(update={"state": state, "detail": detail}), self._key)

    def state(self) -> StateBody:
        """How the device is now, as it is published."""
        identity, console, quality = self._identity, self._console.status(), self._clock_watch.quality()
        last = console.last
        remarks = filter(None, (console.detail, ending(self._certificate_ends_utc, self._clock.utc())))
        return StateBody(
            version=1,
            boot=self._boot,
            venue=identity.venue,
            device=identity.device,
            fixture=identity.fixture,
            t_pub_ns=self._utc_ns(),
            state="online" if console.heard else "console_silent",
            sequence=self._told_sequence,
            home=console.home,
            away=console.away,
            clock=last.clock if last else "",
            period=console.period,
            running=last.running if last else None,
            good_frames=console.good_frames,
            bad_frames=console.bad_frames,
            dropped_events=self._dropped_events,
            connections=console.connections,
            refused=console.refused,
            received_bytes=console.received_bytes,
            frame_age_ms=None if console.frame_mono_ns is None else (self._clock.mono_ns() - console.frame_mono_ns) // 1_000_000,
            clock_source=quality.source,
            clock_error_us=quality.error_us,
            clock_offset_us=quality.offset_us,
            clock_by=quality.by,
            detail="; ".join(remarks)[:DETAIL_LETTERS_MAX],
        )

    def _utc_ns(self) -> int:
        return (self._clock.utc() - _EPOCH) // timedelta(microseconds=1) * 1000


async def _until_lost(connection: Connection) -> None:
    """Raise `MqttError` as soon as the connection is lost, rather than at the next publication."""
    async for _ in connection.received():
        # We subscribe to nothing: whatever comes is not for us.
        pass
