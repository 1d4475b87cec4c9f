"""The settings of one installation: frozen models, one for each table of the configuration file.

Values are parsed here and trusted everywhere else. What several tables say together (a feed's
channel must exist) is checked in `console.config`, which also turns pydantic's errors into sentences.
"""

import difflib
import os
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from fingerprints.sources import CaptureError, parse_source
from hardware.errors import SettingError, UnknownProtocolError
from hardware.inputs.sources import LISTENERS, input_listener
from hardware.lines import parse_line
from hardware.receiving import parse_listen_address
from hardware.scoreboards.protocols import protocol_named
from hardware.scte35.automation import SCHEME as AUTOMATION_SCHEME
from hardware.scte35.automation import parse_address as parse_automation
from hardware.scte35.sources import parse_source as parse_marker_source
from hardware.tally.listening import TallyAddress, TallySetup
from timebase import SystemClock

ID_LETTERS_MAX = 64
FEED_SCHEMES = ("http", "https", "udp", "rtp", "rtsp", "rtsps", "rtmp", "rtmps", "tcp", "srt", "rist", "alsa", "file")
"""What a listener opens (docs/capture.md)."""

ALIASES_MAX = 50
RATES_MAX = 8
"""Rates of each kind: every one of them is the whole library once more to match."""

_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{ID_LETTERS_MAX - 1}}}")
_HANDLE = re.compile(r"[A-Za-z0-9_]{1,15}")


def nearest(word: str, known: list[str]) -> str:
    """`; did you mean 'x'?` for the known word most like `word`, empty when none is alike."""
    alike = difflib.get_close_matches(word.lower(), [one.lower() for one in known], n=1, cutoff=0.6)
    found = next((one for one in known if alike and one.lower() == alike[0]), None)
    return f"; did you mean '{found}'?" if found else ""


@cache
def _zones() -> list[str]:
    return sorted(available_timezones())


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError(f"not an id; use up to {ID_LETTERS_MAX} letters, digits, - and _, beginning with a letter or digit")
    return text


def _handle(text: str) -> str:
    if not _HANDLE.fullmatch(text):
        raise ValueError("not a handle of X; write 1 to 15 letters, digits and _, without the @")
    return text


def _timezone(text: str) -> str:
    if text not in _zones():
        raise ValueError(f"not an IANA time zone such as 'Europe/Stockholm'{nearest(text, _zones())}")
    return text


def _absolute(path: Path, info: ValidationInfo) -> Path:
    folder = Path((info.context or {}).get("folder", "."))
    return Path(os.path.abspath(folder / path.expanduser()))


def _address(text: str, schemes: tuple[str, ...]) -> str:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  reading it checks it
    except ValueError as error:
        raise ValueError(f"not an address ({error})") from error
    if parts.scheme not in schemes:
        raise ValueError(f"begins with '{parts.scheme}:', which is not understood; use one of {', '.join(schemes)}")
    if not parts.hostname and parts.scheme not in ("file", "udp", "rtp"):
        raise ValueError("names no host; write for example http://127.0.0.1:8450/name.aac")
    return text


def _feed_url(text: str) -> str:
    if not text.startswith("alsa://"):  # a card's name, not a host
        _address(text, FEED_SCHEMES)
    try:
        parse_source(text)
    except CaptureError as error:
        raise ValueError(f"{error.cause}; {error.fix}") from error
    return text


def _marker_url(text: str) -> str:
    if "://" not in text:
        raise ValueError("not an address; write for example udp://239.1.1.1:5000, or file:///whole/path.ts")
    try:
        if text.startswith(f"{AUTOMATION_SCHEME}:"):
            parse_automation(text)
        else:
            parse_marker_source(text)
    except SettingError as error:
        raise ValueError(str(error)) from error
    return text


def _api_base(text: str) -> str:
    return _address(text, ("https",)).rstrip("/")


def _protocol(text: str) -> str:
    if text in LISTENERS:
        return text
    try:
        return protocol_named(text).name
    except UnknownProtocolError as error:
        raise ValueError(str(error)) from error


def _gateway_source(text: str, info: ValidationInfo) -> str:
    if text.startswith("file:") and not text.startswith("file:/"):
        text = f"file:{_absolute(Path(text.removeprefix('file:')), info)}"
    protocol = info.data.get("protocol")
    if protocol is not None and protocol not in LISTENERS:  # else that is what is wrong
        try:
            parse_line(text, protocol_named(protocol))
        except SettingError as error:
            raise ValueError(str(error)) from error
    return text


