"""What the engine knows at this moment of feeds, devices, cues and airings, and how it shows it.

Holds values only; the engine feeds it and asks it for views. Time comes as an argument.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from fingerprints.events import Detection, FeedStatus
from hardware.events import DeviceState, DeviceStatus, Refusal, ScoreEvent, ScoreKind
from schedules.airing import Airing
from sync.approvals import lapse
from sync.conditions import GoalCondition, SpotCondition, hours_fault
from sync.cues import Cue
from sync.ledger import StoredCue
from sync.media import Media, media_of_variant
from sync.posting import AccountHealth
from sync.receipts import FiringRecord, firing_view
from sync.signals import airing_occurrence
from sync.snapshot import AccountView, AiringView, AlarmView, CueView, DetectionView, DeviceView, FeedView, FiringView
from sync.states import RESERVING, Action, FiringState, Mode
from sync.tweets import is_template

DETECTIONS_SHOWN = 50
FIRINGS_SHOWN = 200
ALARMS_SHOWN = 50
AIRINGS_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What is read from the ledger together.

    Attributes:
        cue_faults: why a cue's texts cannot be posted, by cue id; cues without fault are left out.
        heard: ids of airings that have been heard.
        fired: occurrences of airings that have been claimed, as (mode, occurrence id).
        used_texts: texts that have left, as (account, mode, text).
    """

    cues: tuple[StoredCue, ...]
    cue_faults: dict[str, str]
    airings: tuple[Airing, ...]
    heard: frozenset[str]
    fired: frozenset[tuple[Mode, str]]
    used_texts: frozenset[tuple[str, Mode, str]]


