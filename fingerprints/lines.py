"""What was found as one line: the fields of its JSON object, or columns for people. `scan` and `listen` print the same."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from fingerprints.audio import SAMPLE_RATE_HZ
from fingerprints.events import Detection, FollowEnd, LateFound

if TYPE_CHECKING:
    from fingerprints.onset import Onset


_NUMBERS: Final = ("onset_s", "joined_s", "decided_s", "end_s", "coverage", "cut_s", "score", "threshold", "speed")


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
            "confidences": [None if one is None else round(one, 2) for one in event.confidences],
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


def row_of(line: Mapping[str, object]) -> str:
    """The same for people: what `fields_of` made as one line in columns."""
    number = {key: float(str(line[key])) for key in _NUMBERS if line.get(key) is not None}
    name, feed = f"{line['spot']!s:<24}", line["feed"]
    speed = "" if number["speed"] == 1.0 else f"  at {number['speed']:g} times its speed"
    if "end_s" in line:
        cut = f"  broken off after {number['cut_s']:.1f} s of it" if "cut_s" in number else ""
        return f"{number['end_s']:10.3f} s  {name} ended, {number['coverage']:.0%} of it heard{cut}{speed}  {feed}"
    spots = line["spots"]
    others = [spot for spot in spots if spot != line["spot"]] if isinstance(spots, list) else []
    like = f"  or {', '.join(others)}" if others else ""
    score = f"score {number['score']:5.1f} of {number['threshold']:.1f}"
    onset_s, decided_s = number["onset_s"], number["decided_s"]
    if "late" in line:
        joined_s = number["joined_s"]
        told = f"found late, {decided_s - joined_s:.1f} s after it was joined at {joined_s - onset_s:.1f} s of it"
        return f"{joined_s:10.3f} s  {name} {told}  {score}{speed}{like}  {feed}"
    return f"{onset_s:10.3f} s  {name} decided after {1000 * (decided_s - onset_s):4.0f} ms  {score}{speed}{like}  {feed}"


def _positions(event: "Detection | Onset | LateFound") -> tuple[float, float]:
    if isinstance(event, Detection | LateFound):
        return event.onset_s, event.decided_s
    return event.onset_sample / SAMPLE_RATE_HZ, event.decided_sample / SAMPLE_RATE_HZ
