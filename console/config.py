"""The configuration file: found, read, checked, shown.

`load_config` is the only way in. It stops at a wrong file with sentences that name the file, the key,
the value and the fix, all of them at once, so that a person mends the file in one go.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from console.errors import ConsoleError
from console.settings import (
    Account,
    Approval,
    Audit,
    Caps,
    Channel,
    Config,
    Console,
    Device,
    Engine,
    Feed,
    Fixture,
    Gateway,
    Listening,
    MarkerSource,
    Mqtt,
    Paths,
    Plans,
    PlanSender,
    Publisher,
    SpotAlias,
    Tally,
    Tweets,
    nearest,
)

__all__ = [
    "Account",
    "Approval",
    "Audit",
    "Caps",
    "Channel",
    "Config",
    "ConfigError",
    "Console",
    "Device",
    "Engine",
    "Feed",
    "Fixture",
    "Gateway",
    "Listening",
    "MarkerSource",
    "Mqtt",
    "Paths",
    "PlanSender",
    "Plans",
    "Publisher",
    "SpotAlias",
    "Tally",
    "Tweets",
    "find_config",
    "load_config",
    "mask_url",
    "read_secret",
]

CONFIG_VARIABLE = "CUEBIRD_CONFIG"
CONFIG_NAME = "cuebird.toml"
CONFIG_BYTES_MAX = 1 << 20
SECRET_BYTES_MAX = 64 << 10
PROBLEMS_SHOWN_MAX = 20
VALUE_LETTERS_MAX = 80
LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
MASK = "***"

_USER_PART = re.compile(r"[^/\s@]*:[^/\s]*@")


class ConfigError(ConsoleError):
    """The configuration file cannot be used.

    Attributes:
        problems: one sentence for each thing that is wrong, the file named in each.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        shown = list(problems[:PROBLEMS_SHOWN_MAX])
        if len(problems) > PROBLEMS_SHOWN_MAX:
            shown.append(f"… and {len(problems) - PROBLEMS_SHOWN_MAX} more")
        super().__init__("\n".join(shown))


def find_config(option: Path | None = None, *, environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Path:
    """The configuration file to use: `option`, else $CUEBIRD_CONFIG, else ./cuebird.toml.

    Raises:
        ConfigError: none of the three is given or there.
    """
    if option is not None:
        return option
    named = (os.environ if environ is None else environ).get(CONFIG_VARIABLE, "")
    if named:
        return Path(named)
    here = (folder or Path.cwd()) / CONFIG_NAME
    if here.exists():
        return here
    raise ConfigError(f"no configuration: give --config FILE, set {CONFIG_VARIABLE}, or put a {CONFIG_NAME} into {here.parent}")


def load_config(path: Path) -> Config:
    """The configuration in `path`, whole and checked, relative paths taken from the file's folder.

    Raises:
        ConfigError: the file is missing, unreadable or wrong; its message has one sentence a problem.
    """
    table = _parse(path)
    # The defaults of [paths] are relative too, so they must pass through the validator that knows the folder.
    table.setdefault("paths", {})
    try:
        config = Config.model_validate(table, context={"folder": path.absolute().parent})
    except ValidationError as error:
        raise ConfigError(*(f"{path}: {_sentence(detail)}" for detail in error.errors())) from error
    problems = [f"{path}: {problem}" for problem in _contradictions(config)]
    if problems:
        raise ConfigError(*problems)
    return config


def read_secret(path: Path) -> str:
    """The first line of a secret's file, without its line end.

    Raises:
        ConfigError: the file is missing, unreadable, empty, too large or not text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(SECRET_BYTES_MAX + 1)
        secret = data.decode().splitlines()[0].strip() if len(data) <= SECRET_BYTES_MAX else ""
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; a secret is read from this file") from error
    except (UnicodeDecodeError, IndexError):
        secret = ""
    if not secret:
        raise ConfigError(f"{path}: no secret in it; its first line must be the secret, as UTF-8 text")
    return secret


def mask_url(url: str) -> str:
    """`url` with what may be secret replaced by stars: the user's part and the values of the query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    network = f"{MASK}@{host}" if "@" in parts.netloc else host
    query = urlencode([(name, MASK) for name, _ in parse_qsl(parts.query, keep_blank_values=True)], safe="*")
    return urlunsplit(parts._replace(netloc=network, query=query))


def _parse(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(CONFIG_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; copy examples/cuebird.toml there and change it to your needs") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; a configuration is a readable TOML file") from error
    if len(data) > CONFIG_BYTES_MAX:
        raise ConfigError(f"{path}: larger than {CONFIG_BYTES_MAX} bytes; this is no configuration file")
    try:
        # TOML forbids a byte order mark, Windows editors write one all the same.
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}: line {line} is not UTF-8; save the file as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: broken TOML: {error}; mend that place") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: broken TOML: nested too deeply; a configuration has tables and keys only") from error


