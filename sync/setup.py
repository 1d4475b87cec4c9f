"""What an engine is built from: plain values and ports, handed over by whoever wires the program."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hardware.events import Answer
from hardware.link import LinkHandlers
from hardware.replay import ReplayState
from schedules.airing import Airing
from schedules.windows import WindowChange
from sync.audit import AuditFiles
from sync.caps import CapLimits
from sync.cues import Catalogue
from sync.interlocks import NO_INTERLOCKS, InterlockSetup
from sync.media_files import FOLDER_NAME
from sync.media_uploading import MediaUploader
from sync.posting import Publisher
from sync.renewals import TokenSetup
from sync.standby import STANDBY_NAME
from sync.states import Mode
from sync.tweets import NO_RULES, TweetRules
from timebase import Clock, SystemClock

SOCKET_NAME = "engine.sock"
LEDGER_NAME = "ledger.db"


class Link(Protocol):
    """Delivers score events to its handlers until cancelled, as `hardware.link.MqttLink` does."""

    async def run(self) -> None:
        """Receive until cancelled."""
        ...

    async def take(self, topic: str, payload: bytes) -> Answer:
        """Verify a message that came another way, deliver what it says, and tell what became of it."""
        ...


LinkFactory = Callable[[LinkHandlers, ReplayState], Link]
"""Makes the link for given handlers and the replay state last stored."""


class Arming(Protocol):
    """Tells of windows that open and close, as `schedules.arming.AiringClock` does."""

    def load(self, airings: tuple[Airing, ...]) -> None:
        """Take these airings in place of those before."""
        ...

    async def run(self) -> None:
        """Tell until cancelled."""
        ...


ArmingFactory = Callable[[Clock, Callable[[Airing, WindowChange], Awaitable[None]]], Arming]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSetup:
    """An account that may post."""

    account_id: str
    handle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FixtureSetup:
    """A match and the names of its sides; `clock_counts_up`: its game clock tells the minute."""

    fixture: str
    home: str
    away: str
    clock_counts_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSetup:
    """All an engine needs.

    Attributes:
        state_dir: where its socket is, and its ledger unless `ledger` says otherwise.
        accounts, fixtures: as configured.
        feeds: channel by feed id.
        marker_sources: channel by the id of a source of markers.
        interlocks: tallies, and who must be on air by which.
        publisher: the one that speaks to X (or the sandbox); only LIVE uses it. None: LIVE is declined.
        media: what uploads media for it.
        tokens: what renews its OAuth 2.0 tokens; None where no account has any.
        mode: mode of a ledger that does not exist yet.
        ledger: another file, or a PostgreSQL URL.
        audit: where the key and the anchor of the audit record lie; None: beside the ledger.
        link: None without scoreboards.
        arming: None leaves windows to the engine's own look once a second (simulations).
        heartbeat_s: how often subscribers hear that the engine is alive.
        timer_alarm_ms: an alarm when one timer in a hundred is later than this.
        timer_probe_s: how often the timer is measured besides its firings; None: never (simulations).
        looks_outside: whether it looks for what other processes put into the ledger (simulations: nobody does).
        boot_id: names the boot the monotonic clock belongs to; None asks the kernel.
        record: where the signals it takes are kept for a rehearsal; None: nowhere.
        rules: what a tweet may hold.
        approvers_min: how many people must approve each cue at least.
        on_ready: called once the socket answers.
        on_standby: told whose engine lives while this one waits for its end.
    """

    state_dir: Path
    accounts: tuple[AccountSetup, ...]
    feeds: Mapping[str, str]
    fixtures: tuple[FixtureSetup, ...]
    publisher: Publisher | None
    marker_sources: Mapping[str, str] = field(default_factory=dict)
    interlocks: InterlockSetup = NO_INTERLOCKS
    media: MediaUploader | None = None
    tokens: TokenSetup | None = None
    mode: Mode = Mode.REHEARSAL
    ledger: Path | str | None = None
    audit: AuditFiles | None = None
    link: LinkFactory | None = None
    arming: ArmingFactory | None = None
    clock: Clock = field(default_factory=SystemClock)
    limits: CapLimits = field(default_factory=CapLimits)
    heartbeat_s: float = 1.0
    timer_alarm_ms: float = 20.0
    timer_probe_s: float | None = 0.1
    looks_outside: bool = True
    boot_id: str | None = None
    record: Path | None = None
    rules: TweetRules = NO_RULES
    approvers_min: int = 1
    on_ready: Callable[[], None] | None = None
    on_standby: Callable[[str], None] = lambda _holder: None

    @property
    def catalogue(self) -> Catalogue:
        """What the texts of a cue must keep."""
        return Catalogue(
            sides={one.fixture: (one.home, one.away) for one in self.fixtures},
            counting_up=frozenset(one.fixture for one in self.fixtures if one.clock_counts_up),
            rules=self.rules,
            approvers_min=self.approvers_min,
        )

    @property
    def socket_path(self) -> Path:
        """Where the engine listens."""
        return self.state_dir / SOCKET_NAME

    @property
    def standby_path(self) -> Path:
        """Where it says that it stands by, as long as it does."""
        return self.state_dir / STANDBY_NAME

    @property
    def media_folder(self) -> Path:
        """Where the cues' media are kept."""
        return self.state_dir / FOLDER_NAME

    @property
    def ledger_target(self) -> Path | str:
        """Where the ledger is."""
        return self.ledger or self.state_dir / LEDGER_NAME

    @property
    def audit_files(self) -> AuditFiles:
        """Where the audit record's key and anchor are."""
        ledger = self.ledger_target
        return self.audit or AuditFiles.beside(ledger if isinstance(ledger, Path) else self.state_dir / LEDGER_NAME)
