"""What was found as one line: the fields of its JSON object, or columns for people. `scan` and `listen` print the same."""

from typing import TYPE_CHECKING

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.events import Detection, FollowEnd, LateFound

if TYPE_CHECKING:
    from fingerprints.onset import Onset


def fields_of(event: "Detection | Onset | LateFound | FollowEnd", *, feed: str) -> dict[str, object]:
    """An event as the fields of its JSON line; positions in seconds to a tenth of a millisecond."""
    if isinstance(event, FollowEnd):
        fields: dict[str, object] = {
            "spot": event.spot_id,
            "feed": feed,
            "onset_s": round(event.onset_s, 4),
            "end_s": round(event.end_s, 4),
            "coverage": round(event.coverage, 4),
            "speed": event.speed,
            "confidence": round(event.confidence, 4),
            "cut_s": None if event.cut_s is None else round(event.cut_s, 4),
        }
        return fields | {"late": True} if event.late else fields
    onset_s, decided_s = _positions(event)
    fields = {
        "spot": event.spot_id,
        "spots": list(event.spot_ids),
        "feed": feed,
        "onset_s": round(onset_s, 4),
        "decided_s": round(decided_s, 4),
        "score": round(event.score, 2),
        "threshold": round(event.threshold, 2),
        "speed": event.speed,
    }
    return fields | {"joined_s": round(event.joined_s, 4), "late": True} if isinstance(event, LateFound) else fields


def row_of(event: "Detection | Onset | LateFound | FollowEnd", *, feed: str) -> str:
    """The same for people: one line in columns."""
    speed = "" if event.speed == 1.0 else f"  at {event.speed:g} times its speed"
    if isinstance(event, FollowEnd):
        cut = "" if event.cut_s is None else f"  broken off after {event.cut_s:.1f} s of it"
        return f"{event.end_s:10.3f} s  {event.spot_id:<24} ended, {event.coverage:.0%} of it heard{cut}{speed}  {feed}"
    onset_s, decided_s = _positions(event)
    others = [spot_id for spot_id in event.spot_ids if spot_id != event.spot_id]
    like = f"  or {', '.join(others)}" if others else ""
    score = f"score {event.score:5.1f} of {event.threshold:.1f}"
    if isinstance(event, LateFound):
        found = f"found late, {decided_s - event.joined_s:.1f} s after it was joined at {event.joined_s - onset_s:.1f} s of it"
        return f"{event.joined_s:10.3f} s  {event.spot_id:<24} {found}  {score}{speed}{like}  {feed}"
    told = f"decided after {1000 * (decided_s - onset_s):4.0f} ms"
    return f"{onset_s:10.3f} s  {event.spot_id:<24} {told}  {score}{speed}{like}  {feed}"


def _positions(event: "Detection | Onset | LateFound") -> tuple[float, float]:
    if isinstance(event, Detection | LateFound):
        return event.onset_s, event.decided_s
    return event.onset_sample / SAMPLE_RATE_HZ, event.decided_sample / SAMPLE_RATE_HZ
