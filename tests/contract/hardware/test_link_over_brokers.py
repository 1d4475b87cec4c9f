"""From a console's frames to the engine's events, over each broker: everything once, nothing else ever."""

import asyncio
import hashlib
import logging
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import aiomqtt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hardware.connection import QUEUE_MESSAGES_MAX, RECEIVE_MAX
from hardware.events import DeviceState, Refusal, RefusalKind, ScoreEvent, ScoreKind, Side
from hardware.gaps import GRACE_NS
from hardware.keys import DeviceKey, SigningKey, key_id
from hardware.messages import EventBody, StateBody, sign
from hardware.topics import DeviceTopic
from hardware.ulid import new_ulid
from timebase import VirtualClock

DEVICE = DeviceKey(venue="eishalle", device="oes-1", fixture="final", key=b"0123456789abcdef" * 4)
EVENT = DeviceTopic(venue="eishalle", device="oes-1", leaf="event")
STATE = DeviceTopic(venue="eishalle", device="oes-1", leaf="state")


def goal(**changes: Any) -> EventBody:
    """A goal that a gateway with the right key could have published just now."""
    now_ns = time.time_ns()
    facts: dict[str, Any] = {
        "version": 1,
        "id": new_ulid(now_ns),
        "boot": new_ulid(now_ns),
        "sequence": 1,
        "venue": "eishalle",
        "device": "oes-1",
        "fixture": "final",
        "type": ScoreKind.GOAL,
        "side": Side.HOME,
        "delta": 1,
        "home": 1,
        "away": 0,
        "ordinal": 1,
        "period": "1",
        "clock": "10:00",
        "t_event_ns": now_ns,
        "t_pub_ns": now_ns,
        "clock_source": "unknown",
        "clock_error_us": None,
        "confidence": "checked",
        "protocol": "oes",
        "frame_sha256": hashlib.sha256(b"").hexdigest(),
        "key": key_id(DEVICE.key),
    }
    return EventBody(**{**facts, **changes})


async def test_each_goal_arrives_once(broker: Any, playing: Any) -> None:
    """Goals, a correction and the goal scored again arrive in order, once each, dated before their arrival."""
    async with playing(broker) as match:
        await match.start_link()
        await match.start_gateway()
        for score in ((1, 0), (1, 1), (2, 1), (1, 1), (2, 1)):
            match.show(home=score[0], away=score[1])
            count = len(match.received.scores)
            await match.received.until(lambda known=count: len(match.received.scores) > known)

        await match.received.until_scores((1, 0), (1, 1), (2, 1), (1, 1), (2, 1))
        kinds = [(event.kind, event.side, event.delta, event.ordinal) for event in match.received.scores]
        assert kinds == [
            (ScoreKind.GOAL, Side.HOME, 1, 1),
            (ScoreKind.GOAL, Side.AWAY, 1, 1),
            (ScoreKind.GOAL, Side.HOME, 1, 2),
            (ScoreKind.CORRECTION, Side.HOME, -1, 1),
            (ScoreKind.GOAL, Side.HOME, 1, 2),
        ]
        assert all(event.event_mono_ns <= event.received_mono_ns for event in match.received.scores)
        assert match.received.refusals == []
        assert len(match.received.replays) == 5


async def test_an_event_too_old_is_not_sent(broker: Any, playing: Any) -> None:
    """A goal that outlived the freshness window while the broker was away is dropped by the gateway, and said so."""
    async with playing(broker) as match:
        await match.start_link()
        await match.start_gateway(freshness_s=0.001)
        await broker.stop()
        match.show(home=1, away=0)
        await match.received.until(lambda: bool(match.received.alarms))
        await broker.start()
        await match.received.until(lambda: match.received.statuses[-1].home == 1)
        await match.listen_in()
        match.show(home=1, away=1)

        await match.received.until(lambda: match.received.statuses[-1].away == 1)
        assert all(event.home + event.away > 1 for event in match.received.scores)


