"""What the engine believes, and what a stored replay state keeps it from believing again."""

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hardware.errors import HardwareError, RefusedMessage, RepeatedMessage, SettingError
from hardware.events import RefusalKind, ScoreKind, Side
from hardware.keys import DeviceKey, key_id, key_ring
from hardware.messages import EventBody, StateBody, Verified, sealed, sign, verify, verify_state
from hardware.replay import IDS_REMEMBERED, ReplayState, dump_replay, load_replay
from hardware.topics import DeviceTopic, parse_topic
from hardware.ulid import new_ulid

NOW_NS = 1_800_000_000 * 10**9
KEY = b"0123456789abcdef" * 2
TOPIC = DeviceTopic(venue="eishalle", device="oes-1", leaf="event")
DEVICE = DeviceKey(venue="eishalle", device="oes-1", fixture="final", key=KEY)
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PAIRED = DeviceKey(venue="eishalle", device="oes-1", fixture="final", key=PRIVATE.public_key())
FIRST_BOOT, SECOND_BOOT = new_ulid(NOW_NS - 10**12), new_ulid(NOW_NS)


def event(sequence: int = 1, *, boot: str = FIRST_BOOT, **changes: Any) -> EventBody:
    facts: dict[str, Any] = {
        "version": 1,
        "id": new_ulid(NOW_NS),
        "boot": boot,
        "sequence": sequence,
        "venue": "eishalle",
        "device": "oes-1",
        "fixture": "final",
        "type": ScoreKind.GOAL,
        "side": Side.HOME,
        "delta": 1,
        "home": 1,
        "away": 0,
        "ordinal": 1,
        "period": "3",
        "clock": "12:26",
        "t_event_ns": NOW_NS - 10**8,
        "t_pub_ns": NOW_NS,
        "clock_source": "synchronised",
        "clock_error_us": 300,
        "confidence": "checked",
        "protocol": "oes",
        "frame_sha256": "0" * 64,
        "key": key_id(KEY),
    }
    return EventBody(**{**facts, **changes})


def check(
    message: bytes,
    *,
    replay: ReplayState | None = None,
    topic: DeviceTopic = TOPIC,
    now_utc_ns: int = NOW_NS,
    device: DeviceKey | None = None,
    ahead_ns: int = 0,
) -> Verified:
    return verify(
        str(topic),
        message,
        keys={("eishalle", "oes-1"): key_ring(device or DEVICE)},
        fixtures={("eishalle", "oes-1"): "final"},
        now_utc_ns=now_utc_ns,
        replay=replay or ReplayState(),
        ahead_ns=ahead_ns,
    )


def test_what_the_device_signs_is_believed() -> None:
    """The event comes back as it was sent."""
    sent = event()
    assert check(sign(TOPIC, sent, KEY)).event == sent


NO_POINTS: dict[str, Any] = {"side": None, "delta": 0, "home": 0, "away": 0, "ordinal": 0}


def test_a_trigger_has_a_name_and_nothing_else_has() -> None:
    """Neither a trigger without one, nor a goal or a horn with one, nor a name that fits no cue."""
    assert check(sign(TOPIC, event(type=ScoreKind.TRIGGER, name="show-begins", **NO_POINTS), KEY)).event.name == "show-begins"
    for wrong in (
        {"type": ScoreKind.TRIGGER, **NO_POINTS},
        {"type": ScoreKind.HORN, "name": "show-begins", **NO_POINTS},
        {"name": "show-begins"},
        {"type": ScoreKind.TRIGGER, "name": "show begins", **NO_POINTS},
        {"type": ScoreKind.TRIGGER, "name": "x", **NO_POINTS, "ordinal": 1},
        {"type": ScoreKind.TRIGGER, "name": "x", **NO_POINTS, "side": Side.HOME},
    ):
        with pytest.raises(ValueError, match=r"name|ordinal|makes no sense"):
            event(**wrong)


