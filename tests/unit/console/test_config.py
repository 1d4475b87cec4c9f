import json
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
import typer
from pydantic import BaseModel
from typer.testing import CliRunner

from console.commands import config
from console.config import Config, ConfigError, find_config, load_config, mask_url, read_secret
from console.effective import as_json_text, as_toml
from console.settings import Feed, MarkerSource, PlanSender, Tally

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "cuebird.toml"
CHANNEL = '[[channel]]\nid = "nord"\nname = "Nord"\ntimezone = "Europe/Stockholm"\n'
FIXTURE = '[[fixture]]\nid = "final"\nhome = "A"\naway = "B"\nsport = "ice_hockey"\nvenue = "halle"\n'
DEVICE = '[[device]]\nid = "oes-1"\nvenue = "halle"\nfixture = "final"\nkey_file = "oes.key"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cuebird.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(tmp_path: Path, text: str) -> list[str]:
    """What is wrong with a file, without the file's name, which every sentence begins with."""
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert all(problem.startswith(f"{path}: ") for problem in caught.value.problems)
    return [problem.removeprefix(f"{path}: ") for problem in caught.value.problems]


def test_the_example_is_right_and_its_paths_are_absolute() -> None:
    """Paths are taken from the file's folder, wherever the program runs."""
    loaded = load_config(EXAMPLE)

    assert loaded.paths.spots_dir == ROOT / "examples" / "media" / "spots"
    assert loaded.paths.state_dir == ROOT / "var" / "demo"
    assert [feed.channel for feed in loaded.feeds] == [channel.id for channel in loaded.channels]


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    """Nothing is required, and a new installation sends nothing."""
    loaded = load_config(written(tmp_path, ""))

    assert loaded.engine.mode == "OFF"
    assert loaded.paths.state_dir == tmp_path / "var"
    assert loaded.publisher.api_base == "https://api.x.com"
    assert (loaded.feeds, loaded.gateway) == ((), None)


