"""What a report can be shown or written as."""

from enum import StrEnum


class Format(StrEnum):
    """A table on the screen, or a kind of file."""

    TABLE = "table"
    CSV = "csv"
    XLSX = "xlsx"
    JSON = "json"
    PDF = "pdf"
    BXF = "bxf"
    SVG = "svg"
