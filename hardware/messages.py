"""The signed messages between gateways and the engine. docs/mqtt.md is their specification.

    cuebird1 <key id> <HMAC-SHA256, 64 hex digits>\n          or          cuebird2 <key id> <Ed25519, 128 hex digits>\n
    {"version": 1, …}                                                     {"version": 1, …}

The signature covers the topic, a zero byte and the raw bytes after the first line, so no byte of the
whole can change unnoticed and nothing needs a canonical form. Pure: the instant of reading, the keys
and the replay state are arguments.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hardware.errors import RefusedMessage, RepeatedMessage
from hardware.events import RefusalKind, ScoreKind, Side
from hardware.keys import KeyRing, SignatureKind, SigningKey, ValidKey, VerifyingKey, key_id, kind_of
from hardware.replay import Device, ReplayState
from hardware.sports import SET_ORDINALS
from hardware.topics import NAME, DeviceTopic, parse_topic

VERSION = 1
MAX_MESSAGE_BYTES = 4096
FRESHNESS_S = 5.0
"""An event older than this is not believed: its moment has passed."""
FUTURE_S = 1.0
"""How far a gateway's clock may be ahead of the engine's."""

DETAIL_LETTERS_MAX = 300
NS_PER_S = 1_000_000_000
_ENVELOPE = re.compile(rb"(?:cuebird1 ([0-9a-f]{16}) ([0-9a-f]{64})|cuebird2 ([0-9a-f]{16}) ([0-9a-f]{128}))\n(.*)", re.DOTALL)
_WORDS = {SignatureKind.HMAC_SHA256: b"cuebird1", SignatureKind.ED25519: b"cuebird2"}

Name = Annotated[str, Field(pattern=rf"^{NAME.pattern}$")]
Ulid = Annotated[str, Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")]
Points = Annotated[int, Field(ge=0, le=999)]
Instant = Annotated[int, Field(ge=0, lt=1 << 63)]
Shown = Annotated[str, Field(max_length=16)]
Confidence = Literal["checked", "repeated", "told"]


def _number(value: object) -> object:
    # In Python `true` is 1; in JSON it is no number.
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


class _Body(BaseModel):
    """Unknown fields are ignored, so that a newer gateway may tell more; a newer version is refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    version: Annotated[Literal[1], BeforeValidator(_number)]
    boot: Ulid
    venue: Name
    device: Name
    fixture: Name
    t_pub_ns: Instant


B = TypeVar("B", bound=_Body)


class EventBody(_Body):
    """What happened on a scoreboard as it travels; the fields are explained in docs/mqtt.md."""

    id: Ulid
    sequence: Annotated[int, Field(ge=1, lt=1 << 53)]
    type: ScoreKind = Field(strict=False)
    side: Side | None = Field(strict=False)
    delta: Annotated[int, Field(ge=-999, le=999)]
    home: Points
    away: Points
    ordinal: Points
    period: Shown
    clock: Shown
    player: Annotated[str, Field(max_length=64)] = ""
    name: Annotated[str, Field(pattern=rf"^({NAME.pattern})?$")] = ""
    t_event_ns: Instant
    clock_source: Annotated[str, Field(max_length=32)]
    clock_error_us: Annotated[int, Field(ge=0)] | None
    confidence: Confidence
    protocol: Annotated[str, Field(max_length=32)]
    frame_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    key: str
    repeated: bool = False

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        sign = {ScoreKind.GOAL: 1, ScoreKind.CORRECTION: -1}.get(self.type, 0)
        sided = self.side is not None
        if (self.delta > 0) - (self.delta < 0) != sign or (self.type is not ScoreKind.TIMEOUT and sided != bool(sign)):
            raise ValueError(f"a {self.type} with side {self.side} and delta {self.delta} makes no sense")
        if (self.type is ScoreKind.TRIGGER) != bool(self.name):
            raise ValueError(f"a {self.type} named {self.name!r} makes no sense; triggers have a name, and nothing else has")
        shown = {Side.HOME: self.home, Side.AWAY: self.away, None: 0}[self.side] if sign else 0
        # In a sport in sets the sets before count, which no points do.
        sets, rest = divmod(self.ordinal - shown, SET_ORDINALS)
        if rest or sets < 0 or (sets and (not sign or shown >= SET_ORDINALS)):
            raise ValueError(f"ordinal {self.ordinal} does not name the side's points, {shown}")
        return self