def _ledger(text: str, info: ValidationInfo) -> str:
    if "://" not in text:
        return str(_absolute(Path(text), info))
    _address(text, ("postgresql", "postgresql+psycopg"))
    if urlsplit(text).password is not None:
        raise ValueError("a password does not belong in this file; put it into ~/.pgpass or the file that PGPASSFILE names")
    return "postgresql+psycopg" + text[text.index("://") :]


def _rising(caps: tuple[int, int, int]) -> tuple[int, int, int]:
    if list(caps) != sorted(caps):
        raise ValueError("fewer in a longer span than in a shorter one; write [in a minute, in an hour, in a day], rising")
    return caps


def _in_utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)


Id = Annotated[str, AfterValidator(_id)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Word = Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]
Host = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^\S+$")]
Port = Annotated[int, Field(ge=1, le=65_535)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
PlaybackRate = Annotated[float, Field(ge=0.8, le=1.25, allow_inf_nan=False)]
Cap = Annotated[int, Field(ge=1, le=100_000)]
CapsOf = Annotated[tuple[Cap, Cap, Cap], AfterValidator(_rising)]


class Table(BaseModel):
    """Base of all tables: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Paths(Table):
    """Where things lie. `state_dir`: ledger, sockets, people, logs. `spots_dir`: one audio file a spot."""

    state_dir: AbsolutePath = Path("var")
    spots_dir: AbsolutePath = Path("spots")

    @property
    def socket_file(self) -> Path:
        """The engine's control socket."""
        return self.state_dir / "engine.sock"


class Engine(Table):
    """How the engine begins. `mode`: mode of a new ledger; later the ledger remembers it. `ledger`: where it is, if not in
    `state_dir`: a file, or PostgreSQL; engines that share one take turns. `timer_alarm_ms`: how late one timer in a
    hundred may be. `record`: where signals are kept for rehearsals.
    """

    mode: Literal["OFF", "REHEARSAL", "LIVE"] = "OFF"
    ledger: Annotated[str, AfterValidator(_ledger)] | None = None
    timer_alarm_ms: Annotated[float, Field(ge=2, le=1000, allow_inf_nan=False)] = 20.0
    record: AbsolutePath | None = None


class Caps(Table):
    """How many firings may be claimed in a minute, an hour and a day; a cap that trips disarms every cue it counts."""

    spot: CapsOf = (4, 60, 300)
    campaign: CapsOf = (10, 60, 300)
    account: CapsOf = (10, 60, 300)
    everything: CapsOf = (30, 300, 2000)


class Approval(Table):
    """`approvers`: how many people must approve each cue at least. `valid_days`: how long an approval holds."""

    approvers: Annotated[int, Field(ge=1, le=2)] = 1
    valid_days: Annotated[int, Field(ge=1, le=366)] = 90


class Tweets(Table):
    """What may stand in a tweet. `mentions`: handles it may name. `disclosures`: one stands in each paid partnership."""

    banned_words: Annotated[tuple[Word, ...], Field(max_length=10_000)] = ()
    mentions: Annotated[tuple[Annotated[str, AfterValidator(_handle)], ...], Field(max_length=1000)] = ()
    disclosures: Annotated[tuple[Word, ...], Field(max_length=100)] = ("#ad",)


class Publisher(Table):
    """Where tweets go. `ca_file`: trusted instead of the system's authorities. `connections`: warm ones an account. `key_file`:
    opens sealed credentials."""

    api_base: Annotated[str, AfterValidator(_api_base)] = "https://api.x.com"
    ca_file: AbsolutePath | None = None
    timeout_s: Seconds = 5.0
    connections: Annotated[int, Field(ge=1, le=8)] = 2
    key_file: AbsolutePath | None = None


class Audit(Table):
    """Where the audit record's key and its anchor lie, when not beside the ledger; see docs/audit.md."""

    key_file: AbsolutePath | None = None
    anchor_file: AbsolutePath | None = None


class Mqtt(Table):
    """The broker. `freshness_s`: an event older than this is refused. The files are PEM, the password one line.

    `client_id`: the name by which it knows the engine again; None makes one of the ledger.
    """

    host: Host = "127.0.0.1"
    port: Port = 1883
    protocol: Literal["3.1.1", "5"] = "5"
    client_id: Id | None = None
    username: Name | None = None
    password_file: AbsolutePath | None = None
    ca_file: AbsolutePath | None = None
    cert_file: AbsolutePath | None = None
    key_file: AbsolutePath | None = None
    freshness_s: Seconds = 5.0


class Console(Table):
    """Where the web console listens; `cert_file` and `key_file` (PEM) together turn TLS on."""

    host: Host = "127.0.0.1"
    port: Port = 8400
    cert_file: AbsolutePath | None = None
    key_file: AbsolutePath | None = None


class Listening(Table):
    """How feeds are heard. The threshold is made from `false_per_feed_year`; see docs/fingerprints.md.

    `cpus`: listener processes take turns on these and stay there; empty leaves it to the system.
    """

    false_per_feed_year: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)] = 1.0
    silence_db: Annotated[float, Field(ge=-120, lt=0, allow_inf_nan=False)] = -60.0
    feeds_per_process: Annotated[int, Field(ge=1, le=200)] = 8
    cpus: Annotated[tuple[Annotated[int, Field(ge=0, le=4095)], ...], Field(max_length=256)] = ()


