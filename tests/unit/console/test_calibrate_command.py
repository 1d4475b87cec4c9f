"""`cuebird spots calibrate`: what it keeps, what it refuses, and the way back."""

import wave
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from console.commands import calibration
from console.commands import spots as spots_command
from fingerprints.calibration import SHIPPED, Calibration, write_calibration
from fingerprints.library import SpotLibrary, calibration_path

RUN = CliRunner()
app = typer.Typer()
app.callback()(lambda: None)
spots_command.register(app)
calibration.register(app)


@pytest.fixture
def spots(tmp_path: Path) -> Path:
    """A folder with one spot of coloured noise."""
    folder = tmp_path / "spots"
    folder.mkdir()
    noise = np.random.default_rng(3).standard_normal(48_000)
    write(folder / "noise.wav", 0.1 * noise)
    return folder


def write(path: Path, pcm: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def test_too_little_sound_keeps_nothing(spots: Path, tmp_path: Path) -> None:
    """One sentence that says what is missing; the shipped calibration stays."""
    medium = write(tmp_path / "quiet.wav", 0.001 * np.random.default_rng(4).standard_normal(64_000))
    result = RUN.invoke(app, ["spots", "calibrate", str(medium), "--spots", str(spots)])

    assert result.exit_code == 1
    assert "0 coincidences" in result.stderr
    assert not calibration_path(spots).exists()


def test_the_way_back_to_the_shipped_one(spots: Path) -> None:
    """The folder's own is forgotten, and the threshold is told."""
    flat = Calibration(source="a channel", spot_hours=100.0, count=5000, slope=0.4, largest=30.0)
    write_calibration(calibration_path(spots), flat)
    assert SpotLibrary.open(spots).calibration == flat
    result = RUN.invoke(app, ["spots", "calibrate", "--shipped", "--spots", str(spots)])

    assert result.exit_code == 0
    assert "threshold" in result.stdout
    assert SpotLibrary.open(spots).calibration == SHIPPED


@pytest.mark.parametrize("arguments", [[], ["--shipped", "x.wav"]])
def test_recordings_or_the_way_back_not_both(spots: Path, arguments: list[str]) -> None:
    """A mistake on the command line is one sentence."""
    result = RUN.invoke(app, ["spots", "calibrate", *arguments, "--spots", str(spots)])

    assert result.exit_code == 2
    assert "name recordings, or give --shipped" in result.stderr.replace("\n", " ").replace("│", "").replace("  ", " ")


def test_a_recording_that_cannot_be_read_is_named(spots: Path, tmp_path: Path) -> None:
    """With its reason."""
    result = RUN.invoke(app, ["spots", "calibrate", str(tmp_path / "none.wav"), "--spots", str(spots)])

    assert result.exit_code == 1
    assert "none.wav" in result.stderr
