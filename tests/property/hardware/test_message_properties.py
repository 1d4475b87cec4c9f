"""Whatever arrives, only what the device signed is believed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.errors import RefusedMessage
from hardware.events import ScoreKind, Side
from hardware.messages import EventBody, StateBody, key_id, sign, verify, verify_state
from hardware.replay import ReplayState
from hardware.topics import DeviceTopic
from hardware.ulid import new_ulid

NOW_NS = 1_800_000_000 * 10**9
KEY = b"0123456789abcdef" * 2
EVENT = DeviceTopic(venue="eishalle", device="oes-1", leaf="event")
STATE = DeviceTopic(venue="eishalle", device="oes-1", leaf="state")
KEYS = {("eishalle", "oes-1"): KEY}
FIXTURES = {("eishalle", "oes-1"): "final"}
GOAL = sign(
    EVENT,
    EventBody(
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
    ),
    KEY,
)


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
        verify_state(topic, message, keys=KEYS, fixtures=FIXTURES)


@settings(max_examples=100, deadline=None)
@given(
    payload=st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode), st.just(b"[" * 3000), st.just(b"1" * 3900))
)
def test_any_signed_payload_is_refused_and_nothing_else_is_raised(payload: bytes) -> None:
    """Even the device itself cannot break the reader."""
    import hashlib
    import hmac

    for topic in (EVENT, STATE):
        signature = hmac.new(KEY, str(topic).encode() + b"\0" + payload, hashlib.sha256).hexdigest()
        message = f"cuebird1 {key_id(KEY)} {signature}\n".encode() + payload
        with pytest.raises(RefusedMessage):
            believe(message, str(topic))
        with pytest.raises(RefusedMessage):
            verify_state(str(topic), message, keys=KEYS, fixtures=FIXTURES)


def test_every_flipped_bit_is_refused() -> None:
    """All bits of the whole message, envelope and payload."""
    for at in range(len(GOAL)):
        for bit in range(8):
            changed = GOAL[:at] + bytes([GOAL[at] ^ 1 << bit]) + GOAL[at + 1 :]
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
    assert verify_state(str(STATE), message, keys=KEYS, fixtures=FIXTURES) == state
    with pytest.raises(RefusedMessage, match="bad signature"):
        believe(message)
