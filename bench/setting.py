"""How large a run is, and where it keeps what it has already measured."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One run's size.

    Attributes:
        name: `quick` or `full`.
        seed: decides the corpus, the mixes and the noise.
        n_spots: different spots that air, once in each condition.
        n_library: spots the thresholds are for; all but those that air are heads.
        batch: airings a stream.
        aired_s: how much of its spot an airing carries: most of it, as on air.
        impostor_hours: programme without spots.
        impostor_core_s: core seconds the impostors may take; past it fewer library spots are played against.
        library_core_s: the same for the headline conditions against the whole library.
        n_peers: airings on which the other methods are measured.
    """

    name: str
    seed: int = 7
    n_spots: int
    n_library: int = 10_000
    batch: int = 24
    aired_s: float = 8.0
    impostor_hours: float
    impostor_core_s: float
    library_core_s: float
    n_peers: int


QUICK: Final = Setting(name="quick", n_spots=16, batch=16, impostor_hours=0.25, impostor_core_s=60, library_core_s=60, n_peers=12)
FULL: Final = Setting(
    name="full", n_spots=120, batch=40, impostor_hours=25.0, impostor_core_s=36_000, library_core_s=36_000, n_peers=60
)


class Store:
    """Results by name, one JSON file each, so that an interrupted run goes on where it was.

    They are kept under a hash of the setting and of every source file that can change them: a changed matcher starts afresh.
    """

    def __init__(self, folder: Path, setting: Setting) -> None:
        sources = [*Path(__file__).parent.glob("*.py"), *(Path(__file__).parents[1] / "fingerprints").glob("*.py")]
        digest = hashlib.sha256(json.dumps(asdict(setting)).encode())
        for path in sorted(sources):
            if path.name not in {"report.py", "plots.py", "example_programme.py", "posting.py"}:
                digest.update(path.read_bytes())
        self.folder = folder / "state" / f"{setting.name}-{digest.hexdigest()[:12]}"
        self.folder.mkdir(parents=True, exist_ok=True)

    def get(self, name: str) -> Any:
        """What was kept under a name, None when nothing was."""
        path = self._path(name)
        return json.loads(path.read_text()) if path.exists() else None

    def put(self, name: str, value: Any) -> None:
        """Keep a result; it appears whole or not at all."""
        part = self._path(name).with_suffix(".part")
        part.write_text(json.dumps(value))
        part.replace(self._path(name))

    def _path(self, name: str) -> Path:
        return self.folder / (hashlib.sha256(name.encode()).hexdigest()[:24] + ".json")
