"""Media of tweets: what a cue says of them, which go together, and which of them X has and for how long. Pure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Category = Literal["tweet_image", "tweet_gif", "tweet_video"]
Fallback = Literal["disarm", "text"]

IMAGES_MAX = 4
"""A tweet has up to four images, or one GIF, or one video."""
MEDIA_MAX = 200
"""Media of one cue, over all its variants."""
ALT_CHARS_MAX = 1000

_KIND = {"tweet_image": "image", "tweet_gif": "GIF", "tweet_video": "video"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One picture or video of a cue's variants, as it was checked; a part of what an approval covers.

    Attributes:
        file: as the cue file names it, relative to its folder.
        sha256: of the file's bytes, in hex; the copy in the media folder has it as its name.
        alt: what it shows, for people who cannot see it.
        variants: numbers of the variants it goes with, counted from 1; empty means all.
        duration_ms: of a video or an animation.
    """

    file: str
    sha256: str
    media_type: str
    category: Category
    size_bytes: int
    width: int
    height: int
    duration_ms: int = 0
    alt: str = ""
    variants: tuple[int, ...] = ()

    @property
    def upload_key(self) -> str:
        """SHA-256 over file and alternative text, in hex: what an upload to an account is known by."""
        return hashlib.sha256(f"{self.sha256}\n{self.alt}".encode()).hexdigest()

    def describe(self) -> str:
        """What it is, in a few words."""
        lasts = f", {self.duration_ms / 1000:.1f} s" if self.duration_ms else ""
        facts = f"{self.media_type}, {self.width}×{self.height}{lasts}, {self.size_bytes / 1000:,.0f} kB"
        alt = "" if self.category == "tweet_video" else f", alt: {self.alt or 'none'}"
        return f"{self.file} ({facts}, SHA-256 {self.sha256[:12]}…){alt}"


EXPIRY_MARGIN = timedelta(minutes=1)
"""An upload is not used any more so long before X drops it: a firing's last try must still find it there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A medium that X has for an account, until it expires there."""

    account_id: str
    upload_key: str
    media_id: str
    uploaded_utc: datetime
    expires_utc: datetime

    def usable(self, now_utc: datetime) -> bool:
        """Whether a post may name it now."""
        return now_utc < self.expires_utc - EXPIRY_MARGIN

    def lasts(self, until_utc: datetime, now_utc: datetime) -> bool:
        """Whether it need not be renewed for something at that instant: it lasts so long, or is in the first half of its life.

        The latter keeps uploads that X gives a short life from being renewed without end.
        """
        half_over = now_utc > self.uploaded_utc + (self.expires_utc - self.uploaded_utc) / 2
        return self.usable(now_utc) and (self.usable(until_utc) or not half_over)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaStanding:
    """Whether a medium can go into a post now.

    Attributes:
        media_id: X's id of it, None while it is not ready.
        fault: why it is not, in a sentence; empty when it is.
    """

    media_id: str | None
    fault: str = ""


NOT_LOOKED_AT = MediaStanding(media_id=None, fault="not uploaded yet")


def media_of_variant(media: Iterable[Media], number: int) -> tuple[Media, ...]:
    """Those that go with a variant, in their order; `number` counts from 1."""
    return tuple(one for one in media if not one.variants or number in one.variants)


def media_by_text(media: Sequence[Media], texts: Iterable[tuple[int, str]]) -> Mapping[str, tuple[Media, ...]]:
    """The media of each text that has some.

    Args:
        texts: the number of the variant and the text it gives; of two that read alike the first counts.
    """
    found: dict[str, tuple[Media, ...]] = {}
    for number, text in texts if media else ():
        found.setdefault(text, media_of_variant(media, number))
    return {text: some for text, some in found.items() if some}


def media_fault(media: Sequence[Media], *, variants: int) -> str:
    """Why these do not go together; empty when they do."""
    for place, one in enumerate(media, start=1):
        if wrong := next((number for number in one.variants if not 1 <= number <= variants), None):
            return f"media[{place}].variants: {wrong}, but there are {variants} variants"
        if one.alt and one.category == "tweet_video":
            return f"media[{place}].alt: X takes alternative text for images and GIFs only; leave it out"
    for number in range(1, variants + 1):
        if fault := _together_fault(media_of_variant(media, number)):
            return f"media: variant {number} has {fault}"
    return ""


def media_warnings(media: Sequence[Media]) -> tuple[str, ...]:
    """What a person should know before approving them."""
    return tuple(
        f"media[{place}]: {one.file} has no alt text; people who cannot see it are told nothing"
        for place, one in enumerate(media, start=1)
        if not one.alt and one.category != "tweet_video"
    )


def _together_fault(some: Sequence[Media]) -> str:
    moving = [one for one in some if one.category != "tweet_image"]
    if moving and len(some) > 1:
        return (
            f"a {_KIND[moving[0].category]} ({moving[0].file}) and other media; a tweet has one GIF or one video and nothing else"
        )
    if len(some) > IMAGES_MAX:
        return f"{len(some)} images; a tweet has at most {IMAGES_MAX}"
    if len({one.sha256 for one in some}) < len(some):
        return "the same file twice"
    return ""