def test_unknown_fields_are_ignored() -> None:
    """A newer gateway may tell more."""
    body = {**event().model_dump(mode="json"), "wind": 3}

    assert check(sealed(TOPIC, json.dumps(body).encode(), KEY)).event.home == 1


@pytest.mark.parametrize(
    ("age_s", "reason"),
    [(5.0, None), (5.1, "published 5.1 s ago; 5 s is the limit"), (-1.0, None), (-1.1, "1.1 s in the future")],
)
def test_only_a_fresh_message_is_believed(age_s: float, reason: str | None) -> None:
    """Five seconds back, one ahead: the edges of the window."""
    at_ns = NOW_NS - round(age_s * 1e9)
    message = sign(TOPIC, event(t_event_ns=at_ns, t_pub_ns=at_ns), KEY)
    if reason is None:
        assert check(message).event.t_event_ns == at_ns
    else:
        with pytest.raises(RefusedMessage, match=reason):
            check(message)


def test_an_old_event_published_late_is_refused() -> None:
    """A fresh publication does not make an old goal fresh."""
    with pytest.raises(RefusedMessage, match=r"happened 6\.0 s ago"):
        check(sign(TOPIC, event(t_event_ns=NOW_NS - 6 * 10**9), KEY))


def test_an_event_of_a_clock_that_is_ahead_is_older_than_it_says() -> None:
    """By as much as is known; the future's limit stays where it is."""
    facts: dict[str, Any] = {"t_event_ns": NOW_NS - 4_500_000_000, "t_pub_ns": NOW_NS + 500_000_000}
    message = sign(TOPIC, event(**facts), KEY)

    assert check(message, ahead_ns=500_000_000).event.t_event_ns == facts["t_event_ns"]
    with pytest.raises(RefusedMessage, match=r"happened 5\.1 s ago; 5 s is the limit"):
        check(message, ahead_ns=600_000_000)
    with pytest.raises(RefusedMessage, match=r"published 1\.1 s in the future"):
        check(sign(TOPIC, event(t_pub_ns=NOW_NS + 1_100_000_000), KEY), ahead_ns=1_100_000_000)


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        (lambda first: first, "was received before"),
        (lambda first: event(6, id=first.id), "was received before"),
        (lambda first: event(5), "sequence 5 does not rise; 5 was received before"),
        (lambda first: event(4), "sequence 4 does not rise"),
        (lambda first: event(9, boot=new_ulid(NOW_NS - 10**13)), "is older than the newest known"),
    ],
    ids=["repeated", "repeated-id", "same-sequence", "lower-sequence", "older-boot"],
)
def test_order_is_kept_within_and_across_boots(then: Callable[[EventBody], EventBody], reason: str) -> None:
    """After sequence 5 of a boot neither it, nor an earlier one, nor an earlier boot is believed."""
    first = event(5)
    replay = check(sign(TOPIC, first, KEY)).replay

    with pytest.raises(RefusedMessage, match=reason):
        check(sign(TOPIC, then(first), KEY), replay=replay)
    assert check(sign(TOPIC, event(6), KEY), replay=replay).event.sequence == 6
    assert check(sign(TOPIC, event(1, boot=SECOND_BOOT), KEY), replay=replay).event.sequence == 1


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (sign(TOPIC, event(fixture="other"), KEY), "tells of fixture other; this device keeps final"),
        (sign(TOPIC, event(device="oes-2"), KEY), "says it is from eishalle/oes-2"),
        (sign(TOPIC, event(venue="stadion"), KEY), "says it is from stadion/oes-1"),
        (sign(TOPIC, event(key="0" * 16), KEY), "is not the one it is signed with"),
        (sign(TOPIC, event(), KEY) + b" " * 4096, "bytes; at most 4096 are read"),
        (sign(TOPIC, event(), KEY).replace(b"cuebird1", b"cuebird2"), "not a signed message"),
    ],
    ids=["fixture", "device", "venue", "key", "oversize", "envelope"],
)
def test_even_the_device_must_speak_for_itself(message: bytes, reason: str) -> None:
    """A right signature does not make another match, another device or a longer message right."""
    with pytest.raises(RefusedMessage, match=reason):
        check(message)


