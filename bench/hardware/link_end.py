"""The engine's end of the link, in a process of its own: `python -m bench.hardware.link_end FOLDER PORT DEVICES [--tell]`.

It takes every event as an engine would, and tells what came when a line arrives on its standard input.
"""

import asyncio
import json
import sys
from array import array
from collections import Counter
from pathlib import Path

from bench.hardware.secure_broker import ENGINE, address_in
from hardware.events import DeviceState, DeviceStatus, Refusal, ScoreEvent
from hardware.keys import DeviceKey
from hardware.link import LinkHandlers, MqttLink
from hardware.replay import ReplayState
from timebase import SystemClock

VENUE, KEY = "bench", b"0123456789abcdef" * 2
EVENTS_MAX = 999
"""Of a device: as many as a board shows points."""
CLOCK = SystemClock()


def device_name(number: int) -> str:
    """Of the n-th device."""
    return f"board-{number}"


def device_key(number: int) -> DeviceKey:
    """The n-th device; each keeps a match of its own."""
    return DeviceKey(venue=VENUE, device=device_name(number), fixture=f"match-{number}", key=KEY)


class Tally:
    """What came: each event by device and ordinal, and whatever else the link says."""

    def __init__(self, keys: tuple[DeviceKey, ...], *, tell: bool) -> None:
        # Of fixed size, as far as that goes: what this process holds at the end is to be the link's.
        self._tell, self._taken = tell, {key.device: bytearray(EVENTS_MAX + 1) for key in keys}
        self._late_ms = array("f")
        self._online: set[str] = set()
        self._refusals, self._alarms = Counter[str](), list[str]()

    @property
    def handlers(self) -> LinkHandlers:
        """For the link."""
        return LinkHandlers(score=self._score, status=self._status, refusal=self._refusal, alarm=self._alarm, replay=self._replay)

    async def _score(self, event: ScoreEvent) -> None:
        now_ns = CLOCK.mono_ns()
        self._taken[event.device][event.ordinal] += 1
        self._late_ms.append((now_ns - event.event_mono_ns) / 1e6)
        if self._tell:
            print(json.dumps({"ordinal": event.ordinal, "seen_ns": event.event_mono_ns, "taken_ns": now_ns}), flush=True)

    async def _status(self, status: DeviceStatus) -> None:
        if status.state is DeviceState.ONLINE and status.device not in self._online:
            self._online.add(status.device)
            print(json.dumps({"online": len(self._online)}), flush=True)

    async def _refusal(self, refusal: Refusal) -> None:
        self._refusals[refusal.reason] += 1

    async def _alarm(self, sentence: str) -> None:
        self._alarms.append(sentence)

    async def _replay(self, _: ReplayState) -> None:
        pass

    def sum(self) -> dict[str, object]:
        """For the measurement."""
        counts = self._taken.items()
        return {
            "taken": {device: sum(map(bool, times)) for device, times in counts},
            "twice": sum(count > 1 for _, times in counts for count in times),
            "refusals": self._refusals,
            "alarms": self._alarms,
            "late_ms": sorted(self._late_ms),
        }


async def run(folder: Path, port: int, devices: int, *, tell: bool) -> None:
    """Listen until told to sum up."""
    keys = tuple(device_key(number) for number in range(1, devices + 1))
    tally = Tally(keys, tell=tell)
    link = MqttLink(
        address=address_in(folder, port, ENGINE), devices=keys, handlers=tally.handlers, clock=CLOCK, identifier="bench-engine"
    )
    listening = asyncio.create_task(link.run(), name="link")
    await link.connected.wait()
    print(json.dumps({"ready": True}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    listening.cancel()
    print(json.dumps(tally.sum()), flush=True)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), tell="--tell" in sys.argv))
