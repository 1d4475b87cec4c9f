"""What the engine does with markers: fire on them, take back what was cancelled, and hold them against what was heard."""

import logging
from collections.abc import Awaitable, Callable, Iterable

from hardware.markers import MarkerKind, MarkerReport, MarkerSourceStatus
from sync.alarms import Alarms
from sync.board import Board
from sync.corroboration import Corroboration
from sync.decide import Intent, Moment, decide_marked
from sync.errors import ControlError
from sync.firings import Firings
from sync.gate import FEED_STATUS_AGE_MAX_NS
from sync.markers import AHEAD_NS_MAX, Agreement, Markers
from sync.quorum import marker_key, sound_key
from sync.receipts import FiringRecord
from sync.showing import Showing
from sync.signals import SpotHeard, SpotMarked
from sync.states import FiringState
from sync.translate import marker_signal
from timebase import Clock

_log = logging.getLogger(__name__)


class Marking:
    """Takes markers.

    Args:
        fire: brings an intent to rest.
        announce: told of firings that change.
        record: keeps a marker for a rehearsal.
    """

    def __init__(
        self,
        markers: Markers,
        *,
        board: Board,
        corroboration: Corroboration,
        firings: Firings,
        showing: Showing,
        alarms: Alarms,
        clock: Clock,
        fire: Callable[[Iterable[Intent]], None],
        announce: Callable[[FiringRecord], Awaitable[None]],
        record: Callable[[MarkerReport, int | None], None],
    ) -> None:
        self._markers, self._board, self._corroboration = markers, board, corroboration
        self._firings, self._showing, self._alarms, self._clock = firings, showing, alarms, clock
        self._fire, self._announce, self._record = fire, announce, record

    async def take(self, report: MarkerReport) -> None:
        """Take a marker: decide at once, fire in tasks of their own; a cancellation withdraws what waits.

        Raises:
            ControlError: its source is not configured, or it lies too far ahead.
        """
        channel = self._channel(report.source_id)
        now = Moment(mono_ns=self._clock.mono_ns(), utc=self._clock.utc())
        if report.at_mono_ns - now.mono_ns > AHEAD_NS_MAX:
            sentence = (
                f"marker {report.event}: {(report.at_mono_ns - now.mono_ns) / 1e9:.0f} s ahead; its source's clock is wrong"
            )
            raise ControlError("refused", sentence)
        age_ns = self._markers.status_age_ns(report.source_id, now_mono_ns=now.mono_ns)
        self._record(report, age_ns)
        if report.kind is MarkerKind.CANCELED:
            await self._cancel(report)
        elif not self._markers.is_known(report):
            self._begin(report, channel, age_ns, now)

    def take_status(self, status: MarkerSourceStatus, *, now_mono_ns: int) -> None:
        """Take how a source is.

        Raises:
            ControlError: it is not configured.
        """
        self._channel(status.source_id)
        view = self._markers.take_status(status, now_mono_ns=now_mono_ns)
        self._showing.publish("marker_source", view)

    def hear(self, signal: SpotHeard, *, believed: bool) -> None:
        """Note that an airing was heard, and how its markers agree."""
        if signal.airing is None or not believed:
            return
        self._corroboration.note(sound_key(signal.occurrence_id), signal.on_air_mono_ns)
        for agreement in self._markers.hear(signal.occurrence_id, signal.on_air_mono_ns):
            self._show_agreement(agreement)

    def _begin(self, report: MarkerReport, channel: str, age_ns: int | None, now: Moment) -> None:
        signal = marker_signal(report, channel=channel, airings=self._board.airings, now_mono_ns=now.mono_ns, now_utc=now.utc)
        view = self._markers.take(report, signal)
        if signal.airing is not None and age_ns is not None and age_ns <= FEED_STATUS_AGE_MAX_NS:
            self._corroboration.note(marker_key(signal.occurrence_id), signal.on_air_mono_ns)
        self._fire(decide_marked(signal, self._board.fireable(), status_age_ns=age_ns, now=now))
        self._showing.publish("marker", view)
        if (agreement := self._markers.agreement(signal)) is not None:
            self._show_agreement(agreement)

    async def _cancel(self, report: MarkerReport) -> None:
        signal, view = self._markers.cancel(report)
        if view is not None:
            self._showing.publish("marker", view)
        if signal is not None:
            self._corroboration.forget(marker_key(signal.occurrence_id))
            await self._withdraw(signal)

    async def _withdraw(self, signal: SpotMarked) -> None:
        reason = self._markers.withdrawn(signal.occurrence_id)
        for record in await self._alarms.saved(self._firings.of_occurrence, signal.occurrence_id) or ():
            if record.state is not FiringState.ARMED:
                continue
            withdrawn = await self._alarms.saved(self._firings.resolve, record.firing_id, FiringState.WITHDRAWN, reason=reason)
            if withdrawn is not None:
                await self._announce(withdrawn)

    def _show_agreement(self, agreement: Agreement) -> None:
        facts = {"source_id": agreement.source_id, "occurrence_id": agreement.occurrence_id, "later_ms": agreement.later_ms}
        _log.info("marker_and_sound", extra=facts)
        if (view := self._markers.view_of(agreement.source_id, agreement.occurrence_id)) is not None:
            self._showing.publish("marker", view)

    def _channel(self, source_id: str) -> str:
        channel = self._markers.channel_of(source_id)
        if channel is None:
            raise ControlError("refused", f"source of markers {source_id}: it is not configured")
        return channel