def test_an_event_on_the_state_topic_is_refused() -> None:
    """Rightly signed for it, and still no event: states are retained."""
    state = DeviceTopic(venue="eishalle", device="oes-1", leaf="state")
    with pytest.raises(RefusedMessage, match="a state is not an event"):
        check(sign(state, event(), KEY), topic=state)


def test_a_refused_message_leaves_no_trace() -> None:
    """A forger cannot use up sequences: the state changes only with a believed message."""
    before = check(sign(TOPIC, event(1), KEY)).replay
    with pytest.raises(RefusedMessage, match="bad signature"):
        check(sign(TOPIC, event(9), KEY).replace(b"final", b"finaI"), replay=before)

    assert check(sign(TOPIC, event(2), KEY), replay=before).event.sequence == 2


def test_the_device_may_sign_with_a_pair() -> None:
    """The engine verifies with the public half alone, and cannot sign with it."""
    sent = event(key=key_id(PRIVATE))
    message = sign(TOPIC, sent, PRIVATE)

    assert message.startswith(b"cuebird2 ")
    assert check(message, device=PAIRED).event == sent
    with pytest.raises(RefusedMessage, match="bad signature"):
        check(message.replace(b"final", b"finaI"), device=PAIRED)


def test_an_hmac_made_with_the_public_key_is_refused() -> None:
    """Whoever knows what is public must not be able to sign: the key says how, never the message."""
    public = PRIVATE.public_key().public_bytes_raw()
    forged = sign(TOPIC, event(key=key_id(PRIVATE)), public).replace(key_id(public).encode(), key_id(PRIVATE).encode())

    with pytest.raises(RefusedMessage, match=f"signed by HMAC-SHA256; key {key_id(PRIVATE)} is one for Ed25519") as caught:
        check(forged, device=PAIRED)
    assert caught.value.kind is RefusalKind.OTHER_SIGNATURE


def test_a_pair_called_like_the_secret_is_refused() -> None:
    """The other way round: a right Ed25519 signature under the name of a secret."""
    forged = sign(TOPIC, event(), PRIVATE).replace(key_id(PRIVATE).encode(), key_id(KEY).encode())

    with pytest.raises(RefusedMessage, match="signed by Ed25519"):
        check(forged)


def test_while_a_key_is_replaced_both_are_believed_until_the_old_one_ends() -> None:
    """To the nanosecond; the new one goes on, and the message says which it was."""
    ends_utc = datetime(2027, 1, 15, 8, tzinfo=UTC)  # NOW_NS
    device = dataclasses.replace(PAIRED, old_key=KEY, old_key_ends_utc=ends_utc)
    old, new = sign(TOPIC, event(), KEY), sign(TOPIC, event(key=key_id(PRIVATE)), PRIVATE)

    assert check(old, device=device, now_utc_ns=NOW_NS - 1).event.key == key_id(KEY)
    with pytest.raises(RefusedMessage, match=f"signed with the old key {key_id(KEY)}, which has ended") as caught:
        check(old, device=device)
    assert caught.value.kind is RefusalKind.ENDED_KEY
    assert check(new, device=device).event.key == key_id(PRIVATE)


def test_a_state_tells_the_key_it_was_signed_with() -> None:
    """So that a tile can say which; an ended key does not make a tile look healthy either."""
    topic = dataclasses.replace(TOPIC, leaf="state")
    device = dataclasses.replace(PAIRED, old_key=KEY, old_key_ends_utc=datetime(2027, 1, 15, 8, tzinfo=UTC))
    state = StateBody(
        version=1, boot=FIRST_BOOT, venue="eishalle", device="oes-1", fixture="final", t_pub_ns=NOW_NS, state="online"
    )
    facts: dict[str, Any] = {"keys": {("eishalle", "oes-1"): key_ring(device)}, "fixtures": {("eishalle", "oes-1"): "final"}}

    before = verify_state(str(topic), sign(topic, state, KEY), now_utc_ns=NOW_NS - 1, **facts)
    assert (before.state, before.key.key_id) == (state, key_id(KEY))
    assert verify_state(str(topic), sign(topic, state, PRIVATE), now_utc_ns=NOW_NS, **facts).key.key_id == key_id(PRIVATE)
    with pytest.raises(RefusedMessage, match="has ended"):
        verify_state(str(topic), sign(topic, state, KEY), now_utc_ns=NOW_NS, **facts)


