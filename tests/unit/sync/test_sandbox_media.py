"""The sandbox's shelf of media: how long an upload lasts, and how its processing goes."""

import pytest

from sync.sandbox.media import MediaShelf, Upload
from sync.sandbox.problems import Problem
from tests.media_makers import png
from tests.unit.sync.test_sandbox_parts import ANNA
from timebase import VirtualClock


def uploaded(shelf: MediaShelf, content: bytes, *, media_type: str, category: str) -> Upload:
    shelf.initialise(ANNA, media_id=7, media_type=media_type, category=category, total_bytes=len(content))
    shelf.append(ANNA, "7", index=0, part=content)
    return shelf.finalise(ANNA, "7")


async def test_an_upload_lasts_a_day() -> None:
    """Until then it may be posted; from then on neither posted nor asked for."""
    clock = VirtualClock()
    shelf = MediaShelf(clock=clock, processing_s=2.0, expires_s=86_400)
    uploaded(shelf, png(), media_type="image/png", category="tweet_image")
    await clock.advance(86_399)
    shelf.attach(ANNA, ["7"])
    await clock.advance(1)
    with pytest.raises(Problem, match="Your media IDs are invalid"):
        shelf.attach(ANNA, ["7"])
    with pytest.raises(Problem, match="Could not find media"):
        shelf.status(ANNA, "7")


async def test_processing_goes_from_pending_to_its_end() -> None:
    """It says when to ask again, and how far it is."""
    clock = VirtualClock()
    shelf = MediaShelf(clock=clock, processing_s=8.0, expires_s=86_400)
    upload = uploaded(shelf, b"GIF89a...", media_type="image/gif", category="tweet_gif")
    assert shelf.processing(upload) == {"state": "pending", "check_after_secs": 8}
    await clock.advance(4)
    assert shelf.processing(upload) == {"state": "in_progress", "check_after_secs": 4, "progress_percent": 50}
    await clock.advance(4)
    assert shelf.processing(upload) == {"state": "succeeded", "progress_percent": 100}