async def test_states_tell_how_the_device_is(broker: Any, playing: Any) -> None:
    """Online while states come, stale when they are old, stop or the console is silent, offline by the device's word."""
    clock = VirtualClock()
    known = {"version": 1, "boot": new_ulid(1), "venue": "eishalle", "device": "oes-1", "fixture": "final", "home": 2, "away": 1}

    def state(word: str) -> bytes:
        now_ns = round(clock.utc().timestamp() * 1e9)
        return sign(STATE, StateBody.model_validate({**known, "state": word, "t_pub_ns": now_ns}), DEVICE.signing_key)

    async with playing(broker) as match:
        statuses = match.received.statuses
        await match.start_link(clock=clock)
        assert [(one.device, one.state, one.home) for one in match.received.unheard] == [("oes-1", DeviceState.OFFLINE, None)]
        early = state("online")
        await match.publish(early, topic=str(STATE), retain=True)
        await match.received.until(lambda: len(statuses) == 1)
        await clock.advance(2.9)
        await match.publish(state("online"), topic=str(STATE), retain=True)
        await match.received.until(lambda: len(statuses) == 2)
        await clock.advance(3.6)
        await match.received.until(lambda: len(statuses) == 3)
        await match.publish(state("console_silent"), topic=str(STATE), retain=True)
        await match.received.until(lambda: len(statuses) == 4)
        await match.publish(early, topic=str(STATE), retain=True)
        await match.publish(state("offline"), topic=str(STATE), retain=True)
        await match.received.until(lambda: len(statuses) == 5)

        states = [status.state for status in statuses]
        assert states == [DeviceState.ONLINE, DeviceState.ONLINE, DeviceState.STALE, DeviceState.STALE, DeviceState.OFFLINE]
        assert {(status.home, status.away) for status in statuses} == {(2, 1)}
        assert match.received.scores == []


async def test_a_device_whose_clock_is_ahead_is_not_shown_online(broker: Any, playing: Any) -> None:
    """Every event of it would be refused: its tile says by how much its clock is off, and what the gateway thinks of it."""
    clock = VirtualClock()
    known = {"version": 1, "boot": new_ulid(1), "venue": "eishalle", "device": "oes-1", "fixture": "final", "state": "online"}
    said = {"clock_source": "synchronised", "clock_error_us": 900, "clock_offset_us": -12, "clock_by": "chrony"}

    def state(ahead_s: float) -> bytes:
        t_pub_ns = round((clock.utc().timestamp() + ahead_s) * 1e9)
        return sign(STATE, StateBody.model_validate({**known, **said, "t_pub_ns": t_pub_ns}), DEVICE.signing_key)

    async with playing(broker) as match:
        statuses = match.received.statuses
        await match.start_link(clock=clock)
        for count, ahead_s in enumerate((0.9, 0.91, 1.1, 37.0), start=1):
            await match.publish(state(ahead_s), topic=str(STATE))
            await match.received.until(lambda wanted=count: len(statuses) == wanted)
            if count == 2:
                by_its_clock_ns = round((clock.utc().timestamp() + 0.91) * 1e9)
                scored = goal(t_event_ns=by_its_clock_ns - 10**8, t_pub_ns=by_its_clock_ns)
                await match.publish(sign(EVENT, scored, DEVICE.signing_key))
                await match.received.until(lambda: len(match.received.scores) == 1)
                # A tenth of a second ago, though its clock says it was in the future.
                age_ns = match.received.scores[0].received_mono_ns - match.received.scores[0].event_mono_ns
                assert round(age_ns / 1e6) == 100
                late = goal(boot=scored.boot, sequence=2, t_event_ns=by_its_clock_ns - 5_500_000_000, t_pub_ns=by_its_clock_ns)
                await match.publish(sign(EVENT, late, DEVICE.signing_key))
                await match.received.until(lambda: len(match.received.refusals) == 1)
                assert match.received.refusals[0].reason == "happened 5.5 s ago; 5 s is the limit"

        online, stale = DeviceState.ONLINE, DeviceState.STALE
        assert [status.state for status in statuses] == [online, online, stale, stale]
        assert [status.clock_behind_ms and round(status.clock_behind_ms) for status in statuses] == [None, -910, -1100, -37000]
        assert statuses[0].detail == ""
        assert statuses[1].detail.startswith("its clock is 0.9 s ahead of the engine's")
        assert statuses[3].detail.startswith("its clock is 37.0 s ahead of the engine's")
        assert {name: getattr(statuses[0], name) for name in said} == said