def test_every_refusal_has_its_kind() -> None:
    """They are counted by it; the two that only the link and the state's reader give are tried there."""
    old_ns = NOW_NS - 6 * 10**9
    before = check(sign(TOPIC, event(5), KEY)).replay
    stranger = DeviceTopic(venue="eishalle", device="oes-9", leaf="event")
    state = dataclasses.replace(TOPIC, leaf="state")
    known = event(6)
    after = check(sign(TOPIC, known, KEY), replay=before).replay
    tried: list[tuple[RefusalKind, bytes, dict[str, Any]]] = [
        (RefusalKind.TOO_LARGE, b"x" * 5000, {}),
        (RefusalKind.OTHER_TOPIC, sign(state, event(), KEY), {"topic": state}),
        (RefusalKind.UNSIGNED, b"goal!", {}),
        (RefusalKind.UNKNOWN_DEVICE, sign(stranger, event(), KEY), {"topic": stranger}),
        (RefusalKind.UNKNOWN_KEY, sign(TOPIC, event(), KEY * 2), {}),
        (RefusalKind.BAD_SIGNATURE, sign(TOPIC, event(), KEY) + b" ", {}),
        (RefusalKind.MALFORMED, sealed(TOPIC, b"{}", KEY), {}),
        (RefusalKind.MALFORMED, sign(TOPIC, event(key="0" * 16), KEY), {}),
        (RefusalKind.OTHER_DEVICE, sign(TOPIC, event(device="oes-2"), KEY), {}),
        (RefusalKind.OTHER_FIXTURE, sign(TOPIC, event(fixture="other"), KEY), {}),
        (RefusalKind.STALE, sign(TOPIC, event(t_event_ns=old_ns), KEY), {}),
        (RefusalKind.FUTURE, sign(TOPIC, event(t_event_ns=NOW_NS + 2 * 10**9), KEY), {}),
        (RefusalKind.REPEATED, sign(TOPIC, known, KEY), {"replay": after}),
        (RefusalKind.OLDER_BOOT, sign(TOPIC, event(boot="0" * 26), KEY), {"replay": before}),
        (RefusalKind.OUT_OF_ORDER, sign(TOPIC, event(5), KEY), {"replay": before}),
    ]
    for kind, message, facts in tried:
        with pytest.raises(RefusedMessage) as caught:
            check(message, **facts)
        assert caught.value.kind is kind

    elsewhere = {RefusalKind.RETAINED, RefusalKind.OTHER_SIGNATURE, RefusalKind.ENDED_KEY}
    assert {kind for kind, _, _ in tried} | elsewhere == set(RefusalKind)


def test_the_replay_state_survives_storage() -> None:
    """Through JSON and back; the ids kept are bounded."""
    state = ReplayState()
    for sequence in range(1, IDS_REMEMBERED + 10):
        state = check(sign(TOPIC, event(sequence), KEY), replay=state).replay
    restored = load_replay(json.loads(json.dumps(dump_replay(state))))

    assert restored == state
    assert len(restored.devices["eishalle", "oes-1"].ids) == IDS_REMEMBERED


@pytest.mark.parametrize("stored", [None, {}, [{}], [{"venue": "v", "device": "d", "boot": "x", "sequence": 1, "ids": []}]])
def test_a_broken_replay_state_is_said(stored: object) -> None:
    """It is not taken for an empty one, which would believe recordings."""
    with pytest.raises(SettingError, match="not as it was stored"):
        load_replay(stored)


