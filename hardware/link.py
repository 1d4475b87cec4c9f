"""The engine's side: what devices say, verified, as events and states.

One connection to the broker for all venues. It is made again, with back-off, whenever it is lost; meanwhile the broker
keeps the events for us. An event is acknowledged once it was taken. Nothing that comes in can raise: what is not believed
becomes a `Refusal`, and what never came although its gateway sent it an alarm.
"""

import asyncio
import logging
import math
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import aiomqtt
from paho.mqtt.subscribeoptions import SubscribeOptions

from hardware.certificates import certificate_end, ending
from hardware.clock_comparison import ClockComparison
from hardware.connection import ANSWER_TIMEOUT_S, QUEUE_MESSAGES_MAX, RECEIVE_MAX, Connection
from hardware.errors import RefusedMessage, RepeatedMessage, SettingError
from hardware.events import Admission, Answer, DeviceState, DeviceStatus, Refusal, RefusalKind, ScoreEvent
from hardware.gaps import Gaps, missing_sentence
from hardware.keys import DeviceKey, KeyRing, ValidKey, key_ring
from hardware.messages import FRESHNESS_S, FUTURE_S, NS_PER_S, EventBody, StateBody, VerifiedState, verify, verify_state
from hardware.mqtt import BrokerAddress, client, entered, tls_context
from hardware.replay import ReplayState
from hardware.topics import DeviceTopic, parse_topic
from timebase import Backoff, Clock

log = logging.getLogger(__name__)

