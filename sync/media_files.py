"""The media files of cues: read beside the cue file, and kept in a folder under the hash of their bytes."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sync.errors import MediaError
from sync.media import ALT_CHARS_MAX, Media
from sync.media_check import READ_BYTES, check_media, sha256_of

FOLDER_NAME = "media"
"""Of the state folder."""
_SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif", "video/mp4": ".mp4"}


class MediaRow(BaseModel):
    """One entry of a cue's `media`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    file: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    alt: Annotated[str, StringConstraints(max_length=ALT_CHARS_MAX, strip_whitespace=True)] = ""
    variants: Annotated[list[Annotated[int, Field(ge=1)]], Field(max_length=200)] = []


def read_media(rows: Sequence[MediaRow], folder: Path | None) -> tuple[Media, ...]:
    """The media of these entries, each file checked.

    Args:
        folder: what their paths are relative to; None where there are no files, and so no media.

    Raises:
        MediaError: a file is not what X takes.
    """
    if rows and folder is None:
        raise MediaError(f"media: {rows[0].file}: these cues come without files; import them from a file")
    return tuple(_media(row, folder) for row in rows if folder is not None)


def _media(row: MediaRow, folder: Path) -> Media:
    checked = check_media(folder / row.file)
    return Media(
        file=row.file,
        sha256=checked.sha256,
        media_type=checked.media_type,
        category=checked.category,
        size_bytes=checked.size_bytes,
        width=checked.width,
        height=checked.height,
        duration_ms=checked.duration_ms,
        alt=row.alt,
        variants=tuple(dict.fromkeys(row.variants)),
    )


class MediaStore:
    """A folder of media, each under the SHA-256 of its bytes: what is approved cannot become something else.

    Args:
        folder: made when it is first needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path_of(self, media: Media) -> Path:
        """Where its copy is, or would be."""
        return self.folder / f"{media.sha256}{_SUFFIXES[media.media_type]}"

    def fault(self, media: Media) -> str:
        """Why its copy cannot be used; empty when it can. Reads all of it."""
        path = self.path_of(media)
        try:
            changed = sha256_of(path) != media.sha256
        except OSError as error:
            return f"{media.file}: its copy {path} cannot be read ({error.strerror}); import the cue again"
        return f"{media.file}: its copy {path} has changed since it was imported; import the cue again" if changed else ""

    def keep(self, media: Iterable[Media], folder: Path) -> None:
        """Copy them from where they were read; what is here already stays.

        Raises:
            MediaError: a file changed since it was checked, or cannot be copied.
        """
        for one in media:
            if self.fault(one):
                self._copy(one, folder / one.file)

    def _copy(self, media: Media, source: Path) -> None:
        path, digest = self.path_of(media), hashlib.sha256()
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                with source.open("rb") as reading, part.open("wb") as writing:
                    while block := reading.read(READ_BYTES):
                        digest.update(block)
                        writing.write(block)
                    writing.flush()
                    os.fsync(writing.fileno())
                if digest.hexdigest() != media.sha256:
                    raise MediaError(f"{source}: it changed while it was imported; import the cues again")
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise MediaError(f"{source}: cannot be copied to {path} ({error.strerror}); nothing was imported") from error
