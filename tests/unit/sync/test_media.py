"""What a cue says of its media: which go together, what an approval covers, where copies are kept."""

from pathlib import Path
from typing import Any

import pytest

from sync.cues import Catalogue, Cue, cue_from_json, cue_warnings, parse_cues, read_cues
from sync.errors import CueError, MediaError
from sync.media import Media, media_by_text, media_fault
from sync.media_files import MediaStore
from tests.media_makers import animation, mp4, png

HEAD = """
[[cue]]
id = "kaffee"
name = "Kaffee"
author = "marta"
account = "anna"
variants = ["One. #ad", "Two. #ad"]
"""
TAIL = """
[cue.on]
kind = "spot"
spots = ["kaffee-30"]
channel = "nord"
"""


def written(folder: Path, media: str) -> Path:
    (folder / "pictures").mkdir(exist_ok=True)
    (folder / "pictures" / "cup.png").write_bytes(png())
    (folder / "fizz.gif").write_bytes(animation())
    (folder / "film.mp4").write_bytes(mp4())
    path = folder / "cues.toml"
    path.write_text(HEAD + media + TAIL)
    return path


def cue_of(folder: Path, media: str) -> Cue:
    (cue,) = read_cues(written(folder, media))
    return cue


def medium(**changes: Any) -> Media:
    values: dict[str, Any] = {"file": "a.png", "sha256": "a" * 64, "media_type": "image/png", "category": "tweet_image"}
    return Media(**{**values, "size_bytes": 9, "width": 4, "height": 4, **changes})


def test_media_are_read_beside_the_cue_file(tmp_path: Path) -> None:
    """Checked, hashed, and given to the variants they are for."""
    cue = cue_of(tmp_path, 'media = [{ file = "pictures/cup.png", alt = "a cup", variants = [2] }]\nmedia_fallback = "text"')
    (cup,) = cue.media
    assert (cup.media_type, cup.width, cup.alt, cup.variants) == ("image/png", 64, "a cup", (2,))
    assert media_by_text(cue.media, enumerate(cue.variants, start=1)) == {"Two. #ad": (cup,)}
    assert cue_from_json(cue.canonical_json()) == cue


def test_an_approval_covers_the_bytes_the_alternative_text_and_the_fallback(tmp_path: Path) -> None:
    """Each of them makes another hash, which nobody has approved; without media the hash is what it always was."""
    row = '{ file = "pictures/cup.png", alt = "a cup" }'
    before = cue_of(tmp_path, f"media = [{row}]").sha256()
    assert cue_of(tmp_path, f"media = [{row}]").sha256() == before
    assert cue_of(tmp_path, f'media = [{row}]\nmedia_fallback = "text"').sha256() != before
    assert cue_of(tmp_path, 'media = [{ file = "pictures/cup.png", alt = "a mug" }]').sha256() != before
    path = written(tmp_path, f"media = [{row}]")
    (tmp_path / "pictures" / "cup.png").write_bytes(png("blue"))
    assert read_cues(path)[0].sha256() != before
    assert '"media' not in cue_of(tmp_path, "").canonical_json()


@pytest.mark.parametrize(
    ("media", "told"),
    [
        ('media = [{ file = "none.png" }]', "none.png: cannot be read"),
        ('media = [{ file = "cues.toml" }]', "neither a picture nor a video"),
        ('media = [{ file = "film.mp4" }, { file = "pictures/cup.png" }]', "variant 1 has a video"),
        ('media = [{ file = "fizz.gif" }, { file = "pictures/cup.png", variants = [2] }]', "variant 2 has a GIF"),
        ('media = [{ file = "pictures/cup.png" }, { file = "pictures/cup.png" }]', "the same file twice"),
        ('media = [{ file = "pictures/cup.png", variants = [3] }]', "3, but there are 2 variants"),
        ('media = [{ file = "film.mp4", alt = "a film" }]', "alternative text for images and GIFs only"),
        ('media_fallback = "text"', "the cue has no media"),
        ('media_fallback = "later"', "media_fallback"),
        ('media = [{ file = "film.mp4", alt_text = "a film" }]', "alt_text"),
    ],
)
def test_media_that_cannot_be_stop_the_import(tmp_path: Path, media: str, told: str) -> None:
    """With the file, the cue and what is wrong."""
    path = written(tmp_path, media)
    with pytest.raises(CueError, match=told) as refused:
        read_cues(path)
    assert str(refused.value).startswith(f"{path}: cue kaffee: ")


def test_five_images_are_one_too_many() -> None:
    """Four go together."""
    images = [medium(sha256=str(number) * 64) for number in range(5)]
    assert media_fault(images[:4], variants=1) == ""
    assert "5 images" in media_fault(images, variants=1)


def test_cues_without_a_folder_have_no_media() -> None:
    """What does not come from a file cannot name one."""
    with pytest.raises(CueError, match="import them from a file"):
        parse_cues((HEAD + 'media = [{ file = "a.png" }]' + TAIL).encode(), source="form")


def test_a_picture_without_alternative_text_is_warned_of(tmp_path: Path) -> None:
    """A video takes none."""
    assert "has no alt text" in cue_warnings(cue_of(tmp_path, 'media = [{ file = "fizz.gif" }]'), Catalogue())[0]
    assert cue_warnings(cue_of(tmp_path, 'media = [{ file = "film.mp4" }]'), Catalogue()) == ()


def test_copies_lie_under_their_hash(tmp_path: Path) -> None:
    """What was imported stays what it was, whatever becomes of the file."""
    cue = cue_of(tmp_path, 'media = [{ file = "pictures/cup.png" }]')
    store = MediaStore(tmp_path / "state" / "media")
    assert "cannot be read" in store.fault(cue.media[0])
    store.keep(cue.media, tmp_path)
    (tmp_path / "pictures" / "cup.png").unlink()
    assert store.fault(cue.media[0]) == ""
    assert store.path_of(cue.media[0]).name == f"{cue.media[0].sha256}.png"
    store.path_of(cue.media[0]).write_bytes(png("blue"))
    assert "has changed since it was imported" in store.fault(cue.media[0])


def test_a_file_that_changes_while_it_is_imported_is_not_kept(tmp_path: Path) -> None:
    """The copy is what was checked, or there is none."""
    cue = cue_of(tmp_path, 'media = [{ file = "pictures/cup.png" }]')
    (tmp_path / "pictures" / "cup.png").write_bytes(png("blue"))
    store = MediaStore(tmp_path / "media")
    with pytest.raises(MediaError, match="changed while it was imported"):
        store.keep(cue.media, tmp_path)
    assert list(store.folder.iterdir()) == []
