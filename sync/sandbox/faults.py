"""What the sandbox does wrong on purpose, and for which request."""

import enum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sync.errors import SyncError

_FAULTS_MAX = 1_000


class TooManyFaultsError(SyncError):
    """More faults are waiting than the sandbox keeps."""


class FaultKind(enum.StrEnum):
    """The ways of failing; those marked with * apply the request first when `commit` is set."""

    LATENCY = "latency"
    """Answers as usual after `latency_ms`."""
    DROP = "drop"
    """Resets the connection instead of answering.*"""
    HANG = "hang"
    """Never answers.*"""
    HTML_503 = "html_503"
    """Answers as the edge does when what is behind it is overloaded.*"""
    DUPLICATE_403 = "duplicate_403"
    """Says the text was posted before.*"""
    CUT_201 = "cut_201"
    """Applies the request and sends half of the answer."""
    GARBLED_201 = "garbled_201"
    """Applies the request and answers 201 with a page instead of JSON."""
    RATE_429 = "rate_429"
    """Refuses, with a reset instant."""
    RATE_429_BARE = "rate_429_bare"
    """Refuses, without any header."""
    MEDIA_FAILED = "media_failed"
    """Answers as usual; what is finalised then fails in its processing, or is refused when it is posted."""
    CLOSE_IDLE = "close_idle"
    """Answers as usual and then closes the connection without having said so."""


class Fault(BaseModel):
    """One fault and the requests it strikes.

    Attributes:
        method: only requests of this method count and are struck; None means any.
        path: only requests whose path begins so count and are struck, `/2/media/` for instance; None means any.
        after: how many of them pass untouched first.
        times: how many it strikes then.
        latency_ms: waited before anything else happens to a struck request.
        commit: whether a struck POST or DELETE is applied although its answer fails.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    method: Literal["GET", "POST", "DELETE"] | None = "POST"
    path: str | None = Field(default=None, max_length=200)
    after: int = Field(default=0, ge=0, le=1_000_000)
    times: int = Field(default=1, ge=1, le=1_000_000)
    latency_ms: int = Field(default=0, ge=0, le=600_000)
    commit: bool = False


class Faults:
    """The faults still to strike, in the order they were added."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let it strike after those already waiting."""
        if len(self._waiting) >= _FAULTS_MAX:
            raise TooManyFaultsError(f"{_FAULTS_MAX} faults are already waiting; clear them first")
        self._waiting.append(fault)

    def clear(self) -> None:
        """Behave again."""
        self._waiting.clear()

    def waiting(self) -> list[Fault]:
        """Those still to strike, with what is left of their counts."""
        return list(self._waiting)

    def strike(self, method: str, path: str) -> Fault | None:
        """The fault for a request that has just arrived, counting it; None when it is treated well."""
        for place, fault in enumerate(self._waiting):
            if fault.method not in {None, method} or not path.startswith(fault.path or ""):
                continue
            if fault.after > 0:
                self._waiting[place] = fault.model_copy(update={"after": fault.after - 1})
                return None
            if fault.times > 1:
                self._waiting[place] = fault.model_copy(update={"times": fault.times - 1})
            else:
                del self._waiting[place]
            return fault
        return None