class Channel(Table):
    """What viewers watch. `timezone`: the zone its plans are written in. `aliases`: what plans call it besides its id and name.
    `rates`, `tempos`: how fast it plays spots. `on_air`: the tally without which no cue of its spots fires."""

    id: Id
    name: Name
    timezone: Annotated[str, AfterValidator(_timezone)]
    aliases: Annotated[tuple[Word, ...], Field(max_length=ALIASES_MAX)] = ()
    rates: Annotated[tuple[PlaybackRate, ...], Field(max_length=RATES_MAX)] = ()
    tempos: Annotated[tuple[PlaybackRate, ...], Field(max_length=RATES_MAX)] = ()
    on_air: Id | None = None


class SpotAlias(Table):
    """What plans call a spot besides its id and identifiers. `name`: that word. `spot`: the spot's id."""

    name: Word
    spot: Word


class Plans(Table):
    """Where plans are dropped. `inbox_dir`: has a folder for each sender. `whole_after_s`: how long a file must stand still."""

    inbox_dir: AbsolutePath | None = None
    whole_after_s: Annotated[float, Field(ge=0.5, le=3600, allow_inf_nan=False)] = 5.0


class PlanSender(Table):
    """Who drops plans into a folder of the inbox, `id`. `plan`: the plan its files are; else each is the plan of its name.

    `drops_max`: a file that would drop more airings is refused. The others are the options of `cuebird schedule`.
    """

    id: Id
    plan: Annotated[str, Field(max_length=200, pattern=r"^[^/]*$")] = ""
    drops_max: Annotated[int, Field(ge=0, le=100_000)] = 20
    layout: Annotated[str, Field(max_length=40)] = ""
    columns: Annotated[dict[str, str], Field(max_length=64)] = {}
    constants: Annotated[dict[str, str], Field(max_length=20)] = {}
    date_order: Literal["dmy", "mdy"] | None = None
    zone: Annotated[str, Field(max_length=60)] = ""
    day_start: Annotated[str, Field(max_length=5)] = ""
    small_hours: Literal["refuse", "next"] = "refuse"
    sheet: Annotated[str, Field(max_length=100)] = ""


class Feed(Table):
    """One audio source of a channel. `channel_mix`: what is heard of a stereo source. `on_air`: the tally without which
    nothing fires on what it hears."""

    id: Id
    channel: Id
    url: Annotated[str, AfterValidator(_feed_url)]
    channel_mix: Literal["mix", "left", "right", "side"] = "mix"
    on_air: Id | None = None


class MarkerSource(Table):
    """A source of a channel's markers (SCTE-35). `spots`: spots by other identifiers than the library knows of them.

    `by_position`: the plan lists every spot of a break, so that a marker may mean the first, the second … `offset_ms`: added
    to each instant.
    """

    id: Id
    channel: Id
    url: Annotated[str, AfterValidator(_marker_url)]
    program: Annotated[int, Field(ge=1, le=65_535)] | None = None
    by_position: bool = False
    offset_ms: Annotated[float, Field(ge=-60_000, le=60_000, allow_inf_nan=False)] = 0.0
    spots: Annotated[dict[str, Id], Field(max_length=10_000)] = {}


