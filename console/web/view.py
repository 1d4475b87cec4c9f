"""What the console knows of the engine: the last snapshot, kept up to date by the events that followed it."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

JsonObject = dict[str, Any]

_TEXT_CHARS_MAX: Final = 2000
"""Longer texts are cut, so that one broken record cannot fill every browser's queue."""
_KEY_CHARS_MAX: Final = 200
_ITEMS_MAX: Final = 1000
_DEPTH_MAX: Final = 6

_TABLES: Final[Mapping[str, tuple[str, tuple[str, ...], int]]] = {
    "feed": ("feeds", ("feed_id",), 256),
    "marker_source": ("marker_sources", ("source_id",), 256),
    "marker": ("markers", ("source_id", "event"), 100),
    "tally": ("tallies", ("tally_id",), 256),
    "device": ("devices", ("venue", "device"), 256),
    "cue": ("cues", ("cue_id",), 1000),
    "airing": ("airings", ("airing_id",), 1000),
    "firing": ("firings", ("firing_id",), 500),
    "account": ("accounts", ("account_id",), 256),
    "alarm": ("alarms", ("alarm_id",), 100),
    "detection": ("detections", ("feed_id", "onset_mono_ns", "spot_id"), 100),
}
"""Event name to its table in the snapshot, the fields that name a row, and how many rows are kept (the newest)."""


def _by(field: str) -> Callable[[JsonObject], int]:
    def order(row: JsonObject) -> int:
        value = row.get(field)
        return value if isinstance(value, int) else 0

    return order


_ORDERS: Final = {
    "markers": _by("at_mono_ns"),
    "firings": _by("firing_id"),
    "alarms": _by("alarm_id"),
    "detections": _by("onset_mono_ns"),
}
"""The engine sends snapshots newest first and events in their order; here it is always oldest first."""


class EngineView:
    """The engine as last told: a snapshot that events are folded into.

    Pure: no clock, no socket. What the engine sends is not believed to be whole: records that are not objects or have
    no key are left out, long texts are cut and numbers that JSON does not know become None.
    """

    def __init__(self) -> None:
        self._engine: JsonObject = {}
        self._tables: dict[str, dict[tuple[str, ...], JsonObject]] = {name: {} for name, _, _ in _TABLES.values()}

    @property
    def engine(self) -> JsonObject:
        """The `engine` object of the last snapshot or heartbeat; empty before the first."""
        return self._engine

    @property
    def mode(self) -> str:
        """`OFF`, `REHEARSAL`, `LIVE`, or empty when it is not known."""
        mode = self._engine.get("mode")
        return mode if isinstance(mode, str) else ""

    @property
    def killed(self) -> bool:
        """Whether the kill switch is set; also true when the engine does not say."""
        return self._engine.get("killed") is not False

    def replace(self, snapshot: object) -> None:
        """Forget everything and begin with this snapshot."""
        whole = bounded(snapshot)
        given = whole if isinstance(whole, dict) else {}
        self._engine = _object(given.get("engine"))
        for event, (table, _, _) in _TABLES.items():
            self._tables[table] = {}
            rows = given.get(table)
            for row in rows if isinstance(rows, list) else ():
                self._put(event, row)

    def apply(self, event: str, data: object) -> JsonObject | None:
        """Fold one event in.

        Returns:
            What to tell browsers: the cleaned record, or None when there was nothing of use in it.
        """
        record = bounded(data)
        if not isinstance(record, dict):
            return None
        if event == "heartbeat":
            self._engine = record
            return record
        if event in _TABLES:
            return self._put(event, record)
        return record

    def rows(self, table: str) -> list[JsonObject]:
        """All rows of one table of the snapshot; those that come one after another (firings, alarms, detections) oldest first."""
        rows = list(self._tables[table].values())
        return sorted(rows, key=_ORDERS[table]) if table in _ORDERS else rows

    def firing(self, firing_id: int) -> JsonObject | None:
        """One firing, None when it is not among those kept."""
        return self._tables["firings"].get((str(firing_id),))

    def snapshot(self) -> JsonObject:
        """The whole as in docs/engine-socket.md."""
        return {"engine": self._engine, **{table: self.rows(table) for table in self._tables}}

    def _put(self, event: str, record: object) -> JsonObject | None:
        table, key_fields, rows_max = _TABLES[event]
        if not isinstance(record, dict) or any(not isinstance(record.get(field), str | int) for field in key_fields):
            return None
        rows = self._tables[table]
        rows[tuple(str(record[field]) for field in key_fields)] = record
        if len(rows) > rows_max:
            oldest = self.rows(table)[0]
            del rows[key_of(event, oldest)]
        return record


def key_of(event: str, record: Mapping[str, Any]) -> tuple[str, ...]:
    """What names a record among others of its event."""
    return tuple(str(record.get(field)) for field in _TABLES[event][1])


def bounded(value: object, depth: int = 0) -> object:
    """The same JSON value, with texts, lists and nesting cut to a size that cannot hurt, and without NaN and infinities."""
    match value:
        case str():
            return value if len(value) <= _TEXT_CHARS_MAX else value[: _TEXT_CHARS_MAX - 1] + "…"
        case float():
            return value if math.isfinite(value) else None
        case bool() | int():
            return value
        case Mapping() if depth < _DEPTH_MAX:
            return {str(key)[:_KEY_CHARS_MAX]: bounded(item, depth + 1) for key, item in _first(value.items())}
        case list() | tuple() if depth < _DEPTH_MAX:
            return [bounded(item, depth + 1) for item in _first(value)]
        case _:
            return None


def _first(items: Iterable[Any]) -> list[Any]:
    return [item for _, item in zip(range(_ITEMS_MAX), items, strict=False)]


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}
