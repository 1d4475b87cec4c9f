"""`cuebird account` as typed."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from console.commands.account import register
from console.config import ConfigError, load_config
from console.wiring import SEALING_KEY_NAME, open_accounts, sealing_key_file
from sync.accounts import CredentialsError, load_credentials
from sync.sealing import SealingKey, key_name_of

SECRETS = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")


@pytest.fixture
def app() -> typer.Typer:
    whole = typer.Typer()
    register(whole)
    return whole


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two accounts whose keys lie in clear."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    lines = ["[publisher]", "api_base = 'https://127.0.0.1:1'"]
    for name in ("anna", "ben"):
        fields = {"account_id": name, "user_id": "17", "handle": name, **{key: f"secret-{name}-{key}" for key in SECRETS}}
        (tmp_path / f"{name}.json").write_text(json.dumps(fields))
        (tmp_path / f"{name}.json").chmod(0o600)
        lines += ["[[account]]", f"id = '{name}'", f"handle = '{name}'", f"credentials_file = '{name}.json'"]
    path = tmp_path / "cuebird.toml"
    path.write_text("\n".join(lines))
    return path


def run(app: typer.Typer, *words: str, config: Path) -> str:
    done = CliRunner().invoke(app, ["account", *words, "--config", str(config)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert "secret-" not in done.output
    return done.output


def test_keys_are_sealed_in_place_and_the_engine_still_opens_them(app: typer.Typer, config: Path) -> None:
    """The first makes the installation's key; the second uses it; the list tells how each is kept."""
    assert "in clear" in run(app, "list", config=config)
    first = run(app, "seal", "anna", config=config)
    second = run(app, "seal", "ben", config=config)
    kept = json.loads(run(app, "list", "--json", config=config))

    assert "made the key" in first
    assert "made the key" not in second
    key = SealingKey.load(config.parent / "var" / SEALING_KEY_NAME)
    assert [one["kept"] for one in kept["accounts"]] == [f"sealed with {key.name}"] * 2
    assert "secret-" not in (config.parent / "anna.json").read_text()
    open_accounts(load_config(config))


def test_sealing_from_elsewhere_leaves_the_source_and_says_so(app: typer.Typer, config: Path, tmp_path: Path) -> None:
    """And sealing once more is sealing again, not sealing a seal."""
    source = tmp_path / "from-x.json"
    (tmp_path / "anna.json").rename(source)
    said = run(app, "seal", "anna", "--credentials", str(source), config=config)
    run(app, "seal", "anna", config=config)
    key = SealingKey.load(sealing_key_file(load_config(config)))

    assert "still lie in clear" in said
    assert load_credentials(config.parent / "anna.json", key=key).account_id == "anna"


def test_another_accounts_keys_are_refused(app: typer.Typer, config: Path) -> None:
    """When sealing, and when two files were swapped afterwards."""
    with pytest.raises(ConfigError, match="the keys of 'ben', not of 'anna'"):
        run(app, "seal", "anna", "--credentials", str(config.parent / "ben.json"), config=config)
    with pytest.raises(ConfigError, match="'carl': no such account; the configuration has: anna, ben"):
        run(app, "seal", "carl", config=config)
    (config.parent / "ben.json").replace(config.parent / "anna.json")
    (config.parent / "ben.json").write_text((config.parent / "anna.json").read_text())
    with pytest.raises(CredentialsError, match=r"anna\.json: keys of 'ben', not of 'anna'"):
        open_accounts(load_config(config))


def test_a_new_key_seals_everything_again_and_keeps_the_old(app: typer.Typer, config: Path) -> None:
    """What lay in clear stays as it was."""
    run(app, "seal", "anna", config=config)
    path = sealing_key_file(load_config(config))
    old = SealingKey.load(path)
    run(app, "rekey", config=config)
    new = SealingKey.load(path)

    assert new != old
    assert SealingKey.load(path.with_name(f"{path.name}.{old.name}")) == old
    assert load_credentials(config.parent / "anna.json", key=new).account_id == "anna"
    assert key_name_of((config.parent / "ben.json").read_text()) is None


@pytest.mark.parametrize("stopped_after", [1, 2])
def test_a_new_key_that_was_stopped_half_way_is_finished(
    app: typer.Typer, config: Path, monkeypatch: pytest.MonkeyPatch, stopped_after: int
) -> None:
    """Killed between two files: the second run opens each with the key that it names."""
    import sync.accounts

    run(app, "seal", "anna", config=config)
    run(app, "seal", "ben", config=config)
    whole, written = sync.accounts.write_sealed, list[Path]()

    def stops(path: Path, *arguments: object, **named: object) -> None:
        if len(written) == stopped_after - 1:
            raise KeyboardInterrupt
        written.append(path)
        whole(path, *arguments, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(sync.accounts, "write_sealed", stops)
        assert CliRunner().invoke(app, ["account", "rekey", "--config", str(config)]).exit_code == 130
    run(app, "rekey", config=config)
    key = SealingKey.load(sealing_key_file(load_config(config)))

    assert {load_credentials(config.parent / f"{name}.json", key=key).account_id for name in ("anna", "ben")} == {"anna", "ben"}


def test_the_key_may_be_handed_over_by_the_service_manager(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd's LoadCredential; a configured file comes first."""
    handed_over = tmp_path / "credentials"
    SealingKey.make(handed_over / SEALING_KEY_NAME)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(handed_over))
    assert sealing_key_file(load_config(config)) == handed_over / SEALING_KEY_NAME
    config.write_text(config.read_text().replace("[publisher]", "[publisher]\nkey_file = 'mine.key'"))
    assert sealing_key_file(load_config(config)) == tmp_path / "mine.key"


def test_accounts_that_cannot_be_asked_fail_the_check(app: typer.Typer, config: Path) -> None:
    """Nobody listens there: a cross and a sentence each, and exit code 1."""
    done = CliRunner().invoke(app, ["account", "check", "--config", str(config)])

    assert done.exit_code == 1
    assert done.output.count("✗") == 2
    assert "secret-" not in done.output
