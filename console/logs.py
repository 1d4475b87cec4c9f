"""How log records are written: one line each, the event's name and then its facts."""

import logging
from datetime import UTC, datetime
from typing import TextIO

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Attributes every record has; what is left was given as `extra`."""
VALUE_LETTERS_MAX = 500


class FactsFormatter(logging.Formatter):
    """`2027-03-01T12:00:00.123Z WARNING sync.engine alarm level=warning text="feed is silent"`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line; a traceback, where there is one, on lines of its own."""
        instant = datetime.fromtimestamp(record.created, UTC)
        facts = " ".join(f"{name}={_value(fact)}" for name, fact in vars(record).items() if name not in _PLAIN)
        moment = f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"
        line = f"{moment} {record.levelname} {record.name} {record.getMessage()}"
        line = f"{line} {facts}" if facts else line
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _value(fact: object) -> str:
    text = str(fact)[:VALUE_LETTERS_MAX]
    plain = text != "" and text.isprintable() and not any(letter in text for letter in ' "=')
    return text if plain else '"' + text.encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'


def write_logs(stream: TextIO, *, level: int) -> None:
    """Write every record of at least `level` to `stream`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(FactsFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