async def test_a_retained_state_from_before_is_stale(broker: Any, playing: Any) -> None:
    """A state that lay at the broker since a gateway died does not make it look alive, nor a goal of it."""
    clock = VirtualClock()
    long_ago = StateBody(
        version=1, boot=new_ulid(1), venue="eishalle", device="oes-1", fixture="final", t_pub_ns=1, state="online", home=4, away=0
    )
    async with playing(broker) as match:
        await match.publish(sign(STATE, long_ago, DEVICE.signing_key), topic=str(STATE), retain=True)
        await match.start_link(clock=clock)
        await match.received.until(lambda: bool(match.received.statuses))

        assert match.received.statuses[0].state is DeviceState.STALE
        assert match.received.scores == []


async def test_a_forged_state_is_refused(broker: Any, playing: Any) -> None:
    """Nobody but the device can make its tile look healthy."""
    async with playing(broker) as match:
        await match.start_link()
        await match.publish(b'{"state": "online"}', topic=str(STATE))
        await match.received.until(lambda: bool(match.received.refusals))

        assert match.received.statuses == []


async def test_a_gateway_that_is_stopped_says_goodbye(broker: Any, playing: Any) -> None:
    """The retained state of a stopped gateway is offline, with the last score kept."""
    async with playing(broker) as match:
        await match.start_link()
        match.show(home=2, away=1)
        gateway = await match.start_gateway()
        gateway.cancel()
        await match.received.until(lambda: match.received.statuses[-1].state is DeviceState.OFFLINE)

        last = match.received.statuses[-1]
        assert (last.home, last.away, last.detail) == (2, 1, "the gateway was stopped")


async def test_a_copy_is_refused(broker: Any, playing: Any) -> None:
    """The same bytes published again, at once or after a later goal, fire nothing."""
    async with playing(broker) as match:
        await match.start_link()
        await match.start_gateway()
        await match.listen_in()
        match.show(home=1, away=0)
        await match.received.until(lambda: bool(match.captured) and bool(match.received.scores))
        await match.publish(match.captured[0])
        match.show(home=2, away=0)
        await match.received.until(lambda: len(match.received.scores) > 1)
        await match.publish(match.captured[0])
        await match.received.until(lambda: len(match.received.refusals) == 2)

        await match.received.until_scores((1, 0), (2, 0))
        assert [refusal.reason for refusal in match.received.refusals if "was received before" not in refusal.reason] == []


async def test_a_recording_is_refused_after_a_restart(broker: Any, playing: Any) -> None:
    """A link that starts with the stored replay state refuses what the one before it has believed."""
    async with playing(broker) as match:
        first = await match.start_link()
        await match.start_gateway()
        await match.listen_in()
        match.show(home=1, away=0)
        await match.received.until(lambda: bool(match.captured) and bool(match.received.scores))
        first.cancel()
        await asyncio.wait({first})

        await match.start_link(replay=match.received.replays[-1])
        await match.publish(match.captured[0])
        await match.received.until(lambda: bool(match.received.refusals))
        assert "was received before" in match.received.refusals[0].reason
        assert len(match.received.scores) == 1