def test_a_byte_order_mark_is_forgiven(tmp_path: Path) -> None:
    """Windows editors write one."""
    assert load_config(written(tmp_path, "\ufeff[console]\nport = 8401\n")).console.port == 8401


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[consol]\n", "consol: unknown key; did you mean 'console'?"),
        ("[mqtt]\npasword_file = 'x'\n", "mqtt.pasword_file: unknown key; did you mean 'password_file'?"),
        ("[mqtt]\npassword = 'hunter2'\n", "mqtt.password: unknown key; did you mean 'password_file'?"),
        ("[engine]\nzzz = 1\n", "engine.zzz: unknown key; known here: mode"),
        ("[mqtt]\nport = 70000\n", "mqtt.port = 70000: should be less than or equal to 65535"),
        ("[mqtt]\nprotocol = 5\n", "mqtt.protocol = 5: should be '3.1.1' or '5'; did you mean '5'?"),
        ("[engine]\nmode = 'LVE'\n", "engine.mode = 'LVE': should be 'OFF', 'REHEARSAL' or 'LIVE'; did you mean 'LIVE'?"),
        ("[mqtt]\nfreshness_s = inf\n", "mqtt.freshness_s = inf: should be a finite number"),
        ("[publisher]\napi_base = 'http://x.example'\n", "begins with 'http:', which is not understood; use one of https"),
        ("paths = 3\n", "paths = 3: should be a table; write [paths] above its keys"),
        ("[feed]\nid = 'x'\n", "feed = a table: should be a list of tables; write [[feed]] above each"),
        ("[paths]\nstate_dir = 3\n", "paths.state_dir = 3: should be a path in quotes"),
        (CHANNEL.replace("Stockholm", "Stokholm"), "channel[0].timezone = 'Europe/Stokholm': not an IANA time zone"),
        (CHANNEL.replace('"nord"', '"no rd"'), "channel[0].id = 'no rd': not an id"),
        (CHANNEL.replace('name = "Nord"\n', ""), "channel[0].name: missing; add it"),
        ("[[account]]\nid = 'a'\nhandle = '@a'\ncredentials_file = 'c'\n", "account[0].handle = '@a': not a handle of X"),
        (FIXTURE + "kickoff_utc = 2027-03-01T12:00:00\n", "fixture[0].kickoff_utc = "),
        (DEVICE + FIXTURE + "[gateway]\ndevice='oes-1'\nprotocol='oes'\nsource='127.0.0.1:1'\n", "not the address of a line"),
        (DEVICE + FIXTURE + "[gateway]\ndevice='oes-1'\nprotocol='oes'\nsource='tcp://host'\n", "names no port"),
    ],
)
def test_a_wrong_key_or_value_is_one_sentence_with_its_fix(tmp_path: Path, text: str, sentence: str) -> None:
    """File, key path, value, reason, fix."""
    (problem,) = refused(tmp_path, text)

    assert sentence in problem


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (CHANNEL + CHANNEL, "channel[1].id = 'nord': channel[0] has this id already"),
        (
            CHANNEL + "[[feed]]\nid='f'\nchannel='nrd'\nurl='udp://:1'\n",
            "feed[0].channel = 'nrd': there is no channel of this id; did you mean 'nord'?",
        ),
        (
            "[[feed]]\nid='f'\nchannel='nord'\nurl='udp://:1'\n",
            "feed[0].channel = 'nord': there is no channel of this id; add a [[channel]]",
        ),
        (
            CHANNEL + "[[marker_source]]\nid='ts'\nchannel='nrd'\nurl='udp://:1'\n",
            "marker_source[0].channel = 'nrd': there is no channel of this id; did you mean 'nord'?",
        ),
        (
            CHANNEL + "on_air='pgn'\n[[tally]]\nid='pgm'\nurl='udp://:4003'\ndisplay=3\n",
            "channel[0].on_air = 'pgn': there is no tally of this id; did you mean 'pgm'?",
        ),
        (
            "[[tally]]\nid='pgm'\nurl='tcp://0.0.0.0:4003'\nversion='3.1'\ndisplay=3\n",
            "tally[0]: tcp://0.0.0.0:4003: version 3.1 has no TCP; use udp://, or version 5.0",
        ),
        (
            "[[tally]]\nid='pgm'\nurl='udp://0.0.0.0:4003'\nlamp='1'\ndisplay=3\n",
            "tally[0]: lamp '1': version 5.0 has red, left, text, right",
        ),
        (
            "[gateway]\ndevice='oes-1'\nprotocol='osc'\nsource='udp://0.0.0.0:9000'\n" + DEVICE + FIXTURE,
            "gateway: osc: no events; say under [gateway.events] what each address or pin means",
        ),
        (
            "[gateway]\ndevice='oes-1'\nprotocol='osc'\nsource='serial:/dev/ttyS0'\nevents={'/a'='b'}\n" + DEVICE + FIXTURE,
            "gateway: 'serial:/dev/ttyS0': write udp:// or tcp://",
        ),
        (
            "[gateway]\ndevice='oes-1'\nprotocol='gpio'\nsource='gpio:'\nevents={'40'='b'}\n" + DEVICE + FIXTURE,
            "gateway: pin '40': give the chip's number (BCM), 0 to 27",
        ),
        (
            "[gateway]\ndevice='oes-1'\nprotocol='oes'\nsource='/dev/ttyS0'\nevents={'/a'='b'}\n" + DEVICE + FIXTURE,
            "gateway: events: oes is a scoreboard and tells its own; leave them out",
        ),
        (DEVICE, "device[0].fixture = 'final': there is no fixture of this id"),
        (DEVICE.replace("halle", "hale") + FIXTURE, "device[0].venue = 'hale': fixture 'final' is played at 'halle'"),
        (
            "[gateway]\ndevice='oes'\nprotocol='oes'\nsource='/dev/ttyS0'\n" + DEVICE + FIXTURE,
            "gateway.device = 'oes': there is no device",
        ),
        ("[mqtt]\ncert_file = 'c'\n", "mqtt.key_file: missing; cert_file and key_file belong together"),
        ("[mqtt]\npassword_file = 'p'\n", "mqtt.username: missing"),
        (DEVICE + "old_key_file = 'o'\n" + FIXTURE, "device[0].old_key_ends_utc: missing; an old key has an end"),
        (DEVICE + "old_key_ends_utc = 2026-12-01T00:00:00Z\n" + FIXTURE, "device[0].old_key_file: missing"),
        ("[console]\nhost = '0.0.0.0'\n", "console.host = '0.0.0.0': passwords would cross the network unencrypted"),
    ],
)
def test_tables_that_contradict_each_other_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    """What no table can know alone."""
    (problem,) = refused(tmp_path, text)

    assert sentence in problem


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    """A person mends the file in one go; a flood is cut short."""
    assert len(refused(tmp_path, "[mqtt]\nport = 0\nhots = 'x'\n[console]\nport = 0\n")) == 3
    path = written(tmp_path, "\n".join(f"key{number} = 1" for number in range(30)))
    with pytest.raises(ConfigError, match=r"… and 10 more$"):
        load_config(path)