STALE_S = 3.0
"""A device is stale when its newest state is older; gateways send one at least every second."""
SESSION_S = 300
"""How long the broker keeps events for an engine that is away, at least. Each expires earlier, by its freshness."""
CERTIFICATE_TOLD_EVERY_S = 86_400.0
STRANGERS_TOLD_MAX = 20
"""An alarm is raised for so many devices that nobody configured; more are counted and logged only."""
_WATCH_S = 0.25
BEHIND_LOOKS = 4
QUEUE_FULL = 8
"""With as many waiting here, more may wait at the broker, which lets states overtake events."""
BUSY_S = 0.4
"""A look that comes as late finds a process with too little of the machine: events may have arrived and not been read."""
_QOS = {"event": 1, "state": 0}
"""States are not kept for us: the newest one lies retained at the broker, and events need the room."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ACCEPTED = Answer(admission=Admission.ACCEPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkHandlers:
    """Where the link delivers. Each is awaited in turn, in the order of arrival: hand long work to a task of your own.

    Attributes:
        score: a verified event, once.
        status: at every state message, and when a device turns stale or offline.
        refusal: a message that was not believed.
        alarm: one sentence for the operator: the broker cannot be reached, messages were lost, or the engine is too slow.
        replay: the replay state to store; awaited before `score`, so that a crash between the two loses
            the event rather than firing it twice.
    """

    score: Callable[[ScoreEvent], Awaitable[None]]
    status: Callable[[DeviceStatus], Awaitable[None]]
    refusal: Callable[[Refusal], Awaitable[None]]
    alarm: Callable[[str], Awaitable[None]]
    replay: Callable[[ReplayState], Awaitable[None]]


class MqttLink:
    """Listens to devices until cancelled."""

    def __init__(
        self,
        *,
        address: BrokerAddress,
        devices: tuple[DeviceKey, ...],
        handlers: LinkHandlers,
        clock: Clock,
        replay: ReplayState | None = None,
        freshness_s: float = FRESHNESS_S,
        identifier: str | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """Listen to `devices`; `replay` is the state last given to `handlers.replay`.

        Args:
            identifier: the name by which the broker knows us again after we were away; no other client may have it.
                None: what happens meanwhile is missed.

        Raises:
            SettingError: two devices with one name in a venue.
        """
        self._address, self._handlers, self._clock, self._freshness_s = address, handlers, clock, freshness_s
        self._devices = {(one.venue, one.device): one for one in devices}
        if len(self._devices) != len(devices):
            raise SettingError("devices: two have the same venue and id; rename one")
        self._keys: Mapping[tuple[str, str], KeyRing] = {name: key_ring(one) for name, one in self._devices.items()}
        self._fixtures: Mapping[tuple[str, str], str] = {name: one.fixture for name, one in self._devices.items()}
        self._replay = replay or ReplayState()
        self._gaps, self._identifier = Gaps(self._replay, freshness_s=freshness_s), identifier
        self._backoff = backoff or Backoff(first_s=0.25, most_s=5.0, floor_s=0.05)
        self._states: dict[tuple[str, str], StateBody] = {}
        self._clocks = {name: ClockComparison() for name in self._devices}
        self._statuses: dict[tuple[str, str], DeviceStatus] = {}
        self._lost = self._behind_looks = 0
        self._connection: Connection | None = None
        self._strangers: set[tuple[str, str]] = set()
        self._tls: ssl.SSLContext | None = None
        self.connected = asyncio.Event()
        """Set while subscribed."""

    async def run(self) -> None:
        """Receive, verify and deliver until cancelled.

        Raises:
            SettingError: the TLS files cannot be used. Everything else is retried.
        """
        self._tls = await asyncio.to_thread(tls_context, self._address)
        ends_utc = await asyncio.to_thread(certificate_end, self._address)
        for device in self._devices.values():
            await self._publish_status((device.venue, device.device), _unheard(device))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stay_connected(), name="mqtt-link")
            tasks.create_task(self._watch(), name="mqtt-link-watch")
            if ends_utc is not None:
                tasks.create_task(self._watch_certificate(ends_utc), name="mqtt-link-certificate")

    async def _stay_connected(self) -> None:
        reported = False
        while True:
            try:
                await self._receive()
            except aiomqtt.MqttError as error:
                if self.connected.is_set() or not reported:
                    reported = True
                    log.warning("mqtt.lost", extra={"broker": str(self._address), "error": str(error)})
                    await self._handlers.alarm(f"the MQTT broker {self._address} is not reachable ({error}); trying again")
            finally:
                self.connected.clear()
                self._connection = None
            await self._clock.sleep(self._backoff.next_s())

    async def _receive(self) -> None:
        connection = client(
            self._address,
            identifier=self._identifier,
            session_s=None if self._identifier is None else max(SESSION_S, math.ceil(self._freshness_s)),
            tls=self._tls,
            on_overflow=self._count_lost,
        )
        async with entered(connection):
            self._connection = connection
            venues = sorted({venue for venue, _ in self._devices})
            await self._subscribe(connection, venues)
            self._backoff.reset()
            self._gaps.hold(self._clock.mono_ns())
            self.connected.set()
            log.info("mqtt.subscribed", extra={"broker": str(self._address), "venues": venues})
            async for message in connection.received():
                await self._take(message)
                # Only now: what a process that dies has not taken comes again.
                connection.acknowledge(message)

    async def _subscribe(self, connection: Connection, venues: list[str]) -> None:
        wanted = {f"cuebird/v1/{venue}/+/{leaf}": qos for venue in venues for leaf, qos in _QOS.items()}
        # All at once: what the first of several brings is not acknowledged before the last is answered.
        granted = await connection.subscribe(
            # MQTT 5 can pass the retain flag on even for a message published while we listen.
            [(topic, SubscribeOptions(qos=qos, retainAsPublished=True)) for topic, qos in wanted.items()]
            if self._address.is_mqtt5
            else list(wanted.items()),
            timeout=ANSWER_TIMEOUT_S,
        )
        codes = [code if isinstance(code, int) else code.value for code in granted]
        for topic, code in zip(wanted, codes, strict=True):
            if code >= 0x80:
                raise aiomqtt.MqttError(f"the broker refused the subscription to {topic}")

    async def _take(self, message: aiomqtt.Message) -> None:
        await self.take(message.topic.value, message.payload, retained=message.retain)

    async def take(self, topic: str, payload: bytes, *, retained: bool = False) -> Answer:
        """Verify a message, however it came, deliver what it says, and tell what became of it.

        Args:
            topic: the broker's, or the one it would have there: the signature covers it.
            retained: the broker kept it from before.
        """
        received_mono_ns, now_utc_ns = self._clock.mono_ns(), self._utc_ns()
        named = parse_topic(topic)
        try:
            if named is not None and named.leaf == "state":
                verified_state = verify_state(topic, payload, keys=self._keys, fixtures=self._fixtures, now_utc_ns=now_utc_ns)
                await self._note_state(named, verified_state, received_mono_ns)
                return _ACCEPTED
            if retained:
                raise RefusedMessage(RefusalKind.RETAINED, "retained; an event counts only as it happens")
            clock = self._clocks.get((named.venue, named.device)) if named is not None else None
            ahead_ns = 0 if clock is None else clock.ahead_ns
            verified = verify(
                topic,
                payload,
                keys=self._keys,
                fixtures=self._fixtures,
                now_utc_ns=now_utc_ns,
                replay=self._replay,
                freshness_s=self._freshness_s,
                ahead_ns=ahead_ns,
            )
        except RepeatedMessage as repeated:
            log.info("mqtt.repeated", extra={"topic": topic, "reason": str(repeated)})
            return Answer(admission=Admission.DUPLICATE, reason=str(repeated))
        except RefusedMessage as refused:
            await self._refuse(topic, refused, received_mono_ns)
            duplicate = refused.kind is RefusalKind.REPEATED
            return Answer(admission=Admission.DUPLICATE if duplicate else Admission.REFUSED, reason=str(refused))
        self._replay, event = verified.replay, verified.event
        self._gaps.take_event((event.venue, event.device), boot=event.boot, sequence=event.sequence)
        await self._handlers.replay(verified.replay)
        await self._handlers.score(_score_event(event, now_utc_ns=now_utc_ns + ahead_ns, received_mono_ns=received_mono_ns))
        return _ACCEPTED

    async def _refuse(self, topic: str, refused: RefusedMessage, seen_mono_ns: int) -> None:
        log.warning("mqtt.refused", extra={"topic": topic, "kind": refused.kind.value, "reason": str(refused)})
        await self._handlers.refusal(Refusal(topic=topic, kind=refused.kind, reason=str(refused), seen_mono_ns=seen_mono_ns))
        named = parse_topic(topic) if refused.kind is RefusalKind.UNKNOWN_DEVICE else None
        if named is not None and len(self._strangers) < STRANGERS_TOLD_MAX and (named.venue, named.device) not in self._strangers:
            # It has no tile that could show it: most often a gateway that somebody set up and forgot to tell the engine of.
            self._strangers.add((named.venue, named.device))
            await self._handlers.alarm(
                f"{named.venue}/{named.device} publishes, and the engine has no device of this name; add a [[device]] or stop it"
            )

    async def _note_state(self, named: DeviceTopic, verified: VerifiedState, seen_mono_ns: int) -> None:
        name, state = (named.venue, named.device), verified.state
        known = self._states.get(name)
        if state.state == "offline" and known is not None and state.boot != known.boot:
            # The last will of an earlier connection, overtaken by the device's new boot.
            return
        if state.state != "offline" and known is not None and (state.boot, state.t_pub_ns) < (known.boot, known.t_pub_ns):
            return
        if state.state != "offline" or known is None:
            self._states[name] = state
        if state.sequence is not None and state.state != "offline":
            self._gaps.take_state(name, boot=state.boot, sequence=state.sequence, mono_ns=seen_mono_ns)
        clock = self._clocks[name]
        if state.state == "offline":
            clock.forget()
        else:
            clock.note(self._utc_ns() - state.t_pub_ns)
        await self._publish_status(name, _status(state, verified.key, self._judged(state), clock, seen_mono_ns))

    def _judged(self, state: StateBody) -> DeviceState:
        if state.state == "offline":
            return DeviceState.OFFLINE
        age_ns = self._utc_ns() - state.t_pub_ns
        # One from the future is as bad as an old one: every event of such a device is refused.
        timely = -FUTURE_S * NS_PER_S <= age_ns <= STALE_S * NS_PER_S
        return DeviceState.ONLINE if timely and state.state == "online" else DeviceState.STALE

    async def _publish_status(self, name: tuple[str, str], status: DeviceStatus) -> None:
        known = self._statuses.get(name)
        if status.state is DeviceState.OFFLINE and known is not None:
            # A last will was written at connection and knows no score; keep the last one seen.
            status = replace(known, state=status.state, detail=status.detail, seen_mono_ns=status.seen_mono_ns)
        self._statuses[name] = status
        await self._handlers.status(status)

    async def _watch(self) -> None:
        """Turn silent devices stale, and tell of messages that were lost or have to wait."""
        while True:
            slept_mono_ns = self._clock.mono_ns()
            await self._clock.sleep(_WATCH_S)
            now_mono_ns = self._clock.mono_ns()
            if self._waiting >= QUEUE_FULL or now_mono_ns - slept_mono_ns > BUSY_S * NS_PER_S:
                self._gaps.hold(now_mono_ns)
            for name, status in list(self._statuses.items()):
                if status.state is DeviceState.ONLINE and now_mono_ns - status.seen_mono_ns > STALE_S * NS_PER_S:
                    await self._publish_status(
                        name, replace(status, state=DeviceState.STALE, detail=f"no state for more than {STALE_S:g} s")
                    )
            await self._tell_lost()
            await self._tell_behind()
            await self._tell_missing(now_mono_ns)

    async def _watch_certificate(self, ends_utc: datetime) -> None:
        """Tell once a day while our own ends soon."""
        while True:
            if remark := ending(ends_utc, self._clock.utc()):
                log.warning(
                    "mqtt.certificate_ends", extra={"file": str(self._address.cert_file), "ends_utc": ends_utc.isoformat()}
                )
                await self._handlers.alarm(f"{self._address.cert_file}: {remark}")
            await self._clock.sleep(CERTIFICATE_TOLD_EVERY_S)

    async def _tell_missing(self, now_mono_ns: int) -> None:
        if missing := self._gaps.due(now_mono_ns):
            log.error("mqtt.missing", extra={"missing": {device: numbers for (_, device), numbers in missing.items()}})
            await self._handlers.alarm(missing_sentence(missing))

    async def _tell_lost(self) -> None:
        if self._lost:
            lost, self._lost = self._lost, 0
            log.error("mqtt.overflow", extra={"lost": lost, "queue_max": QUEUE_MESSAGES_MAX})
            await self._handlers.alarm(
                f"{lost} MQTT messages were lost: more than {QUEUE_MESSAGES_MAX} came in before the engine could take them"
            )

    async def _tell_behind(self) -> None:
        """Once for each time that so much waits for a second: the broker holds the rest back, and events grow old there."""
        waiting = self._waiting
        self._behind_looks = self._behind_looks + 1 if waiting >= RECEIVE_MAX // 2 else 0
        if self._behind_looks == BEHIND_LOOKS:
            log.error("mqtt.behind", extra={"waiting": waiting})
            await self._handlers.alarm(f"{waiting} MQTT messages wait to be taken: they come faster than the engine takes them")

    @property
    def _waiting(self) -> int:
        return self._connection.waiting if self._connection is not None else 0

    def _count_lost(self) -> None:
        self._lost += 1

    def _utc_ns(self) -> int:
        return (self._clock.utc() - _EPOCH) // timedelta(microseconds=1) * 1000


def _score_event(event: EventBody, *, now_utc_ns: int, received_mono_ns: int) -> ScoreEvent:
    """The event with its instant by our clock; `now_utc_ns` is by the device's, as far as that is known."""
    # It may be further ahead than is known; nothing can have happened after its message arrived.
    age_ns = max(0, now_utc_ns - event.t_event_ns)
    return ScoreEvent(
        event_id=event.id,
        venue=event.venue,
        device=event.device,
        fixture=event.fixture,
        kind=event.type,
        side=event.side,
        delta=event.delta,
        home=event.home,
        away=event.away,
        ordinal=event.ordinal,
        period=event.period,
        clock=event.clock,
        event_utc=_EPOCH + timedelta(microseconds=event.t_event_ns // 1000),
        event_mono_ns=received_mono_ns - age_ns,
        received_mono_ns=received_mono_ns,
        player=event.player,
        name=event.name,
    )


def _unheard(device: DeviceKey) -> DeviceStatus:
    """What is shown of a configured device until it says something: a screen without it would look healthy."""
    return DeviceStatus(
        venue=device.venue,
        device=device.device,
        state=DeviceState.OFFLINE,
        fixture=device.fixture,
        home=None,
        away=None,
        clock="",
        period="",
        good_frames=0,
        bad_frames=0,
        seen_mono_ns=0,
        detail="not heard since the engine started",
    )


def _status(state: StateBody, key: ValidKey, judged: DeviceState, clock: ClockComparison, seen_mono_ns: int) -> DeviceStatus:
    untimely = clock.remark or f"its last state is not of the last {STALE_S:g} s"
    details = {
        "online": clock.remark if judged is DeviceState.ONLINE else untimely,
        "console_silent": "the gateway hears nothing from the console",
        "offline": "the gateway is not connected",
    }
    return DeviceStatus(
        venue=state.venue,
        device=state.device,
        state=judged,
        fixture=state.fixture,
        home=state.home,
        away=state.away,
        clock=state.clock,
        period=state.period,
        good_frames=state.good_frames,
        bad_frames=state.bad_frames,
        seen_mono_ns=seen_mono_ns,
        detail="; ".join(filter(None, (state.detail or details[state.state], _old_key(key)))),
        key=key.key_id,
        clock_source=state.clock_source,
        clock_error_us=state.clock_error_us,
        clock_offset_us=state.clock_offset_us,
        clock_by=state.clock_by,
        clock_behind_ms=clock.behind_ms,
        connections=state.connections,
        dropped_events=state.dropped_events,
        frame_mono_ns=0 if state.frame_age_ms is None else seen_mono_ns - state.frame_age_ms * 1_000_000,
    )


def _old_key(key: ValidKey) -> str:
    """What is to be said of a device that has not been given its new key yet."""
    if key.ends_utc_ns is None:
        return ""
    ends_utc = _EPOCH + timedelta(microseconds=key.ends_utc_ns // 1000)
    return f"it signs with its old key {key.key_id}, which ends {ends_utc:%Y-%m-%d %H:%M} UTC: give it the new one"
