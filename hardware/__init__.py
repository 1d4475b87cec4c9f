"""Devices in, score events out: scoreboard decoders, signed messages, the MQTT gateway and link, simulators.

    console ─► line ─► decoder ─► ScoreKeeper ─► sign ─► MQTT ─► verify ─► ScoreEvent
               lines   scoreboards  scoring       messages        link
                       listening                  gateway

Decoding, keeping score and verifying are pure. What needs the MQTT library lives in modules of its
own, imported by those who use it: `hardware.link` (the engine), `hardware.gateway`, `hardware.broker`.
"""

from hardware.errors import HardwareError
from hardware.events import DeviceState, DeviceStatus, Reading, Refusal, ScoreEvent, ScoreKind, Side

__all__ = [
    "DeviceState",
    "DeviceStatus",
    "HardwareError",
    "Reading",
    "Refusal",
    "ScoreEvent",
    "ScoreKind",
    "Side",
]
