"""Sound in, detections out: capture, features, reference library, matchers, listener processes.

Events and errors are cheap to import and stand here. What computes (`SpotLibrary`, `Recogniser`, `AudioBlock`) is loaded
when first asked for, because numpy and numba take a second or two that `cuebird --help` and the engine need not pay.
"""

from typing import TYPE_CHECKING, Any

from fingerprints.errors import FingerprintsError, MediaError, PrintFileError, SpotError
from fingerprints.events import Detection, FeedState, FeedStatus, FollowEnd

if TYPE_CHECKING:
    from fingerprints.audio import AudioBlock
    from fingerprints.library import SpotLibrary
    from fingerprints.onset import Onset
    from fingerprints.recogniser import Recogniser

__all__ = [
    "AudioBlock",
    "Detection",
    "FeedState",
    "FeedStatus",
    "FingerprintsError",
    "FollowEnd",
    "MediaError",
    "Onset",
    "PrintFileError",
    "Recogniser",
    "SpotError",
    "SpotLibrary",
]

_LOADED_WHEN_USED = {
    "AudioBlock": "fingerprints.audio",
    "Onset": "fingerprints.onset",
    "Recogniser": "fingerprints.recogniser",
    "SpotLibrary": "fingerprints.library",
}


def __getattr__(name: str) -> Any:
    if name not in _LOADED_WHEN_USED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LOADED_WHEN_USED[name]), name)