class Board:
    """The engine's view of the world."""

    def __init__(self, feeds: dict[str, str]) -> None:
        self._channels = feeds
        self._feeds: dict[str, FeedView] = {feed_id: _silent_feed(feed_id, channel) for feed_id, channel in feeds.items()}
        self._status_at_mono_ns: dict[str, int] = {}
        self._devices: dict[tuple[str, str], DeviceView] = {}
        self._refused: dict[tuple[str, str], Counter[str]] = {}
        self._firings: dict[int, FiringRecord] = {}
        self.detections: deque[DetectionView] = deque(maxlen=DETECTIONS_SHOWN)
        self.alarms: deque[AlarmView] = deque(maxlen=ALARMS_SHOWN)
        self.cues: tuple[StoredCue, ...] = ()
        self.cue_faults: dict[str, str] = {}
        self.airings: tuple[Airing, ...] = ()
        self._heard: set[str] = set()
        self._fired: set[tuple[Mode, str]] = set()
        self._by_spot: dict[tuple[str, str], list[Airing]] = {}
        self._used_texts: set[tuple[str, Mode, str]] = set()
        self._templates: frozenset[str] = frozenset()
        self._planned: frozenset[str] = frozenset()
        self._variants: frozenset[tuple[str, str]] = frozenset()
        self.account_fault: Callable[[str, Mode], str] = lambda _account_id, _mode: ""
        self.media_fault: Callable[[Cue, Iterable[Media], Mode], str] = lambda _cue, _media, _mode: ""
        """Why one of these media is not ready; given by whoever tends them."""
        self.on_air_fault: Callable[[Cue], str] = lambda _cue: ""
        """Why a cue's tally does not let it fire; given by whoever follows them."""
        self.markers_live: Callable[[str], bool] = lambda _channel: True
        """Whether a source of a channel's markers lives; given by whoever follows them."""

    # --- taking in ------------------------------------------------------------------------------

    def load(self, loaded: Loaded) -> None:
        """Take what the ledger says in place of what was known before."""
        self.cues, self.cue_faults, self.airings = loaded.cues, loaded.cue_faults, loaded.airings
        self._heard, self._fired = set(loaded.heard), set(loaded.fired)
        self._used_texts = set(loaded.used_texts)
        self._planned = frozenset(airing_occurrence(airing) for airing in loaded.airings)
        self._variants = frozenset((one.cue.account_id, variant) for one in loaded.cues for variant in one.cue.variants)
        self._templates = frozenset(variant for _, variant in self._variants if is_template(variant))
        self._by_spot = {}
        for airing in loaded.airings:
            self._by_spot.setdefault((airing.channel, airing.spot_id), []).append(airing)

    def take_feed(self, status: FeedStatus, *, now_mono_ns: int) -> FeedView:
        """Note a feed's status."""
        before = self._feeds.get(status.feed_id)
        view = FeedView(
            feed_id=status.feed_id,
            channel=self._channels[status.feed_id],
            state=status.state.value,
            level_db=status.level_db,
            position_s=status.position_s,
            seen_mono_ns=status.seen_mono_ns,
            sent_utc=status.sent_utc,
            detail=status.detail,
            last_spot=before.last_spot if before else "",
            last_utc=before.last_utc if before else None,
            delay_ms=status.delay_ms,
            dropped_blocks=status.dropped_blocks,
            gaps=status.gaps,
        )
        self._feeds[status.feed_id] = view
        self._status_at_mono_ns[status.feed_id] = now_mono_ns
        return view

    def dropped_blocks(self, feed_id: str) -> int:
        """Blocks the feed's listener has lost so far, as last told."""
        feed = self._feeds.get(feed_id)
        return feed.dropped_blocks if feed else 0

    def take_detection(self, detection: Detection, *, spot_id: str) -> DetectionView:
        """Note a detection; `spot_id` is the spot it counts as."""
        view = DetectionView(
            spot_id=spot_id,
            spot_ids=detection.spot_ids,
            feed_id=detection.feed_id,
            channel=self._channels[detection.feed_id],
            onset_s=detection.onset_s,
            decided_s=detection.decided_s,
            score=detection.score,
            threshold=detection.threshold,
            speed=detection.speed,
            onset_mono_ns=detection.onset_mono_ns,
            decided_mono_ns=detection.decided_mono_ns,
            decided_utc=detection.decided_utc,
        )
        self.detections.appendleft(view)
        feed = self._feeds[detection.feed_id]
        fields = {name: getattr(feed, name) for name in FeedView.__slots__}
        self._feeds[detection.feed_id] = FeedView(**{**fields, "last_spot": spot_id, "last_utc": detection.decided_utc})
        return view

    def take_device(self, status: DeviceStatus) -> DeviceView:
        """Note a device's status."""
        key = (status.venue, status.device)
        before = self._devices.get(key)
        self._devices[key] = DeviceView(
            venue=status.venue,
            device=status.device,
            state=status.state.value,
            fixture=status.fixture,
            home=status.home,
            away=status.away,
            clock=status.clock,
            period=status.period,
            good_frames=status.good_frames,
            bad_frames=status.bad_frames,
            refused=self._refused.get(key, Counter()).total(),
            seen_mono_ns=status.seen_mono_ns,
            detail=status.detail,
            key=status.key,
            clock_source=status.clock_source,
            clock_error_us=status.clock_error_us,
            clock_offset_us=status.clock_offset_us,
            clock_by=status.clock_by,
            clock_behind_ms=status.clock_behind_ms,
            refusals=dict(self._refused.get(key, {})),
            connections=status.connections,
            dropped_events=status.dropped_events,
            frame_mono_ns=status.frame_mono_ns,
            last_event=before.last_event if before else "",
            last_event_utc=before.last_event_utc if before else None,
        )
        return self._devices[key]

    def take_event(self, event: ScoreEvent) -> DeviceView | None:
        """Note the newest event of a device."""
        key = (event.venue, event.device)
        if key not in self._devices:
            return None
        self._devices[key] = replace(self._devices[key], last_event=_in_words(event), last_event_utc=event.event_utc)
        return self._devices[key]

    def take_refusal(self, refusal: Refusal) -> DeviceView | None:
        """Count a message that was not believed against the device its topic names."""
        parts = refusal.topic.split("/")
        key = (parts[2], parts[3]) if len(parts) == 5 else ("", "")
        known = self._devices.get(key)
        if known is None:
            return None
        counts = self._refused.setdefault(key, Counter())
        counts[refusal.kind.value] += 1
        self._devices[key] = replace(known, refused=counts.total(), refusals=dict(counts))
        return self._devices[key]

    def take_firing(self, record: FiringRecord) -> None:
        """Note a firing as it is now."""
        self._firings[record.firing_id] = record
        while len(self._firings) > FIRINGS_SHOWN:
            del self._firings[min(self._firings)]
        if record.action is not Action.POST:
            return
        # Only what a view asks for again: a goal is no airing, and its text is another one each time.
        if record.claimed_mono_ns is not None and record.occurrence_id in self._planned:
            self._fired.add((record.mode, record.occurrence_id))
        if record.state in RESERVING and (record.account_id, record.text) in self._variants:
            self._used_texts.add((record.account_id, record.mode, record.text))

    def take_heard(self, airing_id: str) -> bool:
        """Note that an airing was heard; whether that is news."""
        news = airing_id not in self._heard
        self._heard.add(airing_id)
        return news

    # --- asking ---------------------------------------------------------------------------------

    def channel_of(self, feed_id: str) -> str | None:
        """The channel a feed belongs to, None for a feed that is not configured."""
        return self._channels.get(feed_id)

    def status_age_ns(self, feed_id: str, *, now_mono_ns: int) -> int | None:
        """How long ago the feed's listener last spoke, None if it never has."""
        at_mono_ns = self._status_at_mono_ns.get(feed_id)
        return None if at_mono_ns is None else now_mono_ns - at_mono_ns

    def silent_listeners(self, *, now_mono_ns: int, older_than_ns: int) -> frozenset[str]:
        """Feeds whose listener has spoken before and has stopped."""
        return frozenset(feed_id for feed_id, at_ns in self._status_at_mono_ns.items() if now_mono_ns - at_ns > older_than_ns)

    def is_heard(self, airing_id: str) -> bool:
        """Whether an airing has been heard."""
        return airing_id in self._heard

    def airings_of(self, channel: str, spot_ids: Iterable[str]) -> list[Airing]:
        """The airings of these spots on a channel."""
        return [airing for spot_id in spot_ids for airing in self._by_spot.get((channel, spot_id), ())]

    def knows_firing(self, firing_id: int) -> bool:
        """Whether a firing has been shown in a state past the claim."""
        record = self._firings.get(firing_id)
        return record is not None and record.state not in (FiringState.ARMED, FiringState.CLAIMED)

    def waiting_firings(self) -> tuple[FiringRecord, ...]:
        """Those that wait for their audience delay, as last shown."""
        return tuple(record for record in self._firings.values() if record.state is FiringState.ARMED)

    def fireable(self) -> Iterable[Cue]:
        """Cues as the ledger had them when it was read; the gate judges whether they may."""
        return (stored.cue for stored in self.cues)

    def cue(self, cue_id: str) -> Cue | None:
        """The cue of that id."""
        return next((stored.cue for stored in self.cues if stored.cue.cue_id == cue_id), None)

    def armed_accounts(self, mode: Mode, now_utc: datetime) -> frozenset[str]:
        """Accounts of the cues that could fire now."""
        return frozenset(filter(None, self.each_armed_account(mode, now_utc)))

    def each_armed_account(self, mode: Mode, now_utc: datetime) -> Iterator[str]:
        """For each cue its account if it could fire now, else nothing; less work than its view."""
        for stored in self.cues:
            cue = stored.cue
            state, _ = self._cue_state(stored, mode, left=self._left(cue, mode), now_utc=now_utc)
            yield cue.account_id if state == "armed" else ""

    def lapses(self, now_utc: datetime) -> Iterator[tuple[str, str]]:
        """For each cue its name, and why its approval will not hold when it is needed; empty when it will."""
        return ((stored.cue.name, self._lapse(stored, now_utc)) for stored in self.cues)

    def feed_views(self) -> tuple[FeedView, ...]:
        """Every feed."""
        return tuple(self._feeds.values())

    def device_views(self) -> tuple[DeviceView, ...]:
        """Every device."""
        return tuple(self._devices.values())

    def firing_views(self) -> tuple[FiringView, ...]:
        """The newest firings, newest first."""
        return tuple(firing_view(record) for record in self.firings())

    def firings(self) -> tuple[FiringRecord, ...]:
        """As `firing_views`, the records themselves."""
        return tuple(self._firings[firing_id] for firing_id in sorted(self._firings, reverse=True))

    def cue_views(self, mode: Mode, now_utc: datetime) -> tuple[CueView, ...]:
        """Every cue with what keeps it from firing, if anything."""
        return tuple(self.each_cue_view(mode, now_utc))

    def airing_views(self, mode: Mode, now_utc: datetime) -> tuple[AiringView, ...]:
        """Airings that are open, next, or just over, in order of their plan."""
        return tuple(self.each_airing_view(mode, now_utc))

    def each_cue_view(self, mode: Mode, now_utc: datetime) -> Iterator[CueView]:
        """As `cue_views`, one after the other: a thousand of them take longer than a firing may wait."""
        return (self._cue_view(stored, mode, now_utc) for stored in self.cues)

    def each_airing_view(self, mode: Mode, now_utc: datetime) -> Iterator[AiringView]:
        """As `airing_views`, one after the other."""
        upcoming = [airing for airing in self.airings if airing.closes_utc >= now_utc]
        over = [airing for airing in self.airings if airing.closes_utc < now_utc]
        shown = (over[-AIRINGS_SHOWN // 2 :] + upcoming)[:AIRINGS_SHOWN]
        return (self._airing_view(airing, mode, now_utc) for airing in shown)

    # --- inside ---------------------------------------------------------------------------------

    def _cue_view(self, stored: StoredCue, mode: Mode, now_utc: datetime) -> CueView:
        cue = stored.cue
        left = self._left(cue, mode)
        state, detail = self._cue_state(stored, mode, left=left, now_utc=now_utc)
        # Only what is shown: its account stays warm while it waits for its tally.
        if state == "armed" and (off_air := self.on_air_fault(cue)):
            state, detail = "idle", off_air
        return CueView(
            cue_id=cue.cue_id,
            name=cue.name,
            kind=cue.on.kind,
            account_id=cue.account_id,
            state=state,
            detail=detail,
            variants_left=left,
            warning=self._lapse(stored, now_utc),
        )

    def _left(self, cue: Cue, mode: Mode) -> int:
        """How many of a cue's variants may still be posted."""
        return sum(
            variant in self._templates or (cue.account_id, mode, variant) not in self._used_texts for variant in cue.variants
        )

    def _lapse(self, stored: StoredCue, now_utc: datetime) -> str:
        on = stored.cue.on
        planned = self.airings_of(on.channel, on.spots) if isinstance(on, SpotCondition) else ()
        return lapse(stored.cue, stored.expires_utc, planned, now_utc)

    def _cue_state(self, stored: StoredCue, mode: Mode, *, left: int, now_utc: datetime) -> tuple[str, str]:
        if stored.hold_reason:
            return "held", stored.hold_reason
        if waiting := _approval_awaited(stored, now_utc):
            return "unapproved", waiting
        if fault := self.cue_faults.get(stored.cue.cue_id):
            return "held", fault
        if left == 0:
            return self._spent(stored.cue, now_utc)
        state, detail = self._occasion(stored.cue, mode, now_utc)
        outside = hours_fault(stored.cue.when, now_utc) if state == "armed" else ""
        if outside or state != "armed":
            return ("idle", outside) if outside else (state, detail)
        return self._with_means(stored.cue, mode, detail)

    def _spent(self, cue: Cue, now_utc: datetime) -> tuple[str, str]:
        """A cue without a text left: somebody should add one, unless all it was for is over."""
        used = "every variant has been used"
        if isinstance(cue.on, SpotCondition) and not self._still_to_come(cue.on, now_utc):
            return "over", f"{used}, and no airing is planned any more"
        return "spent", used

    def is_open(self, cue: Cue, mode: Mode, now_utc: datetime) -> bool:
        """Whether the cue's occasion could come at any moment; the gate judges whether it may fire."""
        return self._occasion(cue, mode, now_utc)[0] == "armed" and not hours_fault(cue.when, now_utc)

    def _with_means(self, cue: Cue, mode: Mode, detail: str) -> tuple[str, str]:
        """An armed cue's state, once its account and its next text's media have been looked at; a goal may take any text."""
        if fault := self.account_fault(cue.account_id, mode):
            return "held", fault
        if not cue.media:
            return "armed", detail
        unused = [
            number
            for number, text in enumerate(cue.variants, start=1)
            if text in self._templates or (cue.account_id, mode, text) not in self._used_texts
        ]
        numbers = unused[:1] if isinstance(cue.on, SpotCondition) else unused
        fault = next(filter(None, (self.media_fault(cue, media_of_variant(cue.media, one), mode) for one in numbers)), "")
        if not fault:
            return "armed", detail
        if cue.media_fallback == "text":
            return "armed", f"{detail}; its text alone: {fault}"
        return "held", f"its media {fault}"

    def _occasion(self, cue: Cue, mode: Mode, now_utc: datetime) -> tuple[str, str]:
        on = cue.on
        if isinstance(on, SpotCondition):
            return self._spot_state(on, mode, now_utc)
        needed = (*on.devices, *([on.witness_device] if isinstance(on, GoalCondition) and on.witness_device else ()))
        if offline := [device for device in needed if not self._is_online(device)]:
            return "idle", f"not online: {', '.join(offline)}; the cue waits for {'both' if on.devices else 'its word'}"
        online = [view for view in self._devices.values() if view.fixture == on.fixture and view.state == DeviceState.ONLINE]
        does = "keeps the score" if isinstance(on, GoalCondition) else "is online"
        return ("armed", f"{online[0].device} {does}") if online else ("idle", f"no device of {on.fixture} is online")

    def _is_online(self, device: str) -> bool:
        return any(view.device == device and view.state == DeviceState.ONLINE for view in self._devices.values())

    def _spot_state(self, on: SpotCondition, mode: Mode, now_utc: datetime) -> tuple[str, str]:
        if on.by in ("marker", "both") and not self.markers_live(on.channel):
            return "idle", f"no source of {on.channel}'s markers is live"
        waiting = [one for one in self._still_to_come(on, now_utc) if (mode, airing_occurrence(one)) not in self._fired]
        if open_now := [one for one in waiting if one.opens_utc <= now_utc]:
            return "armed", f"window open until {max(one.closes_utc for one in open_now):%H:%M:%S} UTC"
        if waiting:
            return "idle", f"next window opens {min(one.opens_utc for one in waiting):%H:%M:%S} UTC"
        return "idle", "no airing is planned"

    def _still_to_come(self, on: SpotCondition, now_utc: datetime) -> list[Airing]:
        return [one for one in self.airings_of(on.channel, on.spots) if one.closes_utc >= now_utc]

    def _airing_view(self, airing: Airing, mode: Mode, now_utc: datetime) -> AiringView:
        return AiringView(
            airing_id=airing.airing_id,
            channel=airing.channel,
            spot_id=airing.spot_id,
            number=airing.number,
            planned_utc=airing.planned_utc,
            opens_utc=airing.opens_utc,
            closes_utc=airing.closes_utc,
            state=self._airing_state(airing, mode, now_utc),
        )

    def _airing_state(self, airing: Airing, mode: Mode, now_utc: datetime) -> str:
        over = now_utc > airing.closes_utc
        if (mode, airing_occurrence(airing)) in self._fired:
            return "fired"
        if airing.airing_id in self._heard:
            return "closed" if over else "heard"
        if over:
            return "missed"
        return "open" if airing.opens_utc <= now_utc else "planned"


def _in_words(event: ScoreEvent) -> str:
    """`goal home 2:1`, `horn`, `trigger show-begins`."""
    points = f"{event.home}:{event.away}" if event.kind in (ScoreKind.GOAL, ScoreKind.CORRECTION) else ""
    return " ".join(filter(None, (event.kind.value, event.name, event.side or "", points)))


def _approval_awaited(stored: StoredCue, now_utc: datetime) -> str:
    ends_utc = stored.expires_utc
    if ends_utc is None:
        given = f"approved by {stored.approved_by}; " if stored.approvals else ""
        return f"{given}waiting for an approval of exactly this text"
    return f"its approval expired at {ends_utc:%Y-%m-%d %H:%M} UTC" if ends_utc <= now_utc else ""


def account_view(health: AccountHealth) -> AccountView:
    """An account's tile from its publisher's health."""
    return AccountView(
        account_id=health.account_id,
        handle=health.handle,
        connections=health.connections,
        warm=health.warm,
        remaining=health.limits.remaining,
        reset_utc=health.limits.reset_utc,
        last_answer_utc=health.last_answer_utc,
        detail=health.detail,
        token_expires_utc=health.token_expires_utc,
        fault=health.fault,
    )


def _silent_feed(feed_id: str, channel: str) -> FeedView:
    return FeedView(
        feed_id=feed_id,
        channel=channel,
        state="connecting",
        level_db=-120.0,
        position_s=0.0,
        seen_mono_ns=0,
        sent_utc=None,
        detail="no listener has reported yet",
        last_spot="",
        last_utc=None,
    )