@pytest.mark.parametrize(
    "changes",
    [
        {"delta": -1},
        {"delta": 0},
        {"side": None},
        {"ordinal": 2},
        {"ordinal": -99},
        {"ordinal": 151},
        {"home": 101, "ordinal": 201},
        {"type": ScoreKind.HORN, "delta": 0},
        {"type": ScoreKind.TIMEOUT, "ordinal": 100, "delta": 0},
        {"type": ScoreKind.PERIOD},
        {"type": ScoreKind.CORRECTION},
        {"type": ScoreKind.RESTART},
        {"player": "x" * 65},
        {"home": -1},
        {"id": "not-a-ulid"},
        {"venue": "a/b"},
        {"clock": "x" * 17},
    ],
)
def test_an_event_that_contradicts_itself_cannot_be_made(changes: dict[str, Any]) -> None:
    """The same check guards both ends."""
    with pytest.raises(ValueError, match="validation error"):
        event(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"ordinal": 101},
        {"type": ScoreKind.CORRECTION, "delta": -1, "ordinal": 401},
        {"type": ScoreKind.STOP, "side": None, "delta": 0, "ordinal": 0},
        {"type": ScoreKind.HORN, "side": None, "delta": 0, "ordinal": 0},
        {"type": ScoreKind.TIMEOUT, "side": None, "delta": 0, "ordinal": 0},
        {"type": ScoreKind.TIMEOUT, "delta": 0, "ordinal": 0},
    ],
)
def test_every_kind_of_event_travels(changes: dict[str, Any]) -> None:
    """Points of later sets under their own names, the clock, the horn, and time-outs with and without a side."""
    sent = event(**changes)

    assert check(sign(TOPIC, sent, KEY)).event == sent


@pytest.mark.parametrize(
    "topic",
    [
        "cuebird/v1/a/b/event/x",
        "cuebird/v2/a/b/event",
        "cuebird/v1/a/+/event",
        "cuebird/v1//b/state",
        "",
        "cuebird/v1/a/b/state\n",
    ],
)
def test_other_topics_are_not_ours(topic: str) -> None:
    """Only the two leaves of a device, with names that fit."""
    assert parse_topic(topic) is None


def test_topics_read_back() -> None:
    """A topic's text and its parts say the same."""
    assert parse_topic(str(TOPIC)) == TOPIC


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"key": b"short"}, "5 bytes; make one of at least 32"),
        ({"venue": "a/b"}, "venue 'a/b'"),
        ({"fixture": "+"}, "fixture '\\+'"),
    ],
)
def test_a_device_that_cannot_work_is_named(facts: dict[str, Any], message: str) -> None:
    """Before anything is opened."""
    with pytest.raises(HardwareError, match=message):
        DeviceKey(**{"venue": "v", "device": "d", "fixture": "f", "key": KEY, **facts})


def test_ulids_sort_by_time() -> None:
    """Boots are compared as text."""
    assert new_ulid(10**9)[:10] < new_ulid(2 * 10**9)[:10] < new_ulid(NOW_NS)[:10]


def test_what_a_gateway_tells_again_is_no_forgery() -> None:
    """After a lost connection it repeats itself: what was taken is told apart from a stranger's copy, what was not is taken."""
    first, second = event(1), event(2, id=new_ulid(NOW_NS + 1))
    replay = check(sign(TOPIC, first, KEY)).replay
    again = [one.model_copy(update={"repeated": True}) for one in (first, second)]

    with pytest.raises(RepeatedMessage, match="event 1 is told again"):
        check(sign(TOPIC, again[0], KEY), replay=replay)
    assert check(sign(TOPIC, again[1], KEY), replay=replay).event.sequence == 2
    with pytest.raises(RefusedMessage, match="received before") as copied:
        check(sign(TOPIC, first, KEY), replay=replay)
    assert not isinstance(copied.value, RepeatedMessage)