def _sentence(detail: ErrorDetails) -> str:
    where, kind, value = _key_path(detail["loc"]), detail["type"], detail["input"]
    if kind == "extra_forbidden":
        # The value is not shown: an unknown key may well be somebody's password.
        name, known = str(detail["loc"][-1]), _known_keys(detail["loc"][:-1])
        return f"{where}: unknown key{nearest(name, known) or _begins_like(name, known) or '; known here: ' + ', '.join(known)}"
    if kind == "missing":
        return f"{where}: missing; add it (docs/configuration.md says what it means)"
    if kind == "value_error":
        reason = str(detail["ctx"]["error"])
        if isinstance(value, dict):  # what keys say together
            return f"{where}: {reason}"
    elif kind == "literal_error":
        reason = f"should be {detail['ctx']['expected']}{nearest(str(value), _choices(detail['loc']))}"
    elif kind in ("model_type", "model_attributes_type"):
        reason = f"should be a table; write [{where}] above its keys"
    elif kind == "path_type":
        reason = "should be a path in quotes"
    elif kind == "tuple_type":
        reason = f"should be a list of tables; write [[{where}]] above each"
    else:
        reason = detail["msg"].replace("Input should", "should", 1)
    return f"{where} = {_shown(value)}: {reason}"


def _shown(value: object) -> str:
    """`value` as an error message may show it: never a secret, never long."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    text = repr(_USER_PART.sub(f"{MASK}@", value) if isinstance(value, str) else value)
    return text if len(text) <= VALUE_LETTERS_MAX else text[: VALUE_LETTERS_MAX - 1] + "…"


def _key_path(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def _model_at(location: tuple[int | str, ...]) -> type[BaseModel]:
    """The model of the table at `location` (`("feed", 0)` gives `Feed`)."""
    model: type[BaseModel] = Config
    for step in location:
        field = next((field for name, field in model.model_fields.items() if (field.alias or name) == step), None)
        if field is not None:
            kinds = (field.annotation, *get_args(field.annotation))
            model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
    return model


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    return [field.alias or name for name, field in _model_at(location).model_fields.items()]


def _choices(location: tuple[int | str, ...]) -> list[str]:
    field = _model_at(location[:-1]).model_fields[str(location[-1])]
    return [str(choice) for choice in get_args(field.annotation)]


def _begins_like(name: str, known: list[str]) -> str:
    found = next((key for key in known if key.startswith(f"{name}_")), None)
    return f"; did you mean '{found}'?" if found else ""


def _contradictions(config: Config) -> Iterator[str]:
    """Each sentence about tables that do not fit together."""
    yield from _twice("channel", [one.id for one in config.channels])
    yield from _twice("feed", [one.id for one in config.feeds])
    yield from _twice("plan_sender", [one.id for one in config.plan_senders])
    if config.plan_senders and config.plans.inbox_dir is None:
        yield "plans.inbox_dir: missing; the folders of the senders lie in it"
    yield from _twice("marker_source", [one.id for one in config.marker_sources])
    yield from _twice("tally", [one.id for one in config.tallies])
    yield from _twice("account", [one.id for one in config.accounts])
    yield from _twice("fixture", [one.id for one in config.fixtures])
    yield from _twice("device", [one.id for one in config.devices])
    channels, fixtures = [one.id for one in config.channels], {one.id: one for one in config.fixtures}
    devices = [one.id for one in config.devices]
    for index, feed in enumerate(config.feeds):
        yield from _unknown(f"feed[{index}].channel", feed.channel, "channel", channels)
    for index, source in enumerate(config.marker_sources):
        yield from _unknown(f"marker_source[{index}].channel", source.channel, "channel", channels)
    tallies = [one.id for one in config.tallies]
    on_air = [(f"channel[{index}].on_air", channel.on_air) for index, channel in enumerate(config.channels)]
    on_air += [(f"feed[{index}].on_air", feed.on_air) for index, feed in enumerate(config.feeds)]
    for where, tally in on_air:
        if tally is not None:
            yield from _unknown(where, tally, "tally", tallies)
    for index, device in enumerate(config.devices):
        yield from _unknown(f"device[{index}].fixture", device.fixture, "fixture", list(fixtures))
        fixture = fixtures.get(device.fixture)
        if fixture is not None and fixture.venue != device.venue:
            yield (
                f"device[{index}].venue = {device.venue!r}: fixture {fixture.id!r} is played at {fixture.venue!r}; "
                "make the two venues the same"
            )
    if config.gateway is not None:
        yield from _unknown("gateway.device", config.gateway.device, "device", devices)
    yield from _shared_names(config)
    yield from _half_pairs(config)


def _shared_names(config: Config) -> Iterator[str]:
    """Aliases by which a plan would name two channels or spots."""
    owners = {one.id.casefold(): one.id for one in config.channels}
    for index, channel in enumerate(config.channels):
        for alias in channel.aliases:
            owner = owners.setdefault(" ".join(alias.casefold().split()), channel.id)
            if owner != channel.id:
                yield f"channel[{index}].aliases: {alias!r} already names the channel {owner!r}; take it out of one of the two"
    spots: dict[str, str] = {}
    for index, one in enumerate(config.spot_aliases):
        if spots.setdefault(" ".join(one.name.casefold().split()), one.spot) != one.spot:
            yield f"spot_alias[{index}].name = {one.name!r}: names two spots; take one of them out"


def _half_pairs(config: Config) -> Iterator[str]:
    for table, settings in (("mqtt", config.mqtt), ("console", config.console)):
        if (settings.cert_file is None) != (settings.key_file is None):
            missing = "key_file" if settings.key_file is None else "cert_file"
            yield f"{table}.{missing}: missing; cert_file and key_file belong together: give both or neither"
    for index, device in enumerate(config.devices):
        if (device.old_key_file is None) != (device.old_key_ends_utc is None):
            missing = "old_key_file" if device.old_key_file is None else "old_key_ends_utc"
            yield f"device[{index}].{missing}: missing; an old key has an end: give both or neither"
    if config.mqtt.password_file is not None and config.mqtt.username is None:
        yield "mqtt.username: missing; a password needs the name it belongs to"
    if config.console.host not in LOOPBACK_HOSTS and config.console.cert_file is None:
        yield (
            f"console.host = {config.console.host!r}: passwords would cross the network unencrypted; "
            "give cert_file and key_file, or use 127.0.0.1"
        )


def _twice(table: str, ids: list[str]) -> Iterator[str]:
    first: dict[str, int] = {}
    for index, one in enumerate(ids):
        if one in first:
            yield f"{table}[{index}].id = {one!r}: {table}[{first[one]}] has this id already; choose another"
        first.setdefault(one, index)


def _unknown(where: str, wanted: str, table: str, known: list[str]) -> Iterator[str]:
    if wanted not in known:
        fix = nearest(wanted, known) or f"; add a [[{table}]] with this id"
        yield f"{where} = {wanted!r}: there is no {table} of this id{fix}"
