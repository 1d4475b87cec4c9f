"""The console's figures in the Prometheus text format."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from console.web.live import LiveHub

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, str], float]


def family(name: str, kind: str, explanation: str, samples: Iterable[Sample]) -> str:
    """One metric with all its samples, ready to be joined with others.

    Source:
        Prometheus, "Text-based format" 0.0.4.
    """
    lines = [f"# HELP {name} {_escaped(explanation)}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        inside = ",".join(f'{label}="{_escaped(text, quote=True)}"' for label, text in labels.items())
        lines.append(f"{name}{{{inside}}} {_number(value)}" if inside else f"{name} {_number(value)}")
    return "\n".join(lines) + "\n"


def render(hub: LiveHub) -> str:
    """Everything the console can count, in the order of docs/console.md."""
    view, age_ms = hub.view, hub.heartbeat_age_ms()
    firings = Counter((str(row.get("mode")), str(row.get("state"))) for row in view.rows("firings"))
    return "".join(
        [
            family("cuebird_engine_connected", "gauge", "1 while the console follows the engine.", [({}, float(hub.connected))]),
            family("cuebird_engine_heartbeat_age_seconds", "gauge", "Age of the engine's last heartbeat; NaN before the first.",
                   [({}, math.nan if age_ms is None else age_ms / 1000)]),
            family("cuebird_engine_killed", "gauge", "1 while the kill switch is set, or its state is not known.",
                   [({}, float(view.killed))]),
            family("cuebird_engine_mode", "gauge", "1 for the mode the engine is in.",
                   [({"mode": mode}, float(view.mode == mode)) for mode in ("OFF", "REHEARSAL", "LIVE")]),
            family("cuebird_ready", "gauge", "1 while the engine can fire.", [({}, float(not hub.reasons_not_ready()))]),
            family("cuebird_firings", "gauge", "Firings among those the console keeps, by mode and state.",
                   [({"mode": mode, "state": state}, count) for (mode, state), count in sorted(firings.items())]),
            family("cuebird_feed_level_db", "gauge", "Level of a feed's last block in dB full scale.",
                   [(_feed(row), _value(row.get("level_db"))) for row in view.rows("feeds")]),
            family("cuebird_feed_age_seconds", "gauge", "Age of a feed's newest sample; NaN before the first.",
                   [(_feed(row), _age_s(hub, row.get("seen_mono_ns"))) for row in view.rows("feeds")]),
            family("cuebird_feed_live", "gauge", "1 while the feed's state is live.",
                   [(_feed(row), float(row.get("state") == "live")) for row in view.rows("feeds")]),
            family("cuebird_device_age_seconds", "gauge", "Age of a scoreboard device's last message.",
                   [(_device(row), _age_s(hub, row.get("seen_mono_ns"))) for row in view.rows("devices")]),
            family("cuebird_device_bad_frames", "gauge", "Frames of a device that could not be read.",
                   [(_device(row), _value(row.get("bad_frames"))) for row in view.rows("devices")]),
        ]
    )  # fmt: skip


def _feed(row: Mapping[str, object]) -> dict[str, str]:
    return {"feed": str(row.get("feed_id")), "channel": str(row.get("channel"))}


def _device(row: Mapping[str, object]) -> dict[str, str]:
    return {"venue": str(row.get("venue")), "device": str(row.get("device"))}


def _age_s(hub: LiveHub, seen_mono_ns: object) -> float:
    seen = _value(seen_mono_ns)
    return (hub.clock.mono_ns() - seen) / 1e9 if seen > 0 else math.nan


def _value(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(float(value))


def _escaped(text: str, *, quote: bool = False) -> str:
    escaped = text.replace("\\", r"\\").replace("\n", r"\n")
    return escaped.replace('"', r"\"") if quote else escaped