async def test_a_retained_event_never_fires(broker: Any, playing: Any) -> None:
    """A fresh, rightly signed goal that lay retained at the broker is refused by a link that never saw it."""
    async with playing(broker) as match:
        await match.publish(sign(EVENT, goal(), DEVICE.signing_key), retain=True)
        await match.start_link()
        await match.received.until(lambda: bool(match.received.refusals))

        assert match.received.refusals[0].reason == "retained; an event counts only as it happens"
        assert match.received.scores == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (lambda: sign(EVENT, goal(), b"another key, but of fitting size"), "signed with key"),
        (lambda: sign(EVENT, goal(), DEVICE.signing_key).replace(b'"delta":1', b'"delta":2'), "bad signature"),
        (lambda: sign(EVENT, goal(fixture="other"), DEVICE.signing_key), "tells of fixture other"),
        (lambda: sign(EVENT, goal(device="oes-2"), DEVICE.signing_key), "not its topic's device"),
        (lambda: sign(EVENT, goal(t_pub_ns=time.time_ns() - 6 * 10**9), DEVICE.signing_key), "published 6.0 s ago"),
        (lambda: sign(EVENT, goal(t_event_ns=time.time_ns() + 6 * 10**9), DEVICE.signing_key), "in the future"),
        (lambda: sign(STATE, goal(), DEVICE.signing_key), "bad signature"),
        (lambda: b"\xff\x00 goal!", "not a signed message"),
        (lambda: b"", "not a signed message"),
        (lambda: b"x" * 5000, "5000 bytes"),
    ],
    ids=["wrong-key", "changed", "other-fixture", "other-device", "stale", "future", "other-topic", "noise", "empty", "oversize"],
)
async def test_a_forgery_is_refused(broker: Any, playing: Any, message: Any, reason: str) -> None:
    """What the device did not say just now, about its own match, fires nothing, and a true goal after it does."""
    async with playing(broker) as match:
        await match.start_link()
        await match.publish(message())
        await match.publish(sign(EVENT, goal(home=3, ordinal=3), DEVICE.signing_key))

        await match.received.until_scores((3, 0))
        assert [reason in refusal.reason for refusal in match.received.refusals] == [True]


async def test_a_device_without_a_key_is_refused(broker: Any, playing: Any) -> None:
    """A stranger's own topic in our venue is heard, counted and not believed."""
    stranger = DeviceTopic(venue="eishalle", device="stranger", leaf="event")
    async with playing(broker) as match:
        await match.start_link()
        await match.publish(sign(stranger, goal(device="stranger"), DEVICE.signing_key), topic=str(stranger))
        await match.received.until(lambda: bool(match.received.refusals))

        assert match.received.refusals[0].reason == "no key is known for this device"
        await match.publish(b"noise", topic=str(EVENT))
        await match.received.until(lambda: len(match.received.refusals) == 2)
        assert match.received.alarms == [
            "eishalle/stranger publishes, and the engine has no device of this name; add a [[device]] or stop it"
        ]


async def test_a_device_may_sign_with_its_old_key_until_that_ends(broker: Any, playing: Any) -> None:
    """Its tile says with which key it signs, and of the old one that it ends; from then on it is refused."""
    clock = VirtualClock()
    pair = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    device = replace(DEVICE, key=pair.public_key(), old_key=DEVICE.key, old_key_ends_utc=clock.utc() + timedelta(minutes=1))
    known = {"version": 1, "boot": new_ulid(1), "venue": "eishalle", "device": "oes-1", "fixture": "final", "state": "online"}

    def state(key: SigningKey) -> bytes:
        return sign(STATE, StateBody.model_validate({**known, "t_pub_ns": round(clock.utc().timestamp() * 1e9)}), key)

    async with playing(broker) as match:
        statuses, refusals = match.received.statuses, match.received.refusals
        await match.start_link(clock=clock, device=device)
        await match.publish(state(DEVICE.signing_key), topic=str(STATE))
        await match.received.until(lambda: len(statuses) == 1)
        await match.publish(state(pair), topic=str(STATE))
        await match.received.until(lambda: len(statuses) == 2)
        await clock.advance(60)
        await match.publish(state(DEVICE.signing_key), topic=str(STATE))
        await match.received.until(lambda: len(refusals) == 1)

        assert [status.key for status in statuses[:2]] == [key_id(DEVICE.key), key_id(pair)]
        assert f"it signs with its old key {key_id(DEVICE.key)}, which ends" in statuses[0].detail
        assert statuses[1].detail == ""
        assert refusals[0].kind is RefusalKind.ENDED_KEY


