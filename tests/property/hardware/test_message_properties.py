"""Whatever arrives, only what the device signed is believed."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.errors import RefusedMessage
from hardware.events import ScoreKind, Side
from hardware.keys import DeviceKey, key_id, key_ring
from hardware.messages import EventBody, StateBody, sealed, sign, verify, verify_state
from hardware.replay import ReplayState
from hardware.topics import DeviceTopic
from hardware.ulid import new_ulid

NOW_NS = 1_800_000_000 * 10**9
KEY = b"0123456789abcdef" * 2
PAIR = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
EVENT = DeviceTopic(venue="eishalle", device="oes-1", leaf="event")
STATE = DeviceTopic(venue="eishalle", device="oes-1", leaf="state")
KEYS = {
    ("eishalle", "oes-1"): key_ring(
        DeviceKey(
            venue="eishalle",
            device="oes-1",
            fixture="final",
            key=PAIR,
            old_key=KEY,
            old_key_ends_utc=datetime.max.replace(tzinfo=UTC),
        )
    )
}
FIXTURES = {("eishalle", "oes-1"): "final"}
FACTS = EventBody(
    version=1,
    id=new_ulid(NOW_NS),
    boot=new_ulid(NOW_NS),
    sequence=1,
    venue="eishalle",
    device="oes-1",
    fixture="final",
    type=ScoreKind.GOAL,
    side=Side.AWAY,
    delta=1,
    home=0,
    away=1,
    ordinal=1,
    period="1",
    clock="14:24",
    t_event_ns=NOW_NS,
    t_pub_ns=NOW_NS,
    clock_source="unknown",
    clock_error_us=None,
    confidence="checked",
    protocol="oes",
    frame_sha256="0" * 64,
    key=key_id(KEY),
)
GOAL = sign(EVENT, FACTS, KEY)
PAIR_GOAL = sign(EVENT, FACTS.model_copy(update={"key": key_id(PAIR)}), PAIR)


def believe(message: bytes, topic: str = str(EVENT)) -> None:
    verify(topic, message, keys=KEYS, fixtures=FIXTURES, now_utc_ns=NOW_NS, replay=ReplayState())


def test_the_message_itself_is_believed() -> None:
    """Else the properties below would say nothing."""
    believe(GOAL)


@settings(max_examples=200, deadline=None)
@given(message=st.binary(max_size=5000), topic=st.one_of(st.just(str(EVENT)), st.just(str(STATE)), st.text(max_size=80)))
def test_any_bytes_are_refused_and_nothing_else_is_raised(message: bytes, topic: str) -> None:
    """Noise, whatever its length and topic."""
    with pytest.raises(RefusedMessage):
        believe(message, topic)
    with pytest.raises(RefusedMessage):
        verify_state(topic, message, keys=KEYS, fixtures=FIXTURES, now_utc_ns=NOW_NS)


@settings(max_examples=100, deadline=None)
@given(
    payload=st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode), st.just(b"[" * 3000), st.just(b"1" * 3900))
)
def test_any_signed_payload_is_refused_and_nothing_else_is_raised(payload: bytes) -> None:
    """Even the device itself cannot break the reader."""
    for topic in (EVENT, STATE):
        message = sealed(topic, payload, KEY)
        with pytest.raises(RefusedMessage):
            believe(message, str(topic))
        with pytest.raises(RefusedMessage):
            verify_state(str(topic), message, keys=KEYS, fixtures=FIXTURES, now_utc_ns=NOW_NS)


@pytest.mark.parametrize("message", [GOAL, PAIR_GOAL], ids=["HMAC-SHA256", "Ed25519"])
def test_every_flipped_bit_is_refused(message: bytes) -> None:
    """All bits of the whole message, envelope and payload, whichever way it is signed."""
    believe(message)
    for at in range(len(message)):
        for bit in range(8):
            changed = message[:at] + bytes([message[at] ^ 1 << bit]) + message[at + 1 :]
            with pytest.raises(RefusedMessage):
                believe(changed)


@settings(max_examples=100, deadline=None)
@given(cut=st.integers(0, len(GOAL) - 1), more=st.binary(min_size=1, max_size=40))
def test_a_longer_or_shorter_message_is_refused(cut: int, more: bytes) -> None:
    """Nothing can be cut off or put behind."""
    for message in (GOAL[:cut], GOAL + more, more + GOAL):
        with pytest.raises(RefusedMessage):
            believe(message)


def test_a_state_signed_for_its_topic_is_no_event() -> None:
    """The topic is under the signature, so a state cannot be carried over."""
    state = StateBody(
        version=1, boot=new_ulid(1), venue="eishalle", device="oes-1", fixture="final", t_pub_ns=NOW_NS, state="online"
    )
    message = sign(STATE, state, KEY)
    assert verify_state(str(STATE), message, keys=KEYS, fixtures=FIXTURES, now_utc_ns=NOW_NS).state == state
    with pytest.raises(RefusedMessage, match="bad signature"):
        believe(message)