@pytest.mark.parametrize("secret", ["hunter2", "tok3n"])
def test_no_secret_reaches_a_message(tmp_path: Path, secret: str) -> None:
    """Neither a password under an unknown key, nor one inside a wrong address, nor one given for a file."""
    text = (
        f"[mqtt]\npassword = '{secret}'\n[[feed]]\nid = 'f'\nchannel = 'c'\nurl = 'htp://user:{secret}@host/x'\n"
        f"[[feed]]\nid = 'g'\nchannel = 'c'\nurl = ['http://user:{secret}@host/x']\n"
        f"[[account]]\nid = 'a'\nhandle = 'a'\ncredentials_file = {{ token = '{secret}' }}\n"
    )

    problems = refused(tmp_path, text)

    assert len(problems) == 4
    assert secret not in "\n".join(problems)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[a\nb = 1\n", r"broken TOML: .*line 1, column 3"),
        (b"[mqtt]\nhost = '\xff'\n", "line 2 is not UTF-8"),
        (b"a=" + b"[" * 5000, "nested too deeply|broken TOML"),
        (b"#" * (1 << 20) + b"#", "larger than 1048576 bytes"),
    ],
)
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    """With the place to mend."""
    path = tmp_path / "cuebird.toml"
    path.write_bytes(data)

    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    """And a folder is no file."""
    with pytest.raises(ConfigError, match=r"no such file; copy examples/cuebird\.toml"):
        load_config(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="Is a directory"):
        load_config(tmp_path)


def test_the_file_is_found_in_order(tmp_path: Path) -> None:
    """--config, then the environment, then the current folder."""
    with pytest.raises(ConfigError, match="give --config FILE, set CUEBIRD_CONFIG"):
        find_config(environ={}, folder=tmp_path)
    here = written(tmp_path, "")

    assert find_config(environ={}, folder=tmp_path) == here
    assert find_config(environ={"CUEBIRD_CONFIG": "/b"}, folder=tmp_path) == Path("/b")
    assert find_config(Path("/a"), environ={"CUEBIRD_CONFIG": "/b"}, folder=tmp_path) == Path("/a")


def test_the_effective_configuration_loads_again(tmp_path: Path) -> None:
    """It is the same configuration, defaults written out."""
    loaded = load_config(EXAMPLE)
    again = load_config(written(tmp_path, as_toml(loaded, EXAMPLE)))

    assert again == loaded


