"""By what name the broker knows the engine again."""

from pathlib import Path

from console.config import load_config
from console.devices import engine_identifier


def identifier(folder: Path, text: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "cuebird.toml").write_text(text)
    return engine_identifier(load_config(folder / "cuebird.toml"))


def test_each_ledger_has_a_name_of_its_own(tmp_path: Path) -> None:
    """The same over restarts; another engine's would throw it out."""
    one, other = tmp_path / "one", tmp_path / "other"

    assert identifier(one, "") == identifier(one, "") != identifier(other, "")
    assert len(identifier(one, "")) == 31


def test_engines_that_share_a_ledger_share_the_name(tmp_path: Path) -> None:
    """Whoever takes over gets what came in between; who logs in to the database, and how, makes no difference."""
    names = {
        identifier(tmp_path / folder, f'[engine]\nledger = "postgresql://{user}db.example/cuebird"\n')
        for folder, user in (("one", ""), ("other", "engine@"))
    }
    assert len(names) == 1
    assert names != {identifier(tmp_path / "one", '[engine]\nledger = "postgresql://db.example/other"\n')}


def test_the_name_may_be_chosen(tmp_path: Path) -> None:
    """For brokers that let in by name, and for two machines with a file as ledger."""
    assert identifier(tmp_path, '[mqtt]\nclient_id = "engine-1"\n') == "engine-1"