@pytest.mark.system
async def test_more_than_the_engine_can_take_is_an_alarm(mosquitto: Any, playing: Any) -> None:
    """While a handler stands still, messages beyond the queue are lost, and the operator is told."""
    standing_still, flood = asyncio.Event(), QUEUE_MESSAGES_MAX + RECEIVE_MAX + 50
    async with playing(mosquitto) as match:
        handlers = match.received.handlers

        async def stand_still(refusal: Refusal) -> None:
            await standing_still.wait()
            await handlers.refusal(refusal)

        await match.start_link(handlers=replace(handlers, refusal=stand_still))
        async with aiomqtt.Client(mosquitto.address.host, mosquitto.address.port) as stranger:
            for _ in range(flood):
                await stranger.publish(str(EVENT), b"noise", qos=0)
            await match.received.until(lambda: any("were lost: more than 1000" in alarm for alarm in match.received.alarms))
        standing_still.set()
        await match.received.until(lambda: len(match.received.refusals) >= QUEUE_MESSAGES_MAX)
        await match.publish(sign(EVENT, goal(), DEVICE.signing_key))

        await match.received.until_scores((1, 0))
        assert len(match.received.refusals) < flood


async def test_a_broker_restart_mid_match_fires_nothing_twice(broker: Any, playing: Any) -> None:
    """A goal scored while the broker is away arrives once when it is back, or is told of; the next one arrives."""
    async with playing(broker) as match:
        await match.start_link()
        await match.start_gateway(freshness_s=60.0)
        match.show(home=1, away=0)
        await match.received.until_scores((1, 0))

        await broker.stop()
        match.show(home=2, away=0)
        await match.received.until(lambda: bool(match.received.alarms))
        gone = len(match.received.statuses)
        await broker.start()
        # A device that has gone stale is told too: only one that is online again shows that both ends are back.
        await match.received.until(lambda: any(one.state is DeviceState.ONLINE for one in match.received.statuses[gone:]))
        match.show(home=3, away=0)
        await match.received.until(lambda: match.received.scores[-1].home == 3)

        if [event.home for event in match.received.scores] != [1, 2, 3]:
            # The gateway was back before the engine, and this broker does not say that nobody is subscribed.
            assert [event.home for event in match.received.scores] == [1, 3]
            await match.received.until(lambda: any("1 event was not taken" in alarm for alarm in match.received.alarms))
        assert match.received.refusals == []
        assert "is not reachable" in match.received.alarms[0]


async def until_logged(caplog: pytest.LogCaptureFixture, event: str) -> None:
    """Return once somebody has logged it."""
    async with asyncio.timeout(10):
        while not any(record.getMessage() == event for record in caplog.records):
            await asyncio.sleep(0.01)


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