def test_the_effective_configuration_marks_defaults_and_missing_files_and_masks_addresses(tmp_path: Path) -> None:
    """What a person looks for in it."""
    (tmp_path / "oes.key").write_text("top secret")
    path = written(
        tmp_path, CHANNEL + FIXTURE + DEVICE + "[[feed]]\nid='f'\nchannel='nord'\nurl='https://u:p4ss@h/x?token=t0k&b'\n"
    )
    loaded = load_config(path)

    text = as_toml(loaded, path)
    shown = json.loads(as_json_text(loaded, path))

    assert 'mode = "OFF"  # default' in text
    assert 'url = "https://***@h/x?token=***&b=***"' in text
    assert f'key_file = "{tmp_path}/oes.key"\n' in text
    assert f'state_dir = "{tmp_path}/var"  # default, no such file' in text
    assert {"key": "device[0].key_file", "path": f"{tmp_path}/oes.key", "exists": True} in shown["files"]
    for secret in ("p4ss", "t0k", "top secret"):
        assert secret not in text
        assert secret not in json.dumps(shown)


@pytest.mark.parametrize(
    ("url", "masked"),
    [("udp://:5004", "udp://:5004"), ("http://a@h:1/p", "http://***@h:1/p"), ("http://h/p?k=v#f", "http://h/p?k=***#f")],
)
def test_addresses_keep_what_is_no_secret(url: str, masked: str) -> None:
    """Host, port and path are what one looks for."""
    assert mask_url(url) == masked


def test_a_secret_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    """And a sentence when there is none."""
    path = tmp_path / "secret"
    path.write_text("s3cret\r\n")
    assert read_secret(path) == "s3cret"
    for data in (b"", b"\n", b"\xff", b"x" * 70_000):
        path.write_bytes(data)
        with pytest.raises(ConfigError, match="no secret in it"):
            read_secret(path)
    with pytest.raises(ConfigError, match="No such file"):
        read_secret(tmp_path / "none")


def keys_of(model: type[BaseModel]) -> dict[str, set[str]]:
    """The keys of each table, by the table's name in the file."""
    tables = {}
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        table = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
        tables[field.alias or name] = set(table.model_fields)
    return tables


def test_every_key_is_explained_and_nothing_else() -> None:
    """docs/configuration.md and the models have the same tables and keys."""
    sections = re.split(
        r"^## `\[+(\w+)\]+`$", (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    explained = {
        table: set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE))
        for table, text in zip(sections[1::2], sections[2::2], strict=True)
    }

    assert explained == keys_of(Config)


def test_the_defaults_in_the_documentation_are_true(tmp_path: Path) -> None:
    """Each default beside a key is the model's."""
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    sections = re.split(r"^## `\[+(\w+)\]+`$", text, flags=re.MULTILINE)
    loaded = load_config(written(tmp_path, ""))
    rows = {
        "feed": Feed(id="a", channel="b", url="http://h/a"),
        "marker_source": MarkerSource(id="a", channel="b", url="udp://h:1"),
        "tally": Tally(id="a", url="udp://h:1", display=1),
        "plan_sender": PlanSender(id="a"),
    }
    for table, section in zip(sections[1::2], sections[2::2], strict=True):
        for key, default in re.findall(r"^\| `(\w+)` \| `(.+?)` \|", section, flags=re.MULTILINE):
            value = getattr(rows.get(table) or getattr(loaded, table), key)
            wanted = tomllib.loads(f"x = {default}")["x"]
            shown = value.name if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
            assert shown == wanted, f"{table}.{key}"


def test_the_command_prints_it_as_toml_and_as_json() -> None:
    """`cuebird config` as a person and as a program run it."""
    app = typer.Typer()
    config.register(app)

    for_people = CliRunner().invoke(app, ["--config", str(EXAMPLE)], catch_exceptions=False)
    for_programs = CliRunner().invoke(app, ["--config", str(EXAMPLE), "--json"], catch_exceptions=False)

    assert tomllib.loads(for_people.stdout)["console"]["port"] == 8400
    assert json.loads(for_programs.stdout)["settings"]["console"]["port"] == 8400


