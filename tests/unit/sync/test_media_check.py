"""Files are decoded to their end and held against X's rules; the sentence names the file, the value and the fix."""

from pathlib import Path

import pytest

from sync.errors import MediaError
from sync.media_check import check_media
from tests.media_makers import animation, mp4, picture, png


def written(folder: Path, content: bytes) -> Path:
    path = folder / "goal"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "media_type", "category"),
    [
        (png(), "image/png", "tweet_image"),
        (picture(form="JPEG"), "image/jpeg", "tweet_image"),
        (picture(form="WEBP"), "image/webp", "tweet_image"),
        (picture(form="GIF", mode="P"), "image/gif", "tweet_image"),
        (animation(), "image/gif", "tweet_gif"),
        (mp4(), "video/mp4", "tweet_video"),
        (mp4(channels="stereo"), "video/mp4", "tweet_video"),
    ],
)
def test_what_x_takes_is_taken(tmp_path: Path, content: bytes, media_type: str, category: str) -> None:
    """By what is in the file, not by its name."""
    checked = check_media(written(tmp_path, content))
    assert (checked.media_type, checked.category, checked.size_bytes) == (media_type, category, len(content))
    assert (checked.width, checked.height) in {(64, 48), (64, 64)}


def test_length_is_that_of_what_was_decoded(tmp_path: Path) -> None:
    """Of a video and of an animation; a picture has none."""
    assert check_media(written(tmp_path, mp4(seconds=2.0))).duration_ms == 2000
    assert check_media(written(tmp_path, animation(frames=4))).duration_ms == 400
    assert check_media(written(tmp_path, png())).duration_ms == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"hello", "neither a picture nor a video"),
        (b"", "neither a picture nor a video"),
        (picture(400, 300)[:-60], "cannot be decoded"),
        (picture(64, 48, form="BMP"), "neither a picture nor a video"),
        (picture(3, 90), "3×90 pixels"),
        (picture(8193, 4), "8193×4 pixels"),
        (picture(form="JPEG", mode="CMYK"), "CMYK"),
        (animation(form="WEBP"), "animated WEBP"),
        (animation(1281, 10), "at most 1280×1080"),
        (animation(4, 4, frames=351), "351 frames"),
        (mp4()[:900], "cannot be decoded"),
        (mp4(seconds=0.4), "0.4 s long"),
        (mp4(1922, 1080, seconds=0.1), "1922×1080 pixels"),
        (mp4(200, 64, seconds=0.1), "as 1:3 to 3:1"),
        (mp4(pixels="yuv444p", seconds=0.1), "yuv444p"),
        (mp4(codec="mpeg4", seconds=0.1), "mpeg4; X takes H.264"),
        (mp4(rate=100, seconds=0.1), "100.0 frames a second"),
        (mp4(channels="5.1"), "6 channels"),
    ],
)
def test_what_x_refuses_is_refused_here(tmp_path: Path, content: bytes, told: str) -> None:
    """Before anybody approves it."""
    path = written(tmp_path, content)
    with pytest.raises(MediaError, match=told) as refused:
        check_media(path)
    assert str(refused.value).startswith(f"{path}: ")


def test_files_too_large_are_not_opened(tmp_path: Path) -> None:
    """The size is judged first."""
    path = written(tmp_path, png())
    with path.open("r+b") as file:
        file.truncate(5 * 1024 * 1024 + 1)
    with pytest.raises(MediaError, match=r"5\.0 MB; a picture of this kind has at most 5 MB"):
        check_media(path)
    with pytest.raises(MediaError, match="cannot be read"):
        check_media(tmp_path / "nothing.png")
