"""A drawing as SVG: within a page, whose style sheet colours it, or as a file that brings its colours along."""

from pathlib import Path
from xml.etree import ElementTree

from console.reports.drawing import Drawing, Mark, Words

STYLE_FILE = Path(__file__).parent.parent / "web" / "static" / "pictures.css"


def as_svg(drawing: Drawing, *, is_file: bool = False) -> str:
    """The picture, with each mark's words as its title.

    Args:
        is_file: it stands alone: with its own colours, light or dark as the reader has it.
    """
    names = {"xmlns": "http://www.w3.org/2000/svg"} if is_file else {}
    box = f"0 0 {_number(drawing.width)} {_number(drawing.height)}"
    root = ElementTree.Element("svg", {**names, "class": "picture", "viewBox": box, "role": "img", "aria-label": drawing.label})
    if is_file:
        root.set("width", _number(drawing.width))
        root.set("height", _number(drawing.height))
        ElementTree.SubElement(root, "style").text = STYLE_FILE.read_text(encoding="utf-8")
        ElementTree.SubElement(root, "rect", {"class": "ground", "width": "100%", "height": "100%"})
    for words in drawing.words:
        _add_words(root, words)
    for mark in drawing.marks:
        _add_mark(root, mark)
    return ElementTree.tostring(root, encoding="unicode")


def _add_words(root: ElementTree.Element, words: Words) -> None:
    place = {"x": _number(words.x), "y": _number(words.y), "class": f"words {words.tone}", "text-anchor": words.anchor}
    ElementTree.SubElement(root, "text", place).text = _clean(words.text)


def _add_mark(root: ElementTree.Element, mark: Mark) -> None:
    name, facts = _shape(mark)
    element = ElementTree.SubElement(root, name, {**facts, "class": f"mark {mark.shape} {mark.tone}"})
    if mark.shape == "question":
        element.text = "?"
    if mark.title:
        title = ElementTree.SubElement(element, "title")
        title.text = _clean(mark.title)


def _shape(mark: Mark) -> tuple[str, dict[str, str]]:
    """The element and its place."""
    x, y, half = mark.x, mark.y, mark.size / 2
    match mark.shape:
        case "dot" | "ring":
            return "circle", {"cx": _number(x), "cy": _number(y), "r": "4"}
        case "box":
            return "rect", {"x": _number(x - 3), "y": _number(y - 5), "width": "6", "height": "10"}
        case "cell":
            return "rect", {
                "x": _number(x - half),
                "y": _number(y - half),
                "width": _number(half * 2),
                "height": _number(half * 2),
                "rx": "2",
            }
        case "question":
            return "text", {"x": _number(x), "y": _number(y + 4), "text-anchor": "middle"}
        case _:
            return "path", {"d": _path(mark.shape, x, y, half)}


def _path(shape: str, x: float, y: float, half: float) -> str:
    points = {
        "diamond": ((x, y - 5), (x + 5, y), (x, y + 5), (x - 5, y)),
        "triangle": ((x, y - 5), (x + 5, y + 4), (x - 5, y + 4)),
    }
    if shape in points:
        return "M" + "L".join(f"{_number(a)} {_number(b)}" for a, b in points[shape]) + "Z"
    strokes = {
        "cross": ((x - 4, y - 4, x + 4, y + 4), (x + 4, y - 4, x - 4, y + 4)),
        "bar": ((x - 4, y, x + 4, y),),
        "line": ((x, y - half, x, y + half),),
    }
    return "".join(f"M{_number(a)} {_number(b)}L{_number(c)} {_number(d)}" for a, b, c, d in strokes[shape])


def _number(value: float) -> str:
    return f"{value:g}"


def _clean(text: str) -> str:
    """The text without what XML cannot hold."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
