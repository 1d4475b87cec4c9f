"""A key's file: made once, private, and read for what it is."""

import stat
from pathlib import Path

import pytest

from sync.key_files import KEY_BYTES, KeyFileError, make_key, read_key
from sync.sealing import SealingKey


def test_a_key_is_made_once_private_and_read_again(tmp_path: Path) -> None:
    """Whoever asks a second time gets the first one's; nothing else is left in the folder, and it is never printed."""
    path = tmp_path / "state" / "cuebird.key"
    key = make_key(path)

    assert len(key) == KEY_BYTES
    assert make_key(path) == read_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["cuebird.key"]
    assert key.hex() not in repr(SealingKey.load(path))


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o601])
def test_a_key_that_is_open_to_others_is_refused_with_the_command_that_mends_it(tmp_path: Path, mode: int) -> None:
    """Reading by the group is left alone: so a credential looks that systemd hands over."""
    path = tmp_path / "cuebird.key"
    key = make_key(path)
    path.chmod(0o440)
    assert read_key(path) == key
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=rf"others may read it \({mode:04o}\); run: chmod 600"):
        read_key(path)


@pytest.mark.parametrize("content", [b"", b"c0ffee\n", b"not hex", "\u00e4".encode() * 64, b"00" * 33])
def test_what_is_no_key_is_refused_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    """Half a file, words, bytes that are no text, too much; and what is there is not written over."""
    path = tmp_path / "cuebird.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=r"no key in it; a key is 64 hex digits$"):
        make_key(path)
    assert path.read_bytes() == content


def test_a_missing_key_and_a_folder_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    """The file, the cause and what to do."""
    with pytest.raises(KeyFileError, match=r"none: No such file or directory; .* put it back"):
        read_key(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileError, match="a key must be written there"):
        make_key(tmp_path / "file" / "cuebird.key")
