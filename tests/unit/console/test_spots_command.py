"""`cuebird spots` and the small talk of `cuebird scan`."""

import json
import wave
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from console.commands import spots

RUNNER = CliRunner()


@pytest.fixture
def app() -> typer.Typer:
    """A root with only these verbs."""
    app = typer.Typer()
    spots.register(app)
    return app


def _wav(path: Path, *, seed: int, length_s: float = 3.0, head_seed: int | None = None) -> Path:
    """Bursts of noise of changing colour; the first 1.5 s from another seed if one is given."""
    pcm = _bursts(seed, length_s)
    if head_seed is not None:
        pcm[:24_000] = _bursts(head_seed, 1.5)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((pcm * 20_000).astype("<i2").tobytes())
    return path


def _bursts(seed: int, length_s: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    rng = np.random.default_rng(seed)
    t = np.arange(round(length_s * 16_000)) / 16_000
    pcm = np.zeros(len(t))
    for pitch_hz in rng.uniform(200, 5000, 24):
        pcm += np.sin(2 * np.pi * pitch_hz * t) * (np.sin(2 * np.pi * rng.uniform(1, 9) * t + rng.uniform(0, 6)) > 0) / 24
    return pcm


def test_add_list_check_remove(app: typer.Typer, tmp_path: Path) -> None:
    """A spot's life, as a media buyer sees it."""
    folder = tmp_path / "spots"
    long, short = _wav(tmp_path / "a.wav", seed=1, head_seed=9), _wav(tmp_path / "b.wav", seed=2, head_seed=9)
    added = RUNNER.invoke(app, ["spots", "add", str(long), str(short), "--spots", str(folder)])
    assert added.stdout.startswith("a: 3.0 s added\nb: 3.0 s added\na and b begin alike")
    assert "Fire on the group" in added.stdout
    assert "a: -21.5 LUFS, +1.5 LU from the -23 of EBU R 128" in added.stderr

    listed = json.loads(RUNNER.invoke(app, ["spots", "list", "--spots", str(folder), "--json"]).output)
    checked = json.loads(RUNNER.invoke(app, ["spots", "check", "--spots", str(folder), "--json"]).output)
    told = RUNNER.invoke(app, ["spots", "check", "--spots", str(folder)]).output
    assert [spot["id"] for spot in listed["spots"]] == ["a", "b"]
    assert checked["groups"] == [["a", "b"]]
    assert checked["alike"][0]["until_s"] == pytest.approx(1.5, abs=0.1)
    assert "a and b begin alike and cannot be told apart until 1.5" in told

    assert RUNNER.invoke(app, ["spots", "remove", "a", "--spots", str(folder)]).output == "a: a.wav deleted\n"
    assert "b.wav" in RUNNER.invoke(app, ["spots", "list", "--spots", str(folder)]).output


def test_a_file_that_is_no_spot_fails_the_check(app: typer.Typer, tmp_path: Path) -> None:
    """Exit code 1 and one sentence with the file's name."""
    _wav(tmp_path / "short.wav", seed=1, length_s=0.5)
    checked = RUNNER.invoke(app, ["spots", "check", "--spots", str(tmp_path)])

    assert checked.exit_code == 1
    assert "short.wav: 0.5 s audible; a spot needs at least 2 s" in checked.output


def test_adding_a_bad_file_does_not_stop_the_others(app: typer.Typer, tmp_path: Path) -> None:
    """Each file is judged by itself; the exit code tells that one failed."""
    bad, good = _wav(tmp_path / "bad.wav", seed=1, length_s=0.5), _wav(tmp_path / "good.wav", seed=2)
    added = RUNNER.invoke(app, ["spots", "add", str(bad), str(good), "--spots", str(tmp_path / "spots")])

    assert added.exit_code == 1
    assert "good: 3.0 s added" in added.output
    assert "bad.wav: 0.5 s" in added.output


def test_one_id_cannot_name_two_files(app: typer.Typer, tmp_path: Path) -> None:
    """A wrong command line, exit code 2."""
    added = RUNNER.invoke(app, ["spots", "add", "a.wav", "b.wav", "--id", "x", "--spots", str(tmp_path)])

    assert added.exit_code == 2


def test_scanning_for_no_spots_says_so(app: typer.Typer, tmp_path: Path) -> None:
    """An empty folder is a mistake, not a clean bill."""
    scanned = RUNNER.invoke(app, ["scan", "x.wav", "--spots", str(tmp_path)])

    assert scanned.exit_code == 1
    assert "no spot to look for" in scanned.output


def test_scan_prints_columns_for_people(app: typer.Typer, tmp_path: Path) -> None:
    """Two rows an airing: when it began and how it ended."""
    spot = _wav(tmp_path / "kaffee.wav", seed=5)
    scanned = RUNNER.invoke(app, ["scan", str(spot), "--spots", str(tmp_path)])

    assert scanned.exit_code == 0
    began, ended = scanned.output.splitlines()
    assert "kaffee" in began
    assert "decided after" in began
    assert "100% of it heard" in ended


def test_adding_tells_programs_everything(app: typer.Typer, tmp_path: Path) -> None:
    """Loudness, identifiers, warnings and collisions in one object."""
    folder = str(tmp_path / "spots")
    RUNNER.invoke(app, ["spots", "add", str(_wav(tmp_path / "a.wav", seed=1, head_seed=9)), "--spots", folder])
    second = str(_wav(tmp_path / "b.wav", seed=2, head_seed=9))
    options = ["--isci", "abcd1234", "--clock-number", "dir/corp001/030", "--campaign", "Winter", "--version", "short"]
    added = RUNNER.invoke(app, ["spots", "add", second, "--spots", folder, *options, "--json"])
    told = json.loads(added.stdout)
    listed = json.loads(RUNNER.invoke(app, ["spots", "list", "--spots", folder, "--json"]).stdout)

    (record,) = told["added"]
    assert record["spot"] == "b"
    assert record["identifiers"] == {"isci": "ABCD1234", "clock_number": "DIR/CORP001/030"}
    assert (record["campaign"], record["version"]) == ("Winter", "short")
    assert [warning["about"] for warning in record["warnings"]] == ["loudness", "length"]
    assert [(one["kind"], one["spots"]) for one in told["collisions"]] == [("heads alike", ["a", "b"])]
    assert listed["spots"][1]["identifiers"] == record["identifiers"]


def test_a_mistyped_identifier_refuses_the_spot(app: typer.Typer, tmp_path: Path) -> None:
    """Nothing is copied, and the sentence shows the right form."""
    source = str(_wav(tmp_path / "a.wav", seed=1))
    added = RUNNER.invoke(app, ["spots", "add", source, "--spots", str(tmp_path / "spots"), "--ad-id", "0BAD"])

    assert added.exit_code == 1
    assert "Ad-ID '0BAD': not in its form" in added.stderr
    assert not (tmp_path / "spots" / "a.wav").exists()


def test_removing_a_spot_removes_what_was_said_of_it(app: typer.Typer, tmp_path: Path) -> None:
    """A later spot of the same id does not inherit its identifiers."""
    folder = tmp_path / "spots"
    RUNNER.invoke(app, ["spots", "add", str(_wav(tmp_path / "a.wav", seed=1)), "--spots", str(folder), "--isci", "ABCD1234"])
    assert (folder / "a.spot.json").exists()
    RUNNER.invoke(app, ["spots", "remove", "a", "--spots", str(folder)])

    assert not list(folder.glob("[!.]*"))


def test_showing_writes_a_picture_or_says_why_not(app: typer.Typer, tmp_path: Path) -> None:
    """A PNG file; an unknown spot is exit code 1."""
    _wav(tmp_path / "a.wav", seed=1)
    shown = RUNNER.invoke(app, ["spots", "show", "a", "--spots", str(tmp_path), "--out", str(tmp_path / "a.png")])
    unknown = RUNNER.invoke(app, ["spots", "show", "b", "--spots", str(tmp_path), "--out", str(tmp_path / "b.png")])

    assert shown.exit_code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert unknown.exit_code == 1
    assert "b: no such spot" in unknown.stderr


def test_rates_that_are_no_numbers_are_a_wrong_command_line(app: typer.Typer, tmp_path: Path) -> None:
    """Exit code 2 for words, 1 with a sentence for a rate nobody plays spots at."""
    _wav(tmp_path / "a.wav", seed=1)
    words = RUNNER.invoke(app, ["scan", "x.wav", "--spots", str(tmp_path), "--rates", "fast"])
    wild = RUNNER.invoke(app, ["scan", "x.wav", "--spots", str(tmp_path), "--tempos", "3"])

    assert words.exit_code == 2
    assert wild.exit_code == 1
