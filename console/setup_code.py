"""A gateway's QR code: as pictures, and in characters for a terminal."""

import io
from pathlib import Path
from typing import Final

import segno

BORDER: Final = 2
"""Of light modules round it on a terminal; half of what paper needs is enough on a screen."""


def draw(text: str, folder: Path) -> None:
    """Write `setup.svg` and `setup.png` into `folder`.

    Raises:
        OSError: one cannot be written.
    """
    code = segno.make(text, error="m", micro=False)
    code.save(str(folder / "setup.svg"), scale=4)
    code.save(str(folder / "setup.png"), scale=6)


def in_characters(text: str, *, columns: int) -> str:
    """The code for a terminal of `columns`, or a sentence where it does not fit."""
    code, drawn = segno.make(text, error="l", micro=False), io.StringIO()
    width = code.symbol_size(border=BORDER)[0]
    if width > columns:
        return f"(a terminal of {width} columns would show the code here)\n"
    code.terminal(out=drawn, compact=True, border=BORDER)
    return drawn.getvalue()
