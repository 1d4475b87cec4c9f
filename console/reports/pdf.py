"""A report as PDF: what it is of, the delivery figures, the pictures of its days, and every line."""

import io
from collections.abc import Sequence
from typing import Any, Final
from xml.sax.saxutils import escape

from console.reports.as_run import Report
from console.reports.columns import Kind, Sheet, airings_sheet, cells_shown, comparison_sheet, delivery_sheet
from console.reports.drawing import Drawing, Mark
from console.reports.pictures import drawings

LINES_MAX: Final = 5000
"""Lines of one PDF; nobody reads more on paper, and it says how many are left out."""
LANES_MAX: Final = 4
"""Channels of one picture, so that it fits on a page."""
_FONT: Final = "DejaVuSans"
"""Has the letters of most names; matplotlib brings it."""
_LEFT_OUT: Final = ("planned_utc", "heard_utc", "airing", "feeds", "tweet_ids", "heard_ms", "logged_utc", "log_row")
"""Columns there is no room for on paper; the other formats have them."""
_TONES: Final = {
    "planned": "#43505e",
    "good": "#0a6e3c",
    "bad": "#b91c12",
    "warn": "#8a5000",
    "calm": "#0b5cb8",
    "faint": "#d3dae1",
    "share0": "#ffffff",
    "share1": "#d9e5f3",
    "share2": "#a9c5e6",
    "share3": "#6c9dd3",
    "share4": "#175fba",
}


def as_pdf(report: Report) -> bytes:
    """The report on A4 across, with page numbers."""
    from reportlab.lib.pagesizes import A4, landscape
    from reportlab.lib.units import mm
    from reportlab.platypus import PageBreak, SimpleDocTemplate, Spacer

    _register_fonts()
    out = io.BytesIO()
    title = f"As-run report {report.asked.words}"
    document = SimpleDocTemplate(
        out, pagesize=landscape(A4), title=title, author="Cuebird", invariant=1,
        leftMargin=12 * mm, rightMargin=12 * mm, topMargin=12 * mm, bottomMargin=14 * mm,
    )  # fmt: skip
    width = document.width
    story: list[Any] = [_text(title, size=15), _text(_head(report)), Spacer(1, 4 * mm)]
    story += [_picture(drawing, width) for drawing in drawings(report, lanes_max=LANES_MAX)]
    story += [Spacer(1, 4 * mm), _text("Delivery", size=11), _table(delivery_sheet(report), width), PageBreak()]
    sheet = airings_sheet(report) if report.comparison is None else comparison_sheet(report)
    story += [_text("Airings" if report.comparison is None else "Planned, heard and logged", size=11), _table(sheet, width)]
    if len(sheet.rows) > LINES_MAX:
        story.append(_text(f"{len(sheet.rows) - LINES_MAX} lines more are left out here; the XLSX has them all."))
    document.build(story, onFirstPage=_number_page, onLaterPages=_number_page)
    return out.getvalue()


def _head(report: Report) -> str:
    total = report.total
    return (
        f"Local times of {report.zones}; broadcast days begin at {report.day_start}. "
        f"Made {report.made_utc:%Y-%m-%d %H:%M:%S} UTC. "
        f"Channel: {report.asked.channel or 'all'}. Campaign: {report.asked.campaign or 'all'}. "
        f"{total.planned} airings planned, {total.decided} of them over, {total.delivered} as planned, {total.owed} owed, "
        f"{total.unknown} with nobody listening, {total.off_plan} off plan."
    )


def _register_fonts() -> None:
    import matplotlib
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    if _FONT not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(_FONT, f"{matplotlib.get_data_path()}/fonts/ttf/{_FONT}.ttf"))


def _text(text: str, *, size: int = 8) -> Any:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    style = ParagraphStyle("text", fontName=_FONT, fontSize=size, leading=size * 1.35, spaceAfter=3)
    return Paragraph(escape(_printable(text)), style)


