"""Statements compiled once and run on the driver's own cursor, for the few between deciding and the first byte.

SQLAlchemy still writes them, for every database; only its work at each execution is left out: a read that takes it 110 µs
takes the driver 9 (docs/adr/0013-group-commit.md).
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.sql.elements import CompilerElement

Row = tuple[Any, ...]


class Cursor(Protocol):
    """What is used of a DBAPI cursor (PEP 249)."""

    rowcount: int

    def execute(self, statement: str, parameters: Any = ..., /) -> Any:
        """Run a statement."""
        ...

    def executemany(self, statement: str, parameters: Any, /) -> Any:
        """Run a statement once for each set of parameters."""
        ...

    def fetchone(self) -> Any:
        """Its next row, None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """Its rows."""
        ...


class Prepared:
    """A statement for one database.

    Args:
        statement: with a `bindparam` for each value, or, for INSERT and UPDATE, the columns in `column_keys`.
        results: the columns of the rows it gives, none when it gives none.
        column_keys: columns that are set.
    """

    def __init__(
        self,
        statement: CompilerElement,
        dialect: sa.Dialect,
        *,
        results: Sequence[sa.ColumnElement[Any]] = (),
        column_keys: Sequence[str] | None = None,
    ) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=None if column_keys is None else list(column_keys))
        self._sql = str(compiled)
        self._marks: Sequence[str] | None = compiled.positiontup if compiled.positional else None
        self._in_order = None if self._marks is None else _in_order(self._marks)
        # What the statement says itself (an action, a limit); the others are given at each run.
        self._constants: dict[str, Any] = {
            name: bind.value for name, bind in compiled.binds.items() if bind.value is not None and not bind.required
        }
        self._bind = {
            name: processor
            for name, bind in compiled.binds.items()
            if (processor := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }
        self._result = [_result_processor(column, dialect) for column in results]
        self._converts = [index for index, processor in enumerate(self._result) if processor is not None]

    def run(self, cursor: Cursor, values: Mapping[str, Any]) -> list[Row]:
        """The rows; `cursor.rowcount` tells how many were changed."""
        cursor.execute(self._sql, self.bound(values))
        if not self._result:
            return []
        rows: list[Row] = cursor.fetchall()
        return [self._converted(row) for row in rows] if self._converts else rows

    def bound(self, values: Mapping[str, Any]) -> Any:
        """What one set of values is to the driver: the work of `run_many` that need not wait for its transaction."""
        filled = {**self._constants, **values}
        for name, processor in self._bind.items():
            filled[name] = processor(filled[name])
        return filled if self._in_order is None else self._in_order(filled)

    def bound_rows(self, names: Sequence[str], rows: Iterable[Row]) -> list[Any]:
        """As `bound`, for many rows of values that the driver takes as they are; `names` are theirs."""
        if self._marks is None:
            return [dict(zip(names, row, strict=True)) for row in rows]
        return list(map(operator.itemgetter(*(names.index(mark) for mark in self._marks)), rows))

    def run_many(self, cursor: Cursor, bound: Sequence[Any]) -> None:
        """Run it for each set that `bound` made; rows it may give are not read."""
        if bound:
            cursor.executemany(self._sql, bound)

    def _converted(self, row: Row) -> Row:
        values = list(row)
        for index in self._converts:
            values[index] = self._result[index](values[index])  # type: ignore[misc]  # those listed have one
        return tuple(values)


def _in_order(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """What puts values into the order of a statement's marks."""
    if len(names) < 2:
        return lambda values: tuple(values[name] for name in names)
    return operator.itemgetter(*names)


def _result_processor(column: sa.ColumnElement[Any], dialect: sa.Dialect) -> Callable[[Any], Any] | None:
    processor: Callable[[Any], Any] | None = column.type.dialect_impl(dialect).result_processor(dialect, None)
    return processor
