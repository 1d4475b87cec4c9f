"""The engine's process: a whole engine, with a fuse and perhaps a planted bug; forked by `bench.chaos.nursery`."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import sync.reconciler
from bench.chaos.bugs import BUGS
from bench.chaos.scene import FEEDS, devices
from bench.chaos.steps import Fuse, install
from bench.firing.scene import CHANNEL, NO_CAPS
from hardware.link import LinkHandlers, MqttLink
from hardware.mqtt import BrokerAddress
from hardware.replay import ReplayState
from sync.accounts import load_credentials
from sync.audit import AuditFiles
from sync.caps import CapLimits
from sync.engine import run_engine
from sync.errors import SyncError
from sync.publisher import XPublisher
from sync.setup import AccountSetup, EngineSetup, FixtureSetup
from timebase import Backoff, SystemClock

FIRST_READS_S = (0.2, 0.5, 1.0)
NOT_SEEN_AFTER_S = 1.5
"""How long the timeline is asked before a tweet counts as not seen; the sandbox shows at once what it has taken."""
POST_TIMEOUT_S = 1.0
CLOCK = SystemClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOrder:
    """What an engine is started with.

    Attributes:
        ledger: a SQLite file, or a PostgreSQL URL.
        audit_dir: where the key and the anchor of the audit record lie.
        bug: one of `BUGS`, empty for none.
    """

    state_dir: str
    ledger: str
    audit_dir: str
    accounts: tuple[str, ...]
    fixtures: tuple[str, ...]
    mqtt_port: int
    api_base: str
    sandbox_dir: str
    bug: str = ""

    @property
    def target(self) -> Path | str:
        """Where the ledger is, as `EngineSetup` wants it."""
        return self.ledger if "://" in self.ledger else Path(self.ledger)

    @property
    def audit_files(self) -> AuditFiles:
        """Where the audit record's key and anchor are."""
        return AuditFiles.beside(Path(self.audit_dir) / "ledger.db")


def run(order: EngineOrder, announce: Callable[..., None]) -> None:
    """Be an engine until told to stop, fenced, or killed; `announce` tells whoever started it how far it is."""
    fuse = Fuse(Path(order.state_dir))
    install(fuse)
    fuse.read()
    _hasten()
    if order.bug:
        BUGS[order.bug]()
    logging.basicConfig(filename=Path(order.state_dir) / "engine.log", level=logging.INFO, format=_FORMAT)
    try:
        asyncio.run(_run(order, fuse, announce))
    except SyncError as error:
        logging.getLogger(__name__).warning("ended: %s", error)


_FORMAT = "%(asctime)s %(process)d %(name)s %(message)s"


async def _run(order: EngineOrder, fuse: Fuse, announce: Callable[..., None]) -> None:
    loop, this = asyncio.get_running_loop(), asyncio.current_task()
    assert this is not None
    loop.add_signal_handler(signal.SIGUSR1, fuse.read)
    loop.add_signal_handler(signal.SIGTERM, this.cancel)
    links = list[MqttLink]()

    def link(handlers: LinkHandlers, replay: ReplayState) -> MqttLink:
        made = MqttLink(
            address=BrokerAddress(port=order.mqtt_port),
            devices=devices(order.fixtures),
            handlers=handlers,
            clock=CLOCK,
            replay=replay,
            backoff=Backoff(first_s=0.05, most_s=0.3, floor_s=0.02),
        )
        links.append(made)
        return made

    telling = set[asyncio.Task[None]]()

    def on_ready() -> None:
        telling.add(asyncio.create_task(_tell_ready(links[0], announce), name="tell-ready"))

    with contextlib.suppress(asyncio.CancelledError):  # told to stop
        await run_engine(_setup(order, link, on_ready, lambda _holder: announce(standby=True)))


async def _tell_ready(link: MqttLink, announce: Callable[..., None]) -> None:
    await link.connected.wait()
    announce(ready=True)


def _setup(
    order: EngineOrder,
    link: Callable[[LinkHandlers, ReplayState], MqttLink],
    on_ready: Callable[[], None],
    on_standby: Callable[[str], None],
) -> EngineSetup:
    sandbox_dir = Path(order.sandbox_dir)
    credentials = [load_credentials(sandbox_dir / "credentials" / f"{name}.json") for name in order.accounts]
    publisher = XPublisher(
        credentials, clock=CLOCK, api_base=order.api_base, ca_file=sandbox_dir / "ca.pem", timeout_s=POST_TIMEOUT_S
    )
    return EngineSetup(
        state_dir=Path(order.state_dir),
        ledger=order.target,
        audit=order.audit_files,
        accounts=tuple(AccountSetup(account_id=name, handle=name) for name in order.accounts),
        feeds=dict.fromkeys(FEEDS, CHANNEL),
        fixtures=tuple(FixtureSetup(fixture=name, home=f"{name} home", away=f"{name} away") for name in order.fixtures),
        publisher=publisher,
        link=link,
        clock=CLOCK,
        limits=CapLimits(spot=NO_CAPS, campaign=NO_CAPS, account=NO_CAPS, everything=NO_CAPS),
        on_ready=on_ready,
        on_standby=on_standby,
    )


def _hasten() -> None:
    """Have unknown firings looked for soon: the sandbox is not X, and a round is not a day."""
    sync.reconciler.FIRST_READS_S = FIRST_READS_S
    sync.reconciler.NOT_SEEN_AFTER = timedelta(seconds=NOT_SEEN_AFTER_S)