def _table(sheet: Sheet, width: float) -> Any:
    from reportlab.lib import colors
    from reportlab.platypus import LongTable

    kept = [number for number, name in enumerate(sheet.names) if name not in _LEFT_OUT]
    shares = [_share(sheet.names[number], sheet.kinds[number]) for number in kept]
    head = [_text(sheet.titles[number], size=7) for number in kept]
    rows = [[_text(cells[number], size=6) for number in kept] for cells in _first(list(cells_shown(sheet)))]
    if not rows:
        return _text("Nothing was planned, heard or fired on these days.")
    table = LongTable([head, *rows], colWidths=[width * share / sum(shares) for share in shares], repeatRows=1)
    lines = [
        ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.black),
        ("LINEBELOW", (0, 1), (-1, -1), 0.25, colors.lightgrey),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        *((side, (0, 0), (-1, -1), 1.5) for side in ("LEFTPADDING", "RIGHTPADDING", "TOPPADDING", "BOTTOMPADDING")),
    ]
    table.setStyle(lines)
    return table


def _first(rows: Sequence[tuple[str, ...]]) -> Sequence[tuple[str, ...]]:
    return rows[:LINES_MAX]


def _share(name: str, kind: Kind) -> float:
    """How much of the width a column gets."""
    if name in ("why", "status"):
        return 3.0
    return 1.4 if kind is Kind.TEXT else 1.0


def _picture(drawing: Drawing, width: float) -> Any:
    from reportlab.graphics.shapes import Drawing as Canvas
    from reportlab.graphics.shapes import Group, String
    from reportlab.lib.colors import HexColor

    scale = width / drawing.width
    canvas = Canvas(width, drawing.height * scale)
    group = Group(transform=(scale, 0, 0, scale, 0, 0))
    for words in drawing.words:
        at = {"x": words.x, "y": drawing.height - words.y, "text": _printable(words.text)}
        group.add(String(**at, fontName=_FONT, fontSize=11, textAnchor=words.anchor, fillColor=HexColor("#10161d")))
    for mark in drawing.marks:
        for shape in _shapes(mark, drawing.height):
            group.add(shape)
    canvas.add(group)
    return canvas


def _shapes(mark: Mark, height: float) -> list[Any]:
    """A timeline's mark; y grows upwards here."""
    from reportlab.graphics.shapes import Circle, Line, Polygon, Rect, String
    from reportlab.lib.colors import HexColor

    x, y, half, colour = mark.x, height - mark.y, mark.size / 2, HexColor(_TONES.get(mark.tone, "#43505e"))
    outline = {"strokeColor": colour, "strokeWidth": 1.2, "fillColor": None}
    filled = {"strokeColor": None, "fillColor": colour}
    areas = {
        "dot": lambda: Circle(x, y, 4, **filled),
        "cell": lambda: Rect(x - half, y - half, 2 * half, 2 * half, strokeColor=HexColor("#d3dae1"), fillColor=colour),
        "ring": lambda: Circle(x, y, 4, **outline),
        "box": lambda: Rect(x - 3, y - 5, 6, 10, **outline),
        "diamond": lambda: Polygon([x, y + 5, x + 5, y, x, y - 5, x - 5, y], **outline),
        "triangle": lambda: Polygon([x, y + 5, x + 5, y - 4, x - 5, y - 4], **filled),
        "question": lambda: String(x, y - 4, "?", fontName=_FONT, fontSize=11, textAnchor="middle", fillColor=colour),
    }
    if mark.shape in areas:
        return [areas[mark.shape]()]
    strokes = {
        "cross": ((x - 4, y - 4, x + 4, y + 4), (x + 4, y - 4, x - 4, y + 4)),
        "bar": ((x - 4, y, x + 4, y),),
        "line": ((x, y - half, x, y + half),),
    }
    width = 0.5 if mark.shape == "line" else 1.6
    return [Line(*ends, strokeColor=colour, strokeWidth=width) for ends in strokes[mark.shape]]


def _number_page(canvas: Any, document: Any) -> None:
    canvas.saveState()
    canvas.setFont(_FONT, 7)
    canvas.drawRightString(document.pagesize[0] - document.rightMargin, document.bottomMargin / 2, f"{document.page}")
    canvas.restoreState()


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
