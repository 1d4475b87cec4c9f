"""The port to whoever uploads media: what `sync.media_client` does for X, known without loading anything that connects."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sync.errors import SyncError
from sync.media import Media, Upload

Withhold = Callable[[], str]
"""Asked before each request; a reason means: stop here."""


class MediaUploadError(SyncError):
    """An upload did not come to its end; its text says why."""


class MediaUploader(Protocol):
    """Hands media over to X."""

    async def upload(self, account_id: str, media: Media, path: Path, withhold: Withhold) -> Upload:
        """Upload a file for an account, wait until X has processed it, and tell its alternative text.

        Nothing is posted, so that an upload that failed may be repeated.

        Raises:
            MediaUploadError: it did not come to its end; the file is not the one that was approved, for instance.
        """
        ...