class StateBody(_Body):
    """How a device is; retained by the broker, never fires anything."""

    state: Literal["online", "console_silent", "offline"]
    sequence: Annotated[int, Field(ge=0, lt=1 << 53)] | None = None
    home: Points | None = None
    away: Points | None = None
    clock: Shown = ""
    period: Shown = ""
    running: bool | None = None
    good_frames: Annotated[int, Field(ge=0)] = 0
    bad_frames: Annotated[int, Field(ge=0)] = 0
    dropped_events: Annotated[int, Field(ge=0)] = 0
    connections: Annotated[int, Field(ge=0)] = 0
    refused: Annotated[int, Field(ge=0)] = 0
    received_bytes: Annotated[int, Field(ge=0)] = 0
    frame_age_ms: Annotated[int, Field(ge=0)] | None = None
    clock_source: Annotated[str, Field(max_length=32)] = ""
    clock_error_us: Annotated[int, Field(ge=0)] | None = None
    clock_offset_us: int | None = None
    clock_by: Annotated[str, Field(max_length=32)] = ""
    detail: Annotated[str, Field(max_length=DETAIL_LETTERS_MAX)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """An event that may be believed, and the replay state to keep from now on."""

    event: EventBody
    replay: ReplayState


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedState:
    """A state that may be believed, and the key it was signed with."""

    state: StateBody
    key: ValidKey


def sign(topic: DeviceTopic, body: EventBody | StateBody, key: SigningKey) -> bytes:
    """The message to publish under `topic`."""
    return sealed(topic, body.model_dump_json().encode(), key)


def sealed(topic: DeviceTopic, payload: bytes, key: SigningKey) -> bytes:
    """`payload` in its envelope, whatever it is."""
    signed = _signed_bytes(str(topic), payload)
    signature = hmac.digest(key, signed, "sha256") if isinstance(key, bytes) else key.sign(signed)
    return b"%s %s %s\n%s" % (_WORDS[kind_of(key)], key_id(key).encode(), signature.hex().encode(), payload)


def _signed_bytes(topic: str, payload: bytes) -> bytes:
    return topic.encode() + b"\0" + payload


def _is_signature(signature: bytes, signed: bytes, key: VerifyingKey) -> bool:
    if isinstance(key, bytes):
        return hmac.compare_digest(signature, hmac.digest(key, signed, "sha256"))
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _opened(topic: str, message: bytes, rings: Mapping[Device, KeyRing], now_utc_ns: int) -> tuple[DeviceTopic, bytes, ValidKey]:
    """The topic's device, the payload and the key it is signed with, once the signature is right."""
    if len(message) > MAX_MESSAGE_BYTES:
        raise RefusedMessage(RefusalKind.TOO_LARGE, f"{len(message)} bytes; at most {MAX_MESSAGE_BYTES} are read")
    named = parse_topic(topic)
    if named is None:
        raise RefusedMessage(RefusalKind.OTHER_TOPIC, "the topic is not a device's")
    envelope = _ENVELOPE.fullmatch(message)
    if envelope is None:
        raise RefusedMessage(RefusalKind.UNSIGNED, "not a signed message")
    ring = rings.get((named.venue, named.device))
    if ring is None:
        raise RefusedMessage(RefusalKind.UNKNOWN_DEVICE, "no key is known for this device")
    kind = SignatureKind.HMAC_SHA256 if envelope[1] else SignatureKind.ED25519
    signer = (envelope[1] or envelope[3]).decode()
    key = ring.get(signer)
    if key is None:
        raise RefusedMessage(RefusalKind.UNKNOWN_KEY, f"signed with key {signer}; the device's is {' or '.join(ring)}")
    if kind is not kind_of(key.key):
        raise RefusedMessage(RefusalKind.OTHER_SIGNATURE, f"signed by {kind}; key {signer} is one for {kind_of(key.key)}")
    if not _is_signature(bytes.fromhex((envelope[2] or envelope[4]).decode()), _signed_bytes(topic, envelope[5]), key.key):
        raise RefusedMessage(RefusalKind.BAD_SIGNATURE, "bad signature")
    if key.ends_utc_ns is not None and now_utc_ns >= key.ends_utc_ns:
        raise RefusedMessage(RefusalKind.ENDED_KEY, f"signed with the old key {signer}, which has ended; give it the new one")
    return named, envelope[5], key


def verify(
    topic: str,
    message: bytes,
    *,
    keys: Mapping[Device, KeyRing],
    fixtures: Mapping[Device, str],
    now_utc_ns: int,
    replay: ReplayState,
    freshness_s: float = FRESHNESS_S,
    ahead_ns: int = 0,
) -> Verified:
    """The event in `message`, if it is to be believed.

    Args:
        topic: as received.
        message: as received.
        keys: each device's keys (`hardware.keys.key_ring`), by (venue, device).
        fixtures: the fixture each device keeps the score of, by (venue, device).
        now_utc_ns: the wall clock now.
        replay: what was heard before.
        freshness_s: how old an event may be.
        ahead_ns: how far the device's clock is known to be ahead of ours; its events are that much older than they say.

    Raises:
        RefusedMessage: it is not; nothing else is raised, whatever the bytes. A `RepeatedMessage` where a gateway only tells
            again what it had told, as it does after a lost connection.
    """
    named, payload, key = _opened(topic, message, keys, now_utc_ns)
    if named.leaf != "event":
        raise RefusedMessage(RefusalKind.OTHER_TOPIC, "a state is not an event")
    event = _parsed(EventBody, payload)
    _check_names(named, event, fixtures)
    if event.key != key.key_id:
        raise RefusedMessage(RefusalKind.MALFORMED, f"key {event.key} in the message is not the one it is signed with")
    oldest_ns = now_utc_ns - round(freshness_s * NS_PER_S)
    latest_ns = now_utc_ns + round(FUTURE_S * NS_PER_S)
    for what, instant_ns in (("published", event.t_pub_ns), ("happened", event.t_event_ns)):
        if instant_ns - ahead_ns < oldest_ns:
            ago_s = (now_utc_ns - instant_ns + ahead_ns) / NS_PER_S
            raise RefusedMessage(RefusalKind.STALE, f"{what} {ago_s:.1f} s ago; {freshness_s:g} s is the limit")
        if instant_ns > latest_ns:
            ahead_s = (instant_ns - now_utc_ns) / NS_PER_S
            raise RefusedMessage(RefusalKind.FUTURE, f"{what} {ahead_s:.1f} s in the future; set the clocks")
    known = replay.devices.get((named.venue, named.device))
    if event.repeated and known is not None and event.boot == known.boot and event.sequence <= known.sequence:
        raise RepeatedMessage(RefusalKind.REPEATED, f"event {event.sequence} is told again, which was taken or is too late")
    admitted = replay.admit((named.venue, named.device), boot=event.boot, sequence=event.sequence, message_id=event.id)
    return Verified(event=event, replay=admitted)


def verify_state(
    topic: str,
    message: bytes,
    *,
    keys: Mapping[Device, KeyRing],
    fixtures: Mapping[Device, str],
    now_utc_ns: int,
) -> VerifiedState:
    """The state in `message`, if the device signed it; how old it is, is for the reader to judge.

    Raises:
        RefusedMessage: it did not; nothing else is raised, whatever the bytes.
    """
    named, payload, key = _opened(topic, message, keys, now_utc_ns)
    if named.leaf != "state":
        raise RefusedMessage(RefusalKind.OTHER_TOPIC, "an event is not a state")
    state = _parsed(StateBody, payload)
    _check_names(named, state, fixtures)
    return VerifiedState(state=state, key=key)


def _check_names(named: DeviceTopic, body: _Body, fixtures: Mapping[Device, str]) -> None:
    if (body.venue, body.device) != (named.venue, named.device):
        raise RefusedMessage(
            RefusalKind.OTHER_DEVICE, f"says it is from {body.venue}/{body.device}, which is not its topic's device"
        )
    expected = fixtures.get((named.venue, named.device))
    if body.fixture != expected:
        raise RefusedMessage(
            RefusalKind.OTHER_FIXTURE, f"tells of fixture {body.fixture}; this device keeps {expected or 'none'}"
        )


def _parsed(model: type[B], payload: bytes) -> B:
    try:
        return model.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise RefusedMessage(RefusalKind.MALFORMED, f"{where}: {first['msg']}") from error
