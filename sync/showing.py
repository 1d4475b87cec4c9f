"""What is shown of the engine, when, and to whom: after the claims, in slices, only what has changed."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

from fingerprints.events import Detection
from hardware.events import ScoreEvent
from sync.board import Board, account_view
from sync.control import ControlServer
from sync.firing_timer import Lateness
from sync.interlocks import Interlocks
from sync.markers import Markers
from sync.posting import AccountHealth
from sync.receipts import FiringRecord, firing_view
from sync.snapshot import EngineView, JsonObject, Snapshot, as_json
from sync.standing import Standing
from sync.states import Mode
from sync.tasks import Tasks
from timebase import Clock

SHOWN_AFTER_S = 0.02
"""What is only shown waits this long: it shares the interpreter with the claim and the first byte."""
REFRESHED_AFTER_S = 0.1
"""How soon changed cues, airings and accounts are shown: a look at all of them is milliseconds' work, in slices."""
SLICE_VIEWS = 8
"""Views made in one turn of the loop."""

T = TypeVar("T")


class Showing:
    """Tells subscribers what changes.

    Args:
        healths: of every configured account, now.
        markers: what is known of markers.
        interlocks: what is known of tallies.
        look_at_warmth: called when other accounts are armed than before.

    Attributes:
        control: the server whose clients are told; None before there is one.
    """

    def __init__(
        self,
        *,
        board: Board,
        standing: Standing,
        lateness: Lateness,
        clock: Clock,
        tasks: Tasks,
        markers: Markers,
        interlocks: Interlocks,
        healths: Callable[[], list[AccountHealth]],
        look_at_warmth: Callable[[], None],
    ) -> None:
        self._board, self._standing, self._lateness = board, standing, lateness
        self._clock, self._tasks, self._markers, self._interlocks = clock, tasks, markers, interlocks
        self._healths, self._look_at_warmth = healths, look_at_warmth
        self._started_utc = clock.utc()
        self._shown: dict[tuple[str, str], object] = {}
        self._refresh_due = False
        self._armed_shown: tuple[set[str], Mode] = (set(), Mode.OFF)
        self.control: ControlServer | None = None

    def publish(self, event: str, view: object) -> None:
        """Tell every subscriber now."""
        if self.control is not None and self._is_watched:
            self.control.publish(event, as_json(view))

    @property
    def _is_watched(self) -> bool:
        return self.control is not None and self.control.subscribers > 0

    def heartbeat(self) -> None:
        """Say that the engine is alive, and how it stands."""
        self.publish("heartbeat", self.engine_view())

    def firing(self, record: FiringRecord) -> None:
        """Show a firing as it is now."""
        self._board.take_firing(record)
        if self._is_watched:
            self.publish("firing", firing_view(record))
        self.refresh()

    def claimed(self, record: FiringRecord) -> None:
        """Show a firing that has been claimed, unless it has come further by then."""

        def show() -> None:
            if not self._board.knows_firing(record.firing_id):
                self.firing(record)

        self.after_the_claims(show)

    def detection(self, detection: Detection, spot_id: str) -> None:
        """Show a detection; `spot_id` is the spot it counts as."""
        self.publish("detection", self._board.take_detection(detection, spot_id=spot_id))

    def score(self, event: ScoreEvent) -> None:
        """Show a score event, and on its device's tile."""

        def show() -> None:
            self.publish("score", event)
            if (view := self._board.take_event(event)) is not None:
                self.publish("device", view)

        self.after_the_claims(show)

    def refresh(self) -> None:
        """Tell subscribers soon of what looks different now, and look at warmth again; several calls are one."""
        if not self._refresh_due:
            self._refresh_due = True
            asyncio.get_running_loop().call_later(REFRESHED_AFTER_S, self._begin_refresh)

    def engine_view(self) -> EngineView:
        """The engine itself."""
        return EngineView(
            pid=os.getpid(),
            started_utc=self._started_utc,
            utc=self._clock.utc(),
            mono_ns=self._clock.mono_ns(),
            epoch=self._standing.epoch,
            mode=self._standing.mode,
            killed=self._standing.killed,
            kill_reason=self._standing.kill_reason,
            kill_actor=self._standing.switch.kill_actor,
            timer=self._lateness.view(),
        )

    def snapshot(self) -> JsonObject:
        """Everything, as docs/engine-socket.md shows it."""
        now_utc, mode = self._clock.utc(), self._standing.mode
        return as_json(
            Snapshot(
                engine=self.engine_view(),
                feeds=self._board.feed_views(),
                detections=tuple(self._board.detections),
                devices=self._board.device_views(),
                marker_sources=self._markers.source_views(),
                markers=self._markers.views(),
                tallies=self._interlocks.views(),
                cues=self._board.cue_views(mode, now_utc),
                airings=self._board.airing_views(mode, now_utc),
                firings=self._board.firing_views(),
                accounts=tuple(account_view(health) for health in self._healths()),
                alarms=tuple(self._board.alarms),
            )
        )

    def after_the_claims(self, show: Callable[[], None]) -> None:
        """Do what nobody waits for a little later."""
        asyncio.get_running_loop().call_later(SHOWN_AFTER_S, show)

    def _begin_refresh(self) -> None:
        self._tasks.begin(self._show_changes(), name="show-changes")

    async def _show_changes(self) -> None:
        self._refresh_due = False
        now_utc, mode = self._clock.utc(), self._standing.mode
        armed = {account_id async for account_id in _in_slices(self._board.each_armed_account(mode, now_utc))}
        if (armed, mode) != self._armed_shown:
            self._armed_shown = (armed, mode)
            self._look_at_warmth()
        if not self._is_watched:
            # Whoever comes next gets a snapshot, and what changes after it: nothing that was shown before counts then.
            self._shown.clear()
            return
        async for cue in _in_slices(self._board.each_cue_view(mode, now_utc)):
            self._publish_changed("cue", cue.cue_id, cue)
        async for airing in _in_slices(self._board.each_airing_view(mode, now_utc)):
            self._publish_changed("airing", airing.airing_id, airing)
        for health in self._healths():
            self._publish_changed("account", health.account_id, account_view(health))

    def _publish_changed(self, event: str, key: str, view: object) -> None:
        if self._shown.get((event, key)) != view:
            self._shown[event, key] = view
            self.publish(event, view)


async def _in_slices(views: Iterable[T]) -> AsyncIterator[T]:
    """The views, with the loop free for others after every few."""
    for number, view in enumerate(views, start=1):
        yield view
        if number % SLICE_VIEWS == 0:
            await asyncio.sleep(0)
