"""The markers the engine has been told of: what stands, what has been cancelled, and how they agree with what was heard.

Holds values only; instants come as arguments. Everything that is kept is bounded.
"""

from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any

from hardware.markers import MarkerReport, MarkerSourceState, MarkerSourceStatus
from sync.signals import OccurrenceId, SpotMarked
from sync.snapshot import MarkerSourceView, MarkerView

MARKERS_SHOWN = 50
OCCURRENCES_MAX = 1000
AHEAD_NS_MAX = 150_000_000_000
"""A marker further ahead is refused: its source has lost its clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A spot that was both marked and heard: `later_ms` is by how much its sound began later than its marker said."""

    source_id: str
    occurrence_id: OccurrenceId
    later_ms: float


class Markers:
    """What is known of markers and their sources.

    Args:
        channels: channel by source id.
    """

    def __init__(self, channels: Mapping[str, str]) -> None:
        self._channels = channels
        self._sources = {source_id: _unheard(source_id, channel) for source_id, channel in channels.items()}
        self._told_at_mono_ns: dict[str, int] = {}
        self._signals: dict[tuple[str, str], SpotMarked] = {}
        self._canceled: dict[OccurrenceId, None] = {}
        self._heard_mono_ns: dict[OccurrenceId, int] = {}
        self._shown: deque[MarkerView] = deque(maxlen=MARKERS_SHOWN)

    # --- sources --------------------------------------------------------------------------------

    def channel_of(self, source_id: str) -> str | None:
        """The channel a source marks, None for one that is not configured."""
        return self._channels.get(source_id)

    def take_status(self, status: MarkerSourceStatus, *, now_mono_ns: int) -> MarkerSourceView:
        """Note how a source is."""
        self._told_at_mono_ns[status.source_id] = now_mono_ns
        self._sources[status.source_id] = replace(
            self._sources[status.source_id],
            state=status.state.value,
            messages=status.messages,
            damaged=status.damaged,
            ignored=status.ignored,
            seen_mono_ns=status.seen_mono_ns,
            sent_utc=status.sent_utc,
            detail=status.detail,
        )
        return self._sources[status.source_id]

    def status_age_ns(self, source_id: str, *, now_mono_ns: int) -> int | None:
        """How long ago the source's listener last spoke, None if it never has."""
        at_ns = self._told_at_mono_ns.get(source_id)
        return None if at_ns is None else now_mono_ns - at_ns

    def silent(self, *, now_mono_ns: int, older_than_ns: int) -> frozenset[str]:
        """Sources whose listener has spoken before and has stopped."""
        return frozenset(source_id for source_id, at_ns in self._told_at_mono_ns.items() if now_mono_ns - at_ns > older_than_ns)

    def live_on(self, channel: str, *, now_mono_ns: int, older_than_ns: int) -> bool:
        """Whether any source of a channel's markers lives."""
        silent = self.silent(now_mono_ns=now_mono_ns, older_than_ns=older_than_ns)
        return any(
            view.channel == channel and view.state == MarkerSourceState.LIVE and source_id not in silent
            for source_id, view in self._sources.items()
        )

    def source_views(self) -> tuple[MarkerSourceView, ...]:
        """Every source."""
        return tuple(self._sources.values())

    def views(self) -> tuple[MarkerView, ...]:
        """The newest markers, newest first."""
        return tuple(self._shown)

    # --- markers --------------------------------------------------------------------------------

    def is_known(self, report: MarkerReport) -> bool:
        """Whether this marker has been taken already."""
        return (report.source_id, report.event) in self._signals

    def take(self, report: MarkerReport, signal: SpotMarked) -> MarkerView:
        """Note a marker; what was cancelled of its occurrence before stands again."""
        self._signals[report.source_id, report.event] = signal
        self._canceled.pop(signal.occurrence_id, None)
        _bound(self._signals)
        view = MarkerView(
            source_id=report.source_id,
            event=report.event,
            channel=signal.channel,
            what=report.what,
            spot_id=signal.spot_id,
            airing_id=signal.airing.airing_id if signal.airing else "",
            upids=report.upids,
            at_mono_ns=signal.on_air_mono_ns,
            at_utc=signal.on_air_utc,
            state="announced",
            sound_later_ms=self._later_ms(signal),
        )
        self._shown.appendleft(view)
        return view

    def cancel(self, report: MarkerReport) -> tuple[SpotMarked | None, MarkerView | None]:
        """The signal that a cancellation takes back, None when nothing stands of it or it has been heard; and its view."""
        signal = self._signals.get((report.source_id, report.event))
        if signal is None:
            return None, None
        view = self._changed(report.source_id, report.event, lambda view: replace(view, state="canceled"))
        if signal.airing is None or signal.occurrence_id in self._heard_mono_ns:
            return None, view
        self._canceled[signal.occurrence_id] = None
        _bound(self._canceled)
        return signal, view

    def withdrawn(self, occurrence_id: str) -> str:
        """Why an occurrence does not stand any more; empty while it does."""
        return "its marker has been cancelled" if occurrence_id in self._canceled else ""

    def hear(self, occurrence_id: OccurrenceId, onset_mono_ns: int) -> tuple[Agreement, ...]:
        """Note that an airing was heard: it cannot be cancelled any more. How its markers agree with it."""
        self._heard_mono_ns.setdefault(occurrence_id, onset_mono_ns)
        self._canceled.pop(occurrence_id, None)
        _bound(self._heard_mono_ns)
        return tuple(
            agreement
            for signal in self._signals.values()
            if signal.occurrence_id == occurrence_id and (agreement := self.agreement(signal)) is not None
        )

    def agreement(self, signal: SpotMarked) -> Agreement | None:
        """How a marker agrees with what was heard, None while its airing has not been."""
        later_ms = self._later_ms(signal)
        if later_ms is None:
            return None
        self._changed(signal.source_id, signal.event, lambda view: replace(view, sound_later_ms=later_ms))
        return Agreement(source_id=signal.source_id, occurrence_id=signal.occurrence_id, later_ms=later_ms)

    def view_of(self, source_id: str, occurrence_id: OccurrenceId) -> MarkerView | None:
        """The newest marker of an occurrence as it is shown."""
        events = {key for key, signal in self._signals.items() if signal.occurrence_id == occurrence_id and key[0] == source_id}
        return next((view for view in self._shown if (view.source_id, view.event) in events), None)

    def _later_ms(self, signal: SpotMarked) -> float | None:
        heard_ns = self._heard_mono_ns.get(signal.occurrence_id)
        return None if heard_ns is None else round((heard_ns - signal.on_air_mono_ns) / 1e6, 1)

    def _changed(self, source_id: str, event: str, change: Callable[[MarkerView], MarkerView]) -> MarkerView | None:
        for place, view in enumerate(self._shown):
            if (view.source_id, view.event) == (source_id, event):
                self._shown[place] = change(view)
                return self._shown[place]
        return None


def _bound(kept: MutableMapping[Any, Any]) -> None:
    while len(kept) > OCCURRENCES_MAX:
        del kept[next(iter(kept))]


def _unheard(source_id: str, channel: str) -> MarkerSourceView:
    return MarkerSourceView(
        source_id=source_id,
        channel=channel,
        state="connecting",
        messages=0,
        damaged=0,
        ignored=0,
        seen_mono_ns=0,
        sent_utc=None,
        detail="nobody listens to it yet",
    )
