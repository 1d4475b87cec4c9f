"""Whether anybody can make the verifier believe what no device said, or break it: messages changed by any bytes.

The bytes are a small programme: which signed message to begin with, under which topic, and what to do to it. So one harness
serves random bytes, hypothesis and a coverage-guided fuzzer alike, and a failure is repeated by its bytes. Pure.

Judged: nothing but `RefusedMessage` is raised; only what a device signed for this very topic is believed.
"""

import itertools
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, TypedDict

from hardware.errors import RefusedMessage
from hardware.events import ScoreKind, Side
from hardware.keys import DeviceKey, KeyRing, SigningKey, key_id, key_ring
from hardware.messages import NS_PER_S, EventBody, StateBody, sealed, sign, verify, verify_state
from hardware.replay import Device, ReplayState
from hardware.topics import DeviceTopic, Leaf

NOW_UTC_NS: Final = 1_800_000_000 * NS_PER_S
STEPS_MAX: Final = 64
PROGRAMME_BYTES_MAX: Final = 400
LENGTHS: Final = (2, 2, 6, 6, 6, 7, 8, 10, 12, 20, 60, PROGRAMME_BYTES_MAX)
"""Of random programmes: none or one step mostly, now and then many."""
RIGHT_ONES: Final = 5
_ULID = "01K0000000000000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A message to be judged.

    Attributes:
        signed: the messages among which it may be found and believed: those a device really signed for this topic.
    """

    topic: str
    message: bytes
    signed: frozenset[bytes]


@dataclass(slots=True)
class MessageFuzzResult:
    """What came of it.

    Attributes:
        believed: messages that a device had signed.
        refused: how often one of the two readers refused one, by `RefusalKind`.
        failures: what was raised or believed wrongly, each with the bytes that repeat it.
    """

    messages: int = 0
    believed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


class _Known(TypedDict):
    """What the engine knows."""

    keys: Mapping[Device, KeyRing]
    fixtures: Mapping[Device, str]
    now_utc_ns: int


class MessageFuzz:
    """Three devices, what they signed, and the engine's view of them: a secret, a pair, and a secret being replaced by a pair."""

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        secrets = [bytes([letter]) * 40 for letter in b"abc"]
        pairs = [Ed25519PrivateKey.from_private_bytes(bytes([letter]) * 32) for letter in b"de"]
        ended = datetime.fromtimestamp(NOW_UTC_NS // NS_PER_S, UTC)
        later = ended + timedelta(seconds=1)
        devices = (
            DeviceKey(venue="arena", device="a", fixture="final", key=secrets[0]),
            DeviceKey(venue="arena", device="d", fixture="final", key=pairs[0].public_key()),
            DeviceKey(venue="arena", device="e", fixture="final", key=pairs[1], old_key=secrets[1], old_key_ends_utc=later),
            DeviceKey(venue="arena", device="c", fixture="final", key=pairs[0], old_key=secrets[2], old_key_ends_utc=ended),
        )
        self._keys = {(one.venue, one.device): key_ring(one) for one in devices}
        self._fixtures = {(one.venue, one.device): one.fixture for one in devices}
        # Public halves as well: whoever takes them for secrets must not get anywhere.
        publics = [pair.public_key().public_bytes_raw() for pair in pairs]
        self._hands: list[SigningKey] = [*secrets, *pairs, *publics, b"a stranger's secret, of fitting size"]
        self._valid: dict[str, list[SigningKey]] = {
            "a": [secrets[0]],
            "d": [pairs[0]],
            "e": [pairs[1], secrets[1]],
            "c": [pairs[0]],
        }
        leaves: tuple[Leaf, ...] = ("event", "state")
        self.topics = [DeviceTopic(venue="arena", device=name, leaf=leaf) for name in "adecz" for leaf in leaves]
        # Of each device what it said rightly, and what somebody signs in its name: with a key that has ended, or of others.
        self.originals: list[tuple[DeviceTopic, bytes]] = []
        self._signed: dict[DeviceTopic, set[bytes]] = {topic: set() for topic in self.topics}
        for topic, hand in itertools.product(self.topics, self._hands):
            message = _message(topic, hand)
            # The right ones more often: what is nearly right goes furthest.
            self.originals += [(topic, message)] * (RIGHT_ONES if self._may(topic, hand) else 1)
            if self._may(topic, hand):
                self._signed[topic].add(message)

    def suspect(self, programme: bytes) -> Suspect:
        """What these bytes make: any bytes make something, and the same bytes the same."""
        steps = _Bytes(programme[:PROGRAMME_BYTES_MAX])
        begun, message = self.originals[steps.number() % len(self.originals)]
        topic = self.topics[steps.number() % len(self.topics)] if steps.number() % 2 else begun
        signed = set(self._signed[topic])
        for _ in range(STEPS_MAX):
            if not steps.left:
                break
            message = self._changed(message, topic, steps, signed)
        return Suspect(topic=str(topic), message=message, signed=frozenset(signed))

    def _changed(self, message: bytes, topic: DeviceTopic, steps: "_Bytes", signed: set[bytes]) -> bytes:
        at = steps.number() * 256 + steps.number()
        at %= len(message) + 1
        match steps.number() % 8:
            case 0:
                made = message[:at] + bytes([steps.number()]) + message[at + 1 :]
            case 1:
                made = message[:at] + message[at + 1 + steps.number() :]
            case 2:
                made = message[:at] + steps.take(steps.number()) + message[at:]
            case 3:
                made = message[:at] + self._other(steps)[at:]
            case 4:
                made = _spliced(message, self._other(steps), part=steps.number() % 4)
            case 5:
                made = message.swapcase() if steps.number() % 2 else message + message[at:]
            case 6:
                made = steps.take(steps.left)
            case _:
                made = self._sealed_anew(message, topic, steps, signed)
        return made

    def _other(self, steps: "_Bytes") -> bytes:
        return self.originals[steps.number() % len(self.originals)][1]

    def _sealed_anew(self, message: bytes, topic: DeviceTopic, steps: "_Bytes", signed: set[bytes]) -> bytes:
        """The payload as it is now, signed by some hand; if it is the device's own, it may be believed."""
        hand = self._hands[steps.number() % len(self._hands)]
        made = sealed(topic, message.partition(b"\n")[2], hand)
        if self._may(topic, hand):
            signed.add(made)
        return made

    def _may(self, topic: DeviceTopic, hand: SigningKey) -> bool:
        return any(hand is one for one in self._valid.get(topic.device, ()))

    def judge(self, suspect: Suspect, result: MessageFuzzResult) -> str:
        """Show it to both readers and count what they say; the failure, if there is one, else an empty text."""
        result.messages += 1
        for read in (self._read_event, self._read_state):
            try:
                read(suspect)
            except RefusedMessage as refused:
                result.refused[refused.kind.value] += 1
            except Exception as error:
                return f"raised {type(error).__name__}: {error}"
            else:
                result.believed += 1
                if suspect.message not in suspect.signed:
                    return f"believed on {suspect.topic}, and no device signed it"
        return ""

    def _read_event(self, suspect: Suspect) -> None:
        verify(suspect.topic, suspect.message, replay=ReplayState(), **self._known())

    def _read_state(self, suspect: Suspect) -> None:
        verify_state(suspect.topic, suspect.message, **self._known())

    def _known(self) -> "_Known":
        return {"keys": self._keys, "fixtures": self._fixtures, "now_utc_ns": NOW_UTC_NS}

    def run(self, programme: bytes, result: MessageFuzzResult) -> None:
        """Make, judge and count one message."""
        failure = self.judge(self.suspect(programme), result)
        if failure:
            result.failures.append(f"{failure}; bytes {programme.hex()}")


def fuzz_messages(fuzz: MessageFuzz, result: MessageFuzzResult, *, seed: int, messages: int) -> None:
    """Judge so many messages of one seed."""
    rng = random.Random(f"messages {seed}")
    for _ in range(messages):
        fuzz.run(rng.randbytes(rng.choice(LENGTHS)), result)


class _Bytes:
    """Bytes read one after the other; 0 once they have run out."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def number(self) -> int:
        return next(iter(self.take(1)), 0)

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        self._at += len(taken)
        return taken


def _spliced(message: bytes, other: bytes, *, part: int) -> bytes:
    """`message` with the word, the key id, the signature or the payload of `other`."""
    ours, theirs = _parts(message), _parts(other)
    ours[part] = theirs[part]
    return b"%s %s %s\n%s" % tuple(ours)


def _parts(message: bytes) -> list[bytes]:
    line, _, payload = message.partition(b"\n")
    word, _, rest = line.partition(b" ")
    name, _, signature = rest.partition(b" ")
    return [word, name, signature, payload]


def _message(topic: DeviceTopic, hand: SigningKey) -> bytes:
    common = {"version": 1, "boot": f"{_ULID}A", "venue": topic.venue, "device": topic.device, "fixture": "final"}
    if topic.leaf == "state":
        return sign(topic, StateBody.model_validate({**common, "t_pub_ns": NOW_UTC_NS, "state": "online"}), hand)
    facts = {
        "t_pub_ns": NOW_UTC_NS,
        "id": f"{_ULID}B",
        "sequence": 1,
        "type": ScoreKind.GOAL,
        "side": Side.HOME,
        "delta": 1,
        "home": 1,
        "away": 0,
        "ordinal": 1,
        "period": "1",
        "clock": "14:24",
        "t_event_ns": NOW_UTC_NS,
        "clock_source": "synchronised",
        "clock_error_us": 300,
        "confidence": "checked",
        "protocol": "oes",
        "frame_sha256": "0" * 64,
        "key": key_id(hand),
    }
    return sign(topic, EventBody.model_validate({**common, **facts}), hand)