class Tally(Table):
    """A mixer's tally lamp (TSL UMD) that says whether something is on air. `lamp`: which one of its `display`'s.

    `sender`: the mixer's address; others are not believed. `silence_s`: it must have been told of within this. `hold_s`: for
    how long after it went out it still counts.
    """

    id: Id
    url: Word
    version: Literal["3.1", "5.0"] = "5.0"
    display: Annotated[int, Field(ge=0, le=65_534)]
    screen: Annotated[int, Field(ge=0, le=65_534)] = 0
    lamp: Literal["red", "1", "2", "3", "4", "left", "text", "right"] = "red"
    sender: Host | None = None
    silence_s: Seconds = 10.0
    hold_s: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def _can_be_heard(self) -> Self:
        try:
            self.setup()
        except SettingError as error:
            raise ValueError(str(error)) from error
        return self

    def setup(self) -> TallySetup:
        """As `hardware` takes it.

        Raises:
            SettingError: its keys do not fit together.
        """
        listen = parse_listen_address(self.url, sender=self.sender or "")
        address = TallyAddress(listen=listen, version=self.version)
        return TallySetup(tally_id=self.id, address=address, display=self.display, screen=self.screen, lamp=self.lamp)


class Account(Table):
    """An account of X; its keys lie in `credentials_file`, never here."""

    id: Id
    handle: Annotated[str, AfterValidator(_handle)]
    credentials_file: AbsolutePath


class Fixture(Table):
    """A match. `kickoff_utc` may be left out."""

    id: Id
    home: Name
    away: Name
    sport: Id
    venue: Id
    kickoff_utc: Annotated[AwareDatetime, AfterValidator(_in_utc)] | None = None


class Device(Table):
    """A scoreboard's gateway as the engine knows it; `key_file` holds the key its messages are signed with.

    `old_key_file`: the key before it, which is taken until `old_key_ends_utc`.
    """

    id: Id
    venue: Id
    fixture: Id
    key_file: AbsolutePath
    old_key_file: AbsolutePath | None = None
    old_key_ends_utc: Annotated[AwareDatetime, AfterValidator(_in_utc)] | None = None


class Gateway(Table):
    """What `cuebird gateway` on this machine reads: the console's protocol, and the address of its line.

    `events`: with `osc` and `gpio`, what each address or pin means: `horn`, or the name of a trigger. `home_assistant`: the
    prefix of its discovery. `sparkplug`: the group in which the device is a node.
    """

    device: Id
    protocol: Annotated[str, AfterValidator(_protocol)]
    source: Annotated[str, AfterValidator(_gateway_source)]
    events: Annotated[dict[Word, Id], Field(max_length=200)] = {}
    home_assistant: Id | None = None
    sparkplug: Id | None = None

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if self.protocol not in LISTENERS:
            if self.events:
                raise ValueError(f"events: {self.protocol} is a scoreboard and tells its own; leave them out")
            return self
        try:
            input_listener(self.protocol, self.source, self.events, clock=SystemClock(), sink=lambda _told: None)
        except SettingError as error:
            raise ValueError(str(error)) from error
        return self


class Config(Table):
    """Everything the configuration file says, with every default filled in and every path absolute."""

    paths: Paths
    engine: Engine = Engine()
    caps: Caps = Caps()
    approval: Approval = Approval()
    tweets: Tweets = Tweets()
    publisher: Publisher = Publisher()
    audit: Audit = Audit()
    mqtt: Mqtt = Mqtt()
    console: Console = Console()
    listening: Listening = Listening()
    plans: Plans = Plans()
    channels: tuple[Channel, ...] = Field(default=(), alias="channel", max_length=1000)
    spot_aliases: tuple[SpotAlias, ...] = Field(default=(), alias="spot_alias", max_length=10_000)
    plan_senders: tuple[PlanSender, ...] = Field(default=(), alias="plan_sender", max_length=1000)
    feeds: tuple[Feed, ...] = Field(default=(), alias="feed", max_length=1000)
    marker_sources: tuple[MarkerSource, ...] = Field(default=(), alias="marker_source", max_length=100)
    tallies: tuple[Tally, ...] = Field(default=(), alias="tally", max_length=1000)
    accounts: tuple[Account, ...] = Field(default=(), alias="account", max_length=1000)
    fixtures: tuple[Fixture, ...] = Field(default=(), alias="fixture", max_length=10_000)
    devices: tuple[Device, ...] = Field(default=(), alias="device", max_length=1000)
    gateway: Gateway | None = None

    @property
    def ledger(self) -> Path | str:
        """The ledger's database: a file, or the URL of PostgreSQL."""
        place = self.engine.ledger
        if place is None:
            return self.paths.state_dir / "ledger.db"
        return place if "://" in place else Path(place)
