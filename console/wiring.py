"""Where the parts meet: the configuration becomes an engine, or a listener."""

import asyncio
import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.catalogue import rules_of
from console.config import Config, ConfigError
from console.devices import broker_address, device_key, engine_identifier
from console.ledgers import audit_files, open_ledger
from console.reporting import EngineReporter
from hardware.link import LinkHandlers, MqttLink
from hardware.replay import ReplayState
from hardware.sports import COUNTING_UP
from sync.caps import CapLimits
from sync.client import ControlClient
from sync.cues import Caps
from sync.interlocks import InterlockSetup, TallyLimits
from sync.setup import AccountSetup, EngineSetup, FixtureSetup
from sync.states import Mode
from timebase import Clock, SystemClock

if TYPE_CHECKING:
    from sync.accounts import AnyCredentials
    from sync.publisher import XPublisher
    from sync.renewals import TokenSetup
    from sync.sealing import SealingKey

SEALING_KEY_NAME: Final = "cuebird.key"
"""Of the key's file beside the ledger, and of the credential systemd hands over."""


async def run_configured_engine(config: Config, *, on_ready: Callable[[], None], on_standby: Callable[[str], None]) -> None:
    """Run the engine until cancelled; while another engine lives on the same ledger it stands by.

    Raises:
        ConfigError: a secret's file cannot be read.
        SyncError: the ledger, the socket or an account's credentials cannot be used.
    """
    from schedules import AiringClock
    from sync.engine import run_engine

    clock = SystemClock()
    accounts = open_accounts(config)
    publisher = make_publisher(config, accounts)
    await run_engine(
        dataclasses.replace(
            planned_setup(config),
            publisher=publisher,
            media=publisher.media_uploader(),
            tokens=_token_setup(config, accounts, publisher),
            link=_link_factory(config, clock) if config.devices else None,
            arming=AiringClock,
            clock=clock,
            on_ready=on_ready,
            on_standby=on_standby,
        )
    )


def planned_setup(config: Config) -> EngineSetup:
    """What the configuration says of the engine, without anything that reaches out: no credentials, no broker."""
    return EngineSetup(
        state_dir=config.paths.state_dir,
        accounts=tuple(AccountSetup(account_id=account.id, handle=account.handle) for account in config.accounts),
        feeds={feed.id: feed.channel for feed in config.feeds},
        marker_sources={source.id: source.channel for source in config.marker_sources},
        interlocks=_interlocks(config),
        fixtures=tuple(
            FixtureSetup(fixture=one.id, home=one.home, away=one.away, clock_counts_up=one.sport in COUNTING_UP)
            for one in config.fixtures
        ),
        publisher=None,
        mode=Mode(config.engine.mode),
        audit=audit_files(config),
        limits=CapLimits(
            spot=_caps(config.caps.spot),
            campaign=_caps(config.caps.campaign),
            account=_caps(config.caps.account),
            everything=_caps(config.caps.everything),
        ),
        rules=rules_of(config),
        record=config.engine.record,
        approvers_min=config.approval.approvers,
        timer_alarm_ms=config.engine.timer_alarm_ms,
        ledger=config.ledger,
    )


def _interlocks(config: Config) -> InterlockSetup:
    return InterlockSetup(
        tallies={
            one.id: TallyLimits(silence_ns=round(one.silence_s * 1e9), hold_ns=round(one.hold_s * 1e9)) for one in config.tallies
        },
        channels={one.id: one.on_air for one in config.channels if one.on_air is not None},
        feeds={one.id: one.on_air for one in config.feeds if one.on_air is not None},
    )


def make_publisher(config: Config, accounts: "Sequence[AnyCredentials]") -> "XPublisher":
    """The publisher of the configuration, for these accounts.

    Raises:
        SyncError: it cannot be set up as configured.
    """
    from sync.publisher import XPublisher

    return XPublisher(
        accounts,
        clock=SystemClock(),
        api_base=config.publisher.api_base,
        ca_file=config.publisher.ca_file,
        timeout_s=config.publisher.timeout_s,
        connections=config.publisher.connections,
    )


def open_accounts(config: Config) -> "list[AnyCredentials]":
    """Every account's credentials as its file has them.

    Raises:
        SyncError: they cannot be read or opened, are another account's, or are tokens that nothing could seal.
    """
    from sync.accounts import CredentialsError, OAuth2Credentials, load_account

    key = sealing_key(config)
    opened = [load_account(account.credentials_file, key=key) for account in config.accounts]
    for account, credentials in zip(config.accounts, opened, strict=True):
        if credentials.account_id != account.id:
            raise CredentialsError(
                f"{account.credentials_file}: keys of {credentials.account_id!r}, not of {account.id!r}; are two files swapped?"
            )
        if isinstance(credentials, OAuth2Credentials) and key is None:
            raise CredentialsError(
                f"{account.credentials_file}: tokens are kept sealed, and there is no key; cuebird account seal {account.id}"
            )
    return opened


