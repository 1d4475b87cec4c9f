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


def histogram(name: str, explanation: str, *, buckets: Iterable[tuple[float, float]], total: float, count: float) -> str:
    """A histogram: `buckets` are upper bounds and how much lies within each; the bound `+Inf` is added."""
    lines = [f"# HELP {name} {_escaped(explanation)}", f"# TYPE {name} histogram"]
    lines += [f'{name}_bucket{{le="{_number(bound)}"}} {_number(within)}' for bound, within in buckets]
    lines += [f'{name}_bucket{{le="+Inf"}} {_number(count)}', f"{name}_sum {_number(total)}", f"{name}_count {_number(count)}"]
    return "\n".join(lines) + "\n"


def render(hub: LiveHub) -> str:
    """Everything the console can count, in the order of docs/console.md."""
    view, age_ms = hub.view, hub.heartbeat_age_ms()
    firings = Counter((str(row.get("mode")), str(row.get("state"))) for row in view.rows("firings"))
    return "".join(
        [
            family("cuebird_engine_connected", "gauge", "1 while the console follows the engine.", [({}, float(hub.connected))]),
            family("cuebird_engine_stands_by", "gauge", "1 while the engine waits for another one's end.",
                   [({}, float(hub.stands_by))]),
            family("cuebird_engine_heartbeat_age_seconds", "gauge", "Age of the engine's last heartbeat; NaN before the first.",
                   [({}, math.nan if age_ms is None else age_ms / 1000)]),
            family("cuebird_engine_killed", "gauge", "1 while the kill switch is set, or its state is not known.",
                   [({}, float(view.killed))]),
            family("cuebird_engine_mode", "gauge", "1 for the mode the engine is in.",
                   [({"mode": mode}, float(view.mode == mode)) for mode in ("OFF", "REHEARSAL", "LIVE")]),
            family("cuebird_ready", "gauge", "1 while the engine can fire.", [({}, float(not hub.reasons_not_ready()))]),
            family("cuebird_firings", "gauge", "Firings among those the console keeps, by mode and state.",
                   [({"mode": mode, "state": state}, count) for (mode, state), count in sorted(firings.items())]),
            _timer(view.engine.get("timer")),
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
            family("cuebird_device_clock_behind_seconds", "gauge", "A device's clock behind the engine's; NaN before known.",
                   [(_device(row), _value(row.get("clock_behind_ms")) / 1000) for row in view.rows("devices")]),
            family("cuebird_device_refused", "gauge", "Messages in a device's name that were not believed, by reason.",
                   [({**_device(row), "reason": reason}, _value(count)) for row in view.rows("devices")
                    for reason, count in _refusals(row)]),
        ]
    )  # fmt: skip


def _timer(told: object) -> str:
    """The lateness of the engine's timer; nothing is counted before it has told any."""
    timer: Mapping[str, object] = told if isinstance(told, Mapping) else {}
    told_buckets = timer.get("buckets")
    pairs = [one for one in told_buckets if isinstance(one, list) and len(one) == 2] if isinstance(told_buckets, list) else []
    recent = (("0.5", "p50_ms"), ("0.99", "p99_ms"), ("1", "max_ms"))
    return histogram(
        "cuebird_timer_lateness_seconds",
        "How late the timer of audience delays was, at firings and probes.",
        buckets=[(_value(bound_ms) / 1000, _value(within)) for bound_ms, within in pairs],
        total=_value(timer.get("sum_ms", 0)) / 1000,
        count=_value(timer.get("waits", 0)),
    ) + family(
        "cuebird_timer_lateness_recent_seconds",
        "gauge",
        "The same over the newest thousand waits, by quantile; NaN before the first.",
        [({"quantile": quantile}, _value(timer.get(field)) / 1000) for quantile, field in recent],
    )


def _feed(row: Mapping[str, object]) -> dict[str, str]:
    return {"feed": str(row.get("feed_id")), "channel": str(row.get("channel"))}


def _device(row: Mapping[str, object]) -> dict[str, str]:
    return {"venue": str(row.get("venue")), "device": str(row.get("device"))}


def _refusals(row: Mapping[str, object]) -> list[tuple[str, object]]:
    told = row.get("refusals")
    return sorted((str(reason), count) for reason, count in told.items()) if isinstance(told, Mapping) else []


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
