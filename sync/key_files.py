"""Keys of 32 bytes, each in a file of its own that nobody else may read: 64 hex digits, as `openssl rand -hex 32` makes them."""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from sync.errors import SyncError

KEY_BYTES: Final = 32
_FILE_BYTES_MAX: Final = 4096
_OPEN_TO_OTHERS: Final = stat.S_IWGRP | stat.S_IRWXO
"""Reading by the group is left alone: the list of rights by which systemd hands a credential over shows as that."""


class KeyFileError(SyncError):
    """A key's file is missing, open to others, holds no key, or cannot be written."""


def read_key(path: Path) -> bytes:
    """The key in a file.

    Raises:
        KeyFileError: it cannot be read, others may read it, or it holds no key.
    """
    try:
        with path.open("rb") as file:
            mode, data = os.fstat(file.fileno()).st_mode, file.read(_FILE_BYTES_MAX)
    except OSError as error:
        raise KeyFileError(f"key {path}: {error.strerror}; a key is read from it: put it back") from error
    try:
        key = bytes.fromhex(data.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFileError(f"key {path}: no key in it; a key is {2 * KEY_BYTES} hex digits")
    if mode & _OPEN_TO_OTHERS:
        raise KeyFileError(f"key {path}: others may read it ({stat.S_IMODE(mode):04o}); run: chmod 600 {path}")
    return key


def make_key(path: Path) -> bytes:
    """The key in a file, a new one if there is no such file; whoever comes second reads what the first wrote.

    Raises:
        KeyFileError: it cannot be written, or as `read_key`.
    """
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    except OSError as error:
        raise KeyFileError(f"key {path}: {error.strerror}; a key must be written there") from error
    return read_key(path)
