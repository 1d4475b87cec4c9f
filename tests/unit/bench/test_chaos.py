"""The parts of `cuebird chaos` that need no process: hooks that still find what they hook, plans, fuses, a small disk."""

import itertools
import subprocess
import sys
from pathlib import Path

from bench.chaos.blows import Kind, plan
from bench.chaos.disk import SmallDisk
from bench.chaos.scene import FIXTURES, devices, scene
from bench.chaos.steps import Fuse, Step, lay_fuse

HOOKS = """
from pathlib import Path
from bench.chaos.bugs import BUGS
from bench.chaos.steps import Fuse, install
install(Fuse(Path("nowhere")))
for plant in BUGS.values():
    plant()
"""


def test_every_step_and_bug_finds_the_engine_it_hooks() -> None:
    """The engine's functions have the names by which they are wrapped."""
    done = subprocess.run([sys.executable, "-c", HOOKS], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_plan_is_its_seeds() -> None:
    """The same seed strikes the same blows; another one does not."""
    first, again, other = (list(itertools.islice(plan(seed), 60)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_step_and_every_process_has_its_turn() -> None:
    """Within a hundred blows, whatever the seed; what needs a database server or a small disk only where there is one."""
    for seed in range(20):
        blows = list(itertools.islice(plan(seed, full=True), 100))
        assert {blow.step for blow in blows if blow.step} == set(Step)
        assert {blow.kind for blow in blows} == set(Kind) - {Kind.DATABASE}
    assert Kind.FULL not in {blow.kind for blow in itertools.islice(plan(1), 100)}
    kinds = {blow.kind for blow in itertools.islice(plan(1, postgresql=True), 100)}
    assert Kind.DATABASE in kinds
    assert Kind.LIMITED not in kinds


def test_a_fuse_that_is_not_laid_ends_nothing(tmp_path: Path) -> None:
    """Without a file, at another step, or taken away again: the process lives on."""
    fuse = Fuse(tmp_path)
    fuse.read()
    fuse.reached(Step.CLAIMED)
    lay_fuse(tmp_path, Step.CLAIMED, 2)
    fuse.read()
    fuse.reached(Step.ANSWERED)
    fuse.reached(Step.CLAIMED)
    lay_fuse(tmp_path, None)
    fuse.read()
    fuse.reached(Step.CLAIMED)


def test_goals_of_a_scene_have_texts_of_their_own() -> None:
    """One account posts for one cue: a text that arrives twice was sent twice."""
    cues = scene().cues
    assert len({cue.account_id for cue in cues}) == len(cues)
    assert {device.fixture for device in devices()} == set(FIXTURES)


def test_what_was_on_a_small_disk_is_in_its_folder_afterwards(tmp_path: Path) -> None:
    """Whether or not one may be mounted here."""
    disk = SmallDisk(tmp_path / "ledger")
    (tmp_path / "ledger" / "kept").write_text("kept")
    disk.release()
    assert not disk.mounted
    assert (tmp_path / "ledger" / "kept").read_text() == "kept"