@pytest.mark.system
async def test_a_goal_waits_for_an_engine_that_is_away(mosquitto: Any, playing: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The broker keeps it for the engine that it knows, and gives it once."""
    async with playing(mosquitto) as match:
        first = await match.start_link()
        await match.start_gateway()
        await ended(first)
        caplog.set_level(logging.INFO, logger="hardware.gateway")
        match.show(home=1, away=0)
        await until_logged(caplog, "gateway.event_published")
        await match.start_link()

        await match.received.until_scores((1, 0))
        match.show(home=2, away=0)
        await match.received.until(lambda: match.received.scores[-1].home == 2)
        await match.received.until_scores((1, 0), (2, 0))
        assert match.received.refusals == []


@pytest.mark.system
async def test_a_goal_that_was_not_taken_to_the_end_comes_again(mosquitto: Any, playing: Any) -> None:
    """An engine that dies over it has not acknowledged it."""
    begun = asyncio.Event()
    async with playing(mosquitto) as match:

        async def die(_: ScoreEvent) -> None:
            begun.set()
            await asyncio.Event().wait()

        first = await match.start_link(handlers=replace(match.received.handlers, score=die))
        await match.start_gateway()
        match.show(home=1, away=0)
        await begun.wait()
        await ended(first)
        await match.start_link()

        await match.received.until_scores((1, 0))


@pytest.mark.system
async def test_a_goal_that_a_broker_lost_is_told_again(mosquitto_5: Any, playing: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A broker that dies forgets what it had acknowledged; the gateway does not, as long as it is fresh."""
    async with playing(mosquitto_5) as match:
        first = await match.start_link()
        await match.start_gateway(freshness_s=60.0)
        await ended(first)
        caplog.set_level(logging.INFO, logger="hardware.gateway")
        match.show(home=1, away=0)
        await until_logged(caplog, "gateway.event_published")
        await mosquitto_5.stop()
        await mosquitto_5.start()
        await match.start_link()

        await match.received.until_scores((1, 0))
        assert match.received.refusals == []


@pytest.mark.system
async def test_a_goal_that_nobody_would_hear_waits(mosquitto_5: Any, playing: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The broker says that nobody is subscribed; the gateway offers the goal again while it is fresh."""
    async with playing(mosquitto_5) as match:
        first = await match.start_link(identifier=None)
        await match.start_gateway(freshness_s=60.0)
        await ended(first)
        match.show(home=1, away=0)
        await until_logged(caplog, "gateway.unheard")
        await match.start_link(identifier=None)

        await match.received.until_scores((1, 0))


@pytest.mark.system
async def test_an_engine_that_falls_behind_says_so(mosquitto_5: Any, playing: Any) -> None:
    """While a handler stands still nothing is lost: the broker keeps what the engine has no room for."""
    standing_still, flood = asyncio.Event(), RECEIVE_MAX + 50
    async with playing(mosquitto_5) as match:
        handlers = match.received.handlers

        async def stand_still(refusal: Refusal) -> None:
            await standing_still.wait()
            await handlers.refusal(refusal)

        await match.start_link(handlers=replace(handlers, refusal=stand_still))
        async with aiomqtt.Client(mosquitto_5.address.host, mosquitto_5.address.port) as stranger:
            for _ in range(flood):
                await stranger.publish(str(EVENT), b"noise", qos=1)
        await match.received.until(lambda: bool(match.received.alarms))
        standing_still.set()
        await match.received.until(lambda: len(match.received.refusals) == flood)

        assert "messages wait to be taken" in match.received.alarms[0]
        assert len(match.received.alarms) == 1


@pytest.mark.system
async def test_more_events_than_there_is_room_for_come_again(unlimited_mosquitto: Any, playing: Any) -> None:
    """The connection is made anew, and what was not acknowledged comes with it."""
    standing_still, flood = asyncio.Event(), QUEUE_MESSAGES_MAX + RECEIVE_MAX + 50
    async with playing(unlimited_mosquitto) as match:
        handlers = match.received.handlers

        async def stand_still(refusal: Refusal) -> None:
            await standing_still.wait()
            await handlers.refusal(refusal)

        await match.start_link(handlers=replace(handlers, refusal=stand_still))
        async with aiomqtt.Client(unlimited_mosquitto.address.host, unlimited_mosquitto.address.port) as stranger:
            for number in range(flood):
                await stranger.publish(f"cuebird/v1/eishalle/stranger-{number}/event", b"noise", qos=1)
        standing_still.set()
        await match.received.until(lambda: len({refusal.topic for refusal in match.received.refusals}) == flood)

        assert any("more events came than there is room for" in alarm for alarm in match.received.alarms)


async def test_an_event_that_never_came_is_an_alarm(broker: Any, playing: Any) -> None:
    """The gateway's states go on telling of more events than were taken."""
    clock, boot = VirtualClock(), new_ulid(1)

    def told(**facts: Any) -> bytes:
        now_ns = round(clock.utc().timestamp() * 1e9)
        known = {"version": 1, "boot": boot, "venue": "eishalle", "device": "oes-1", "fixture": "final", "t_pub_ns": now_ns}
        return sign(STATE, StateBody.model_validate({**known, "state": "online", "sequence": 3, **facts}), DEVICE.signing_key)

    async with playing(broker) as match:
        await match.start_link(clock=clock)
        now_ns = round(clock.utc().timestamp() * 1e9)
        await match.publish(sign(EVENT, goal(boot=boot, t_event_ns=now_ns, t_pub_ns=now_ns), DEVICE.signing_key))
        await match.publish(told(), topic=str(STATE), retain=True)
        await match.received.until(lambda: len(match.received.statuses) == 1)
        for _ in range(GRACE_NS // 250_000_000 + 2):
            await clock.advance(0.25)
        assert match.received.alarms == []
        known = len(match.received.statuses)
        await match.publish(told(), topic=str(STATE), retain=True)
        await match.received.until(lambda: len(match.received.statuses) > known)
        await clock.advance(0.5)

        await match.received.until(lambda: bool(match.received.alarms))
        assert match.received.alarms[0].startswith("2 events were not taken (no. 2 to 3 of oes-1)")
