"""From a button to the engine's event, over each broker: signed, named, once."""

import socket
import time
from typing import Any

from hardware.events import DeviceState, ScoreKind
from hardware.gateway import Gateway, GatewaySettings
from hardware.inputs.osc_listening import OscListener
from hardware.keys import DeviceKey
from tests.unit.hardware.inputs.test_osc import message
from timebase import SystemClock

DEVICE = DeviceKey(venue="eishalle", device="oes-1", fixture="final", key=b"0123456789abcdef" * 4)
EVENTS = {"/cue/show": "show-begins", "/horn": "horn"}


async def test_a_press_arrives_signed_and_dated_by_its_packet(broker: Any, playing: Any) -> None:
    """A trigger with its name, then the horn; the device is online without a score."""
    async with playing(broker) as match:
        await match.start_link()
        settings = GatewaySettings(
            identity=DEVICE,
            sport="ice_hockey",
            protocol="osc",
            source="udp://127.0.0.1:0",
            events=EVENTS,
            address=broker.address,
        )
        gateway = Gateway(settings, clock=SystemClock())
        match.tasks.create(gateway.run())
        received = match.received
        await received.until(lambda: bool(received.statuses) and received.statuses[-1].state is DeviceState.ONLINE)
        assert (received.statuses[-1].home, received.statuses[-1].away) == (None, None)
        assert received.statuses[-1].frame_mono_ns == 0
        listener = gateway._console
        assert isinstance(listener, OscListener)
        begun = time.time()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for address, count in (("/cue/show", 1), ("/horn", 2)):
                sender.sendto(message(address), ("127.0.0.1", listener.receiver.port))
                await received.until(lambda wanted=count: len(received.scores) == wanted)
        await received.until(lambda: received.statuses[-1].frame_mono_ns > 0)
        assert received.statuses[-1].connections == 1
        assert [(event.kind, event.name) for event in received.scores] == [
            (ScoreKind.TRIGGER, "show-begins"),
            (ScoreKind.HORN, ""),
        ]
        assert all(begun - 0.001 <= event.event_utc.timestamp() <= time.time() for event in received.scores)
        assert received.refusals == []
