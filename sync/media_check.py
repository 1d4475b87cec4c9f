"""Whether a file is a picture or a video that X takes: it is decoded to its end, and measured.

Source: X's media best practices and upload reference, August 2026; each limit says which.
"""

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sync.errors import MediaError
from sync.media import Category

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

READ_BYTES = 1 << 20
_MB = 1024 * 1024
IMAGE_BYTES_MAX, GIF_BYTES_MAX, VIDEO_BYTES_MAX = 5 * _MB, 15 * _MB, 512 * _MB
IMAGE_SIDE_MIN, IMAGE_SIDE_MAX = 4, 8192
GIF_WIDTH_MAX, GIF_HEIGHT_MAX, GIF_FRAMES_MAX, GIF_PIXELS_MAX = 1280, 1080, 350, 300_000_000
"""The pixels are those of all frames together."""
VIDEO_SIDE_MIN, VIDEO_LONG_SIDE_MAX, VIDEO_SHORT_SIDE_MAX = 32, 1920, 1200
VIDEO_RATIO_MAX = 3.0
"""Aspect from 1:3 to 3:1."""
VIDEO_S_MIN, VIDEO_S_MAX = 0.5, 140.0
VIDEO_FPS_MAX = 60.0
_HELD_IN = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a file turned out to be."""

    sha256: str
    media_type: str
    category: Category
    size_bytes: int
    width: int
    height: int
    duration_ms: int = 0


def check_media(path: Path) -> Checked:
    """What the file is. Takes seconds for a long video.

    Raises:
        MediaError: X would not take it; the sentence names the file, the value and what to write instead.
    """
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if head[4:8] == b"ftyp":
        _limit(path, size_bytes, VIDEO_BYTES_MAX, "a video")
        return _check_video(path, size_bytes)
    # A larger one is not even opened: what a picture holds is not known before it is decoded.
    _limit(path, size_bytes, GIF_BYTES_MAX if head.startswith(b"GIF8") else IMAGE_BYTES_MAX, "a picture of this kind")
    return _check_picture(path, size_bytes)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(READ_BYTES):
            digest.update(part)
    return digest.hexdigest()


def _limit(path: Path, size_bytes: int, most: int, what: str) -> None:
    if size_bytes > most:
        raise MediaError(f"{path}: {size_bytes / _MB:.1f} MB; {what} has at most {most // _MB} MB: make it smaller")


# --- pictures -----------------------------------------------------------------------------------


def _check_picture(path: Path, size_bytes: int) -> Checked:
    from PIL import Image, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # its sides are judged here, before it is decoded
        try:
            with Image.open(path, formats=tuple(_HELD_IN)) as image:
                for fault in _picture_faults(image, size_bytes):
                    raise MediaError(f"{path}: {fault}")
                duration_ms = _decoded_ms(image)
                moving = getattr(image, "n_frames", 1) > 1
                return Checked(
                    sha256=sha256_of(path),
                    media_type=_HELD_IN[str(image.format)],
                    category="tweet_gif" if moving else "tweet_image",
                    size_bytes=size_bytes,
                    width=image.width,
                    height=image.height,
                    duration_ms=duration_ms,
                )
        except UnidentifiedImageError as error:
            raise MediaError(f"{path}: neither a picture nor a video X takes; save it as JPEG, PNG, WebP, GIF or MP4") from error
        except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
            raise MediaError(f"{path}: cannot be decoded ({error}); save the picture again") from error


def _picture_faults(image: "ImageFile", size_bytes: int) -> Iterator[str]:
    width, height, frames = image.width, image.height, getattr(image, "n_frames", 1)
    sides = f"{width}×{height} pixels"
    if min(width, height) < IMAGE_SIDE_MIN or max(width, height) > IMAGE_SIDE_MAX:
        yield f"{sides}; each side has {IMAGE_SIDE_MIN} to {IMAGE_SIDE_MAX}: scale it"
    if frames == 1 and size_bytes > IMAGE_BYTES_MAX:
        yield f"{size_bytes / _MB:.1f} MB; an image has at most {IMAGE_BYTES_MAX // _MB} MB: make it smaller"
    if image.mode == "CMYK":
        yield "its colours are CMYK; save it as RGB"
    if frames == 1:
        return
    if image.format != "GIF":
        yield f"an animated {image.format}; X animates GIFs only: save it as GIF or MP4"
    if width > GIF_WIDTH_MAX or height > GIF_HEIGHT_MAX:
        yield f"{sides}; an animated GIF has at most {GIF_WIDTH_MAX}×{GIF_HEIGHT_MAX}: scale it, or save it as MP4"
    if frames > GIF_FRAMES_MAX or frames * width * height > GIF_PIXELS_MAX:
        most = f"{GIF_FRAMES_MAX} frames and {GIF_PIXELS_MAX:,} pixels in all"
        yield f"{frames} frames of {sides}; a GIF has at most {most}: save it as MP4"


def _decoded_ms(image: "ImageFile") -> int:
    """How long it lasts, with every frame decoded."""
    duration_ms = 0
    frames = getattr(image, "n_frames", 1)
    for number in range(frames):
        image.seek(number)
        image.load()
        duration_ms += int(image.info.get("duration", 0)) if frames > 1 else 0
    return duration_ms


# --- video --------------------------------------------------------------------------------------


def _check_video(path: Path, size_bytes: int) -> Checked:
    import av

    try:
        with av.open(str(path), "r") as container:
            if not container.streams.video:
                raise MediaError(f"{path}: no picture in it; X takes videos, not sound alone")
            video, frames, ends_s = container.streams.video[0], 0, 0.0
            for fault in (*_video_faults(video), *_audio_faults(container)):
                raise MediaError(f"{path}: {fault}")
            video.thread_type = "AUTO"
            for frame in container.decode(*container.streams.video[:1], *container.streams.audio[:1]):
                if isinstance(frame, av.VideoFrame):
                    frames += 1
                    ends_s = max(ends_s, (frame.time or 0.0) + 1 / float(video.average_rate or 25))
                    if frame.interlaced_frame:
                        raise MediaError(f"{path}: interlaced; save it with progressive scan")
            width, height = video.width, video.height
    except (av.FFmpegError, ValueError) as error:
        raise MediaError(f"{path}: cannot be decoded ({error}); encode the video again as MP4 with H.264 and AAC") from error
    if not VIDEO_S_MIN <= ends_s <= VIDEO_S_MAX:
        raise MediaError(f"{path}: {ends_s:.1f} s long; a video lasts {VIDEO_S_MIN} to {VIDEO_S_MAX:.0f} s: cut it")
    return Checked(
        sha256=sha256_of(path),
        media_type="video/mp4",
        category="tweet_video",
        size_bytes=size_bytes,
        width=width,
        height=height,
        duration_ms=round(ends_s * 1000),
    )


def _video_faults(video: Any) -> Iterator[str]:
    context = video.codec_context
    if context.name != "h264":
        yield f"its video is {context.name}; X takes H.264: encode it again"
    if context.pix_fmt not in ("yuv420p", "yuvj420p"):
        yield f"its pixels are {context.pix_fmt}; X takes YUV 4:2:0 with 8 bits (yuv420p): encode it again"
    longer, shorter = max(video.width, video.height), min(video.width, video.height)
    sides = f"{video.width}×{video.height} pixels"
    if shorter < VIDEO_SIDE_MIN or longer > VIDEO_LONG_SIDE_MAX or shorter > VIDEO_SHORT_SIDE_MAX:
        yield f"{sides}; a video has {VIDEO_SIDE_MIN}×{VIDEO_SIDE_MIN} to {VIDEO_LONG_SIDE_MAX}×{VIDEO_SHORT_SIDE_MAX}: scale it"
    if shorter and longer / shorter > VIDEO_RATIO_MAX:
        yield f"{sides}; its sides may be as 1:3 to 3:1: crop it"
    aspect = video.sample_aspect_ratio
    if aspect and aspect != 1:
        yield f"its pixels are not square ({aspect.numerator}:{aspect.denominator}); scale it to square pixels"
    if video.average_rate and video.average_rate > VIDEO_FPS_MAX:
        yield f"{float(video.average_rate):.1f} frames a second; at most {VIDEO_FPS_MAX:.0f}: encode it again"


def _audio_faults(container: Any) -> Iterator[str]:
    for stream in container.streams.audio[:1]:
        context = stream.codec_context
        if context.name != "aac" or context.profile not in (None, "LC"):
            yield f"its sound is {context.name} {context.profile or ''}".rstrip() + "; X takes AAC LC: encode it again"
        if context.channels > 2:
            yield f"its sound has {context.channels} channels; X takes one or two: mix it down"
