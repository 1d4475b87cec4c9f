"""What a picture is made of: shapes with a tone, and words, so that it can be shown as SVG and in a PDF alike."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One shape, by its middle.

    Attributes:
        shape: `box`, `dot`, `ring`, `diamond`, `triangle`, `bar`, `cross`, `question`, `cell`, `line`.
        tone: what its colour means: `planned`, `good`, `bad`, `warn`, `calm`, `faint`, or `share0` to `share4`.
        title: in words, for whoever points at it or has it read aloud; empty for what needs none.
        size: of a cell its side, of a line its length.
    """

    shape: str
    x: float
    y: float
    tone: str
    title: str = ""
    size: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A text at a place; `anchor` is `start`, `middle` or `end`."""

    text: str
    x: float
    y: float
    tone: str = "text"
    anchor: str = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A picture, and in a sentence what it shows."""

    width: float
    height: float
    label: str
    marks: tuple[Mark, ...]
    words: tuple[Words, ...]