def current_accounts(config: Config) -> "list[AnyCredentials]":
    """Every account's credentials with the newest tokens: the ledger has those that were renewed.

    Raises:
        SyncError: as `open_accounts`, or the ledger cannot be read.
    """
    from sync.accounts import OAuth2Credentials
    from sync.renewals import newest
    from sync.token_records import TokenRecords

    key, accounts = sealing_key(config), open_accounts(config)
    tokens = [one for one in accounts if isinstance(one, OAuth2Credentials)]
    if not tokens or key is None:
        return accounts
    with open_ledger(config) as ledger:
        now = {one.account_id: one for one in newest(tokens, TokenRecords(ledger, key).all(), key)}
    return [now.get(one.account_id, one) for one in accounts]


def _token_setup(config: Config, accounts: "Sequence[AnyCredentials]", publisher: "XPublisher") -> "TokenSetup | None":
    from sync.accounts import OAuth2Credentials
    from sync.renewals import TokenSetup

    key = sealing_key(config)
    tokens = tuple(one for one in accounts if isinstance(one, OAuth2Credentials))
    if not tokens or key is None:
        return None
    return TokenSetup(accounts=tokens, key=key, endpoint=publisher.token_client(), take=publisher.take_tokens)


def sealing_key_file(config: Config) -> Path:
    """Where the key lies that opens sealed credentials: as configured, handed over by systemd, or beside the ledger."""
    if config.publisher.key_file is not None:
        return config.publisher.key_file
    handed_over = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nowhere")) / SEALING_KEY_NAME
    return handed_over if handed_over.exists() else config.paths.state_dir / SEALING_KEY_NAME


def sealing_key(config: Config) -> "SealingKey | None":
    """That key, None when there is none.

    Raises:
        KeyFileError: its file is not one, or not private.
    """
    from sync.sealing import SealingKey

    path = sealing_key_file(config)
    return SealingKey.load(path) if path.exists() else None


def _caps(numbers: tuple[int, int, int]) -> Caps:
    per_minute, per_hour, per_day = numbers
    return Caps(per_minute=per_minute, per_hour=per_hour, per_day=per_day)


def _link_factory(config: Config, clock: Clock) -> Callable[[LinkHandlers, ReplayState], MqttLink]:
    address, identifier = broker_address(config), engine_identifier(config)
    devices = tuple(device_key(config, device.id) for device in config.devices)

    def make(handlers: LinkHandlers, replay: ReplayState) -> MqttLink:
        return MqttLink(
            address=address,
            devices=devices,
            handlers=handlers,
            clock=clock,
            replay=replay,
            freshness_s=config.mqtt.freshness_s,
            identifier=identifier,
        )

    return make


async def run_configured_listener(config: Config, feed_ids: Sequence[str], *, on_ready: Callable[[], None]) -> None:
    """Listen to some feeds and report to the engine until cancelled, or until files end.

    Raises:
        ConfigError: there is no such feed.
        FingerprintsError: there is no usable spot, or no feed can be heard.
    """
    from fingerprints.batch import FeedSetup, run_listeners

    feeds = {feed.id: feed for feed in config.feeds}
    unknown = [feed_id for feed_id in feed_ids if feed_id not in feeds]
    if unknown:
        raise ConfigError(f"feed {unknown[0]}: not in the configuration; it has {', '.join(feeds) or 'none'}")
    channels = {channel.id: channel for channel in config.channels}
    chosen = [feeds[feed_id] for feed_id in dict.fromkeys(feed_ids)]
    clock = SystemClock()
    async with ControlClient(config.paths.socket_file) as client, asyncio.TaskGroup() as tasks:
        reporter = EngineReporter(client, clock=clock)
        sending = tasks.create_task(reporter.run(), name="report to the engine")
        ready = tasks.create_task(_when_reached(reporter, on_ready), name="first report")
        await run_listeners(
            [
                FeedSetup(
                    feed_id=feed.id,
                    url=feed.url,
                    channel=feed.channel_mix,
                    speeds=channels[feed.channel].rates,
                    tempos=channels[feed.channel].tempos,
                )
                for feed in chosen
            ],
            library_folder=config.paths.spots_dir,
            false_per_feed_year=config.listening.false_per_feed_year,
            silence_db=config.listening.silence_db,
            clock=clock,
            sink=reporter.take,
        )
        ready.cancel()
        sending.cancel()


async def _when_reached(reporter: EngineReporter, on_ready: Callable[[], None]) -> None:
    await reporter.reached.wait()
    on_ready()
