"""What was uploaded to the sandbox: segments until they are finalised, then media that expire after a day.

Pure but for the clock it is handed. Sizes and wordings are those of X's documentation, August 2026.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from sync.accounts import Credentials
from sync.sandbox import problems
from timebase import Clock

SEGMENTS_MAX = 1000
"""Segments of one upload: 0 to 999."""
TWEET_MEDIA_MAX = 4
ALT_CHARS_MAX = 1000
_SHELF_BYTES_MAX = 640 * 1024 * 1024
"""All that is kept at once; a further upload is refused with 429."""
_SHELF_ITEMS_MAX = 10_000
_SEGMENT_BYTES_MAX = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """What may be uploaded for one use."""

    bytes_max: int
    media_types: frozenset[str]
    processed: bool


CATEGORIES: Mapping[str, Category] = MappingProxyType(
    {
        "tweet_image": Category(
            bytes_max=5 * 1024 * 1024,
            media_types=frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"}),
            processed=False,
        ),
        "tweet_gif": Category(bytes_max=15 * 1024 * 1024, media_types=frozenset({"image/gif"}), processed=True),
        "tweet_video": Category(bytes_max=512 * 1024 * 1024, media_types=frozenset({"video/mp4"}), processed=True),
    }
)


@dataclass(slots=True, kw_only=True)
class Upload:
    """One upload, from its beginning to its end.

    Attributes:
        total_bytes: as announced.
        content: all of it, once finalised.
        finalised_utc: None while segments may still come.
        spoilt: a fault wants it to fail: in processing, or else when it is posted.
        expires_utc: after this it may be neither completed nor posted.
        kept: a tweet shows it, so that it outlives its expiry.
    """

    media_id: str
    user_id: str
    media_type: str
    category: str
    total_bytes: int
    expires_utc: datetime
    segments: dict[int, bytes] = field(default_factory=dict)
    content: bytes = b""
    finalised_utc: datetime | None = None
    spoilt: bool = False
    alt: str = ""
    kept: bool = False

    @property
    def held_bytes(self) -> int:
        """What it takes of the shelf."""
        return len(self.content) + sum(map(len, self.segments.values()))


@dataclass(slots=True, kw_only=True)
class MediaShelf:
    """Every upload of one sandbox.

    Args:
        processing_s: how long a GIF or a video is processed.
        expires_s: how long an upload may be completed, and then posted.
    """

    clock: Clock
    processing_s: float
    expires_s: int
    _uploads: dict[str, Upload] = field(default_factory=dict)
    _last_id: int = 0

    def initialise(self, account: Credentials, *, media_id: int, media_type: str, category: str, total_bytes: int) -> Upload:
        """A new upload.

        Raises:
            Problem: 400 for a wrong category, type or size, 429 when the shelf is full.
        """
        kind = CATEGORIES.get(category)
        if kind is None:
            raise problems.invalid("media_category", category, f"media_category: one of {', '.join(CATEGORIES)}")
        if media_type not in kind.media_types:
            raise problems.invalid("media_type", media_type, f"Media type {media_type} is not allowed for {category}.")
        if not 0 < total_bytes <= kind.bytes_max:
            raise problems.invalid("total_bytes", total_bytes, f"File size exceeds {kind.bytes_max} bytes.")
        self._make_room()
        upload = Upload(
            media_id=str(media_id),
            user_id=account.user_id,
            media_type=media_type,
            category=category,
            total_bytes=total_bytes,
            expires_utc=self.clock.utc() + timedelta(seconds=self.expires_s),
        )
        self._uploads[upload.media_id] = upload
        return upload

    def append(self, account: Credentials, media_id: str, *, index: int, part: bytes) -> Upload:
        """The upload with one more segment; the same index again replaces it.

        Raises:
            Problem: 400 for a wrong index or size, 403 for another account's, 404 for an unknown or expired one.
        """
        upload = self._open(account, media_id)
        if not 0 <= index < SEGMENTS_MAX:
            raise problems.invalid("segment_index", index, f"segment_index: must be from 0 to {SEGMENTS_MAX - 1}")
        if not 0 < len(part) <= _SEGMENT_BYTES_MAX:
            raise problems.invalid("media", len(part), f"Segment size must be from 1 to {_SEGMENT_BYTES_MAX} bytes.")
        others = sum(len(segment) for number, segment in upload.segments.items() if number != index)
        if others + len(part) > upload.total_bytes:
            raise problems.invalid("media", others + len(part), "Segments exceed the provided total file size.")
        upload.segments[index] = part
        return upload

    def finalise(self, account: Credentials, media_id: str) -> Upload:
        """The upload, whole.

        Raises:
            Problem: 400 when its segments are not all of it, or an image is none; else as `append`.
        """
        upload = self._open(account, media_id)
        content = b"".join(upload.segments[number] for number in sorted(upload.segments))
        if sorted(upload.segments) != list(range(len(upload.segments))) or len(content) != upload.total_bytes:
            raise problems.invalid("id", media_id, "Segments do not add up to provided total file size.")
        if not CATEGORIES[upload.category].processed and not looks_like(upload.media_type, content):
            raise problems.invalid("media", upload.media_type, "media type unrecognized.")
        now_utc = self.clock.utc()
        upload.content, upload.segments, upload.finalised_utc = content, {}, now_utc
        upload.expires_utc = now_utc + timedelta(seconds=self.expires_s)
        return upload

    def status(self, account: Credentials, media_id: str) -> Upload:
        """The upload of that id.

        Raises:
            Problem: 403 for another account's, 404 for an unknown or expired one.
        """
        upload = self._uploads.get(media_id)
        if upload is None or upload.expires_utc <= self.clock.utc():
            raise problems.not_found("id", media_id, "media")
        if upload.user_id != account.user_id:
            raise problems.forbidden()
        return upload

    def describe(self, account: Credentials, media_id: str, *, alt: str) -> Upload:
        """The upload with its alternative text.

        Raises:
            Problem: 400 when the text is too long or the media is a video; else as `status`.
        """
        upload = self.status(account, media_id)
        if not 0 < len(alt) <= ALT_CHARS_MAX:
            raise problems.invalid("metadata.alt_text.text", alt, f"alt_text: 1 to {ALT_CHARS_MAX} characters")
        if upload.category == "tweet_video":
            raise problems.invalid("id", media_id, "Alt text is for images and GIFs.")
        upload.alt = alt
        return upload

    def spoil(self, media_id: str) -> None:
        """Let it fail in its processing or, where it has none, when it is posted."""
        if media_id in self._uploads:
            self._uploads[media_id].spoilt = True

    def processing(self, upload: Upload) -> dict[str, object] | None:
        """`processing_info`; None where there is no processing."""
        if upload.finalised_utc is None or not CATEGORIES[upload.category].processed:
            return None
        done_s = (self.clock.utc() - upload.finalised_utc).total_seconds()
        left_s = self.processing_s - done_s
        if left_s > 0:
            state = "pending" if done_s < self.processing_s / 4 else "in_progress"
            progress = {} if state == "pending" else {"progress_percent": int(100 * done_s / self.processing_s)}
            return {"state": state, "check_after_secs": round(left_s), **progress}
        if upload.spoilt or not looks_like(upload.media_type, upload.content):
            error = {"code": 1, "name": "InvalidMedia", "message": "Unsupported video format"}
            return {"state": "failed", "progress_percent": 0, "error": error}
        return {"state": "succeeded", "progress_percent": 100}

    def attach(self, account: Credentials, media_ids: Sequence[str]) -> None:
        """Keep these for a tweet of the account.

        Raises:
            Problem: 400: one is unknown, another account's, expired, unfinished or failed; or they do not go together.
        """
        uploads = [self._attachable(account, media_id) for media_id in media_ids]
        if len(uploads) > TWEET_MEDIA_MAX or len(set(media_ids)) != len(media_ids):
            raise problems.invalid_media(media_ids[0])
        if len(uploads) > 1 and any(upload.category != "tweet_image" for upload in uploads):
            raise problems.invalid(
                "media.media_ids", media_ids[0], "A Tweet has up to 4 photos, or 1 animated GIF, or 1 video; they do not mix."
            )
        for upload in uploads:
            upload.kept = True

    def finished(self, media_id: str) -> Upload | None:
        """An upload that has been finalised, None when there is none of that id."""
        upload = self._uploads.get(media_id)
        return upload if upload is not None and upload.finalised_utc is not None else None

    def clear(self) -> None:
        """Forget everything."""
        self._uploads.clear()

    def _attachable(self, account: Credentials, media_id: str) -> Upload:
        upload = self._uploads.get(media_id)
        if upload is None or upload.user_id != account.user_id or upload.expires_utc <= self.clock.utc():
            raise problems.invalid_media(media_id)
        processing = self.processing(upload)
        if upload.finalised_utc is None or (processing is not None and processing["state"] != "succeeded"):
            raise problems.invalid_media(media_id)
        if upload.spoilt:
            raise problems.invalid_media(media_id)
        return upload

    def _open(self, account: Credentials, media_id: str) -> Upload:
        upload = self.status(account, media_id)
        if upload.finalised_utc is not None:
            raise problems.invalid("id", media_id, "The upload has been finalized.")
        return upload

    def _make_room(self) -> None:
        now_utc = self.clock.utc()
        self._uploads = {key: one for key, one in self._uploads.items() if one.kept or one.expires_utc > now_utc}
        held = sum(upload.held_bytes for upload in self._uploads.values())
        if held >= _SHELF_BYTES_MAX or len(self._uploads) >= _SHELF_ITEMS_MAX:
            raise problems.too_many_requests({})


def looks_like(media_type: str, content: bytes) -> bool:
    """Whether the first bytes are those of the type."""
    match media_type:
        case "image/jpeg":
            return content.startswith(b"\xff\xd8\xff")
        case "image/png":
            return content.startswith(b"\x89PNG\r\n\x1a\n")
        case "image/webp":
            return content[:4] == b"RIFF" and content[8:12] == b"WEBP"
        case "image/gif":
            return content.startswith((b"GIF87a", b"GIF89a"))
        case _:
            return content[4:8] == b"ftyp"


def from_base64(text: str) -> bytes:
    """The bytes of a field of JSON.

    Raises:
        Problem: 400: it is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise problems.invalid("media", text[:20], "media: is not base64") from error
