"""A disk that becomes full, twice over: a small file system of its own, and a limit to the size of an engine's files."""

import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

SIZE_MIB = 192
"""More than the write-ahead log grows to before it is copied back (80 MB, `sync.database.WAL_PAGES_MAX`)."""
_FILLER = "filler"
_SMALL_BYTES = 4096
"""A database's first page: nothing can be added to a file that is longer, and the database and its log are."""


class SmallDisk:
    """A file system in memory for one folder, where this process may mount one.

    Attributes:
        mounted: whether there is one; otherwise only `limit_files` makes disks full.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "cuebird-chaos", str(folder)]
        try:
            self.mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        except OSError:
            self.mounted = False

    def fill(self) -> None:
        """Leave no room."""
        with (self._folder / _FILLER).open("wb") as filler:
            block = 1 << 20
            while block:
                try:
                    os.write(filler.fileno(), b"\0" * block)
                except OSError:
                    block //= 2

    def make_room(self) -> None:
        """Give the room back."""
        (self._folder / _FILLER).unlink(missing_ok=True)

    def release(self) -> None:
        """Unmount it; what was on it is in the folder then."""
        if not self.mounted:
            return
        self.make_room()
        with tempfile.TemporaryDirectory(dir=self._folder.parent) as kept:
            shutil.copytree(self._folder, kept, dirs_exist_ok=True)
            subprocess.run(["umount", "-l", str(self._folder)], capture_output=True, check=False)
            shutil.copytree(kept, self._folder, dirs_exist_ok=True)
        self.mounted = False


def limit_files(pid: int, *, limited: bool) -> None:
    """Let no file of a process grow any more (its writes then fail), or let them grow again."""
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (_SMALL_BYTES if limited else most, most))