@pytest.mark.parametrize("url", ["alsa://hw:1,0", "srt://host:9000?mode=caller#program=2&track=1", "http://host/live.mpd"])
def test_addresses_of_all_kinds_are_feeds(tmp_path: Path, url: str) -> None:
    """What capture opens may be configured."""
    text = f'[[channel]]\nid = "c"\nname = "C"\ntimezone = "UTC"\n[[feed]]\nid = "f"\nchannel = "c"\nurl = "{url}"\n'

    assert load_config(written(tmp_path, text)).feeds[0].url == url


def test_a_wrong_setting_of_an_address_is_named(tmp_path: Path) -> None:
    """Before anything starts."""
    text = '[[channel]]\nid = "c"\nname = "C"\ntimezone = "UTC"\n[[feed]]\nid = "f"\nchannel = "c"\nurl = "udp://h:1#progam=2"\n'

    with pytest.raises(ConfigError, match="there is no setting 'progam'"):
        load_config(written(tmp_path, text))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("evening.ts", "not an address; write for example udp://239.1.1.1:5000"),
        ("http://host/x.ts", "begins with 'http:'; markers come by udp, rtp, srt, file or scte104"),
        ("udp://239.1.1.1", "names no port"),
        ("udp://[x:1", "not an address"),
        ("scte104://", "names no address to listen on; write for example scte104://0.0.0.0:5167"),
        ("scte104://0.0.0.0:x", "not an address"),
    ],
)
def test_addresses_that_are_no_source_of_markers(tmp_path: Path, url: str, words: str) -> None:
    """The sentence names the key, the value and the way out."""
    (problem,) = refused(tmp_path, CHANNEL + f"[[marker_source]]\nid='ts'\nchannel='nord'\nurl='{url}'\n")

    assert f"marker_source[0].url = '{url}'" in problem
    assert words in problem


def test_a_table_of_identifiers_is_printed_so_that_it_can_be_loaded(tmp_path: Path) -> None:
    """Empty and full, with dots and quotes in it."""
    source = "[[marker_source]]\nid='ts{0}'\nchannel='nord'\nurl='udp://h:1'\n"
    path = written(
        tmp_path, CHANNEL + source.format(0) + source.format(1) + "spots = { '10.5/a-\"b' = 'kaffee-30', X = 'tee' }\n"
    )
    loaded = load_config(path)
    again = load_config(written(tmp_path, as_toml(loaded, path)))

    assert [one.spots for one in again.marker_sources] == [{}, {'10.5/a-"b': "kaffee-30", "X": "tee"}]


def test_a_passphrase_of_a_source_of_markers_is_masked(tmp_path: Path) -> None:
    """Neither form of the effective configuration shows it."""
    path = written(tmp_path, CHANNEL + "[[marker_source]]\nid='ts'\nchannel='nord'\nurl='srt://h:1?passphrase=geheim'\n")

    for text in (as_toml(load_config(path), path), as_json_text(load_config(path), path)):
        assert "srt://h:1?passphrase=***" in text
        assert "geheim" not in text


def test_no_two_channels_or_spots_share_an_alias(tmp_path: Path) -> None:
    """A plan's name must mean one thing."""
    two = "".join(f"[[channel]]\nid='{one}'\nname='N'\ntimezone='UTC'\naliases=['TV  One']\n" for one in ("a", "b"))
    with pytest.raises(ConfigError, match=r"channel\[1\]\.aliases: 'TV  One' already names the channel 'a'"):
        load_config(written(tmp_path, two))
    two = "".join(f"[[spot_alias]]\nname='Spring'\nspot='{one}'\n" for one in ("a", "b"))
    with pytest.raises(ConfigError, match=r"spot_alias\[1\]\.name = 'Spring': names two spots"):
        load_config(written(tmp_path, two))
