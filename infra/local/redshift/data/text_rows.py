"""Text and JSON files as rows for a table, faulty rows set aside.

Source: Redshift Database Developer Guide, "Data load operations", MAXERROR; "Load error reference".
"""

from collections.abc import Iterator, Sequence
from typing import IO

from infra.local.redshift.actions import Copy
from infra.local.redshift.data.columns import Column
from infra.local.redshift.data.fields import Convert, FieldError, check_absent, converter
from infra.local.redshift.data.records import JsonPaths, Record, opened_text, records
from infra.local.redshift.loads import LoadError, LoadFailed
from infra.local.redshift.s3 import Object

_CHUNK = 256 << 10  # characters
_LONGEST_SHOWN = 1_024  # of a raw line. Source: "STL_LOAD_ERRORS"


class TextRows:
    """One COPY's way from records to rows. `errors` are those set aside so far."""

    def __init__(self, columns: Sequence[Column], copy: Copy, paths: JsonPaths | None) -> None:
        self._columns = columns
        self._copy = copy
        self._paths = paths
        self._converters: list[Convert] = [converter(column, copy) for column in columns]
        self.errors: list[LoadError] = []

    def chunks(self, file: IO[bytes], source: Object) -> Iterator[tuple[bytes, int]]:
        """CSV for PostgreSQL, and how many rows it holds; NULL is an empty field without quotes. Raises LoadFailed."""
        rows: list[str] = []
        size = 0
        try:
            for record in records(opened_text(file, self._copy), self._copy, self._paths):
                row = self._row(record, source)
                if row is None:
                    continue
                rows.append(row)
                size += len(row)
                if size >= _CHUNK:
                    yield "".join(rows).encode(), len(rows)
                    rows, size = [], 0
        except (OSError, EOFError, UnicodeError) as error:
            raise self._failed(f"{source.url} cannot be read: {error}") from error
        if rows:
            yield "".join(rows).encode(), len(rows)

    def _row(self, record: Record, source: Object) -> str | None:
        """The row, or None when it is faulty."""
        place = -1  # of the row as a whole
        try:
            if record.broken:
                raise FieldError(1202, record.broken)
            fields = self._filled(record.fields)
            parts = []
            for place, (field, convert) in enumerate(zip(fields, self._converters, strict=True)):
                parts.append(_csv(self._columns[place], field, convert))
        except FieldError as error:
            self._set_aside(error, record, place, source)
            return None
        return ",".join(parts) + "\n"

    def _filled(self, fields: Sequence[str | None]) -> Sequence[str | None]:
        missing = len(self._columns) - len(fields)
        if missing < 0:
            raise FieldError(1202, "Extra column(s) found")
        if missing == 0:
            return fields
        if not self._copy.text.fill_record:
            raise FieldError(1214 if not any(fields) else 1202, "Delimiter not found")
        # FILLRECORD: "if the missing column is a VARCHAR column, zero-length strings are loaded instead of NULLs"
        rest = self._columns[len(fields) :]
        return [*fields, *("" if column.type == "character varying" else None for column in rest)]

    def _set_aside(self, error: FieldError, record: Record, place: int, source: Object) -> None:
        column = self._columns[place] if place >= 0 else None
        value = (record.fields[place] or "") if 0 <= place < len(record.fields) else ""
        self.errors.append(
            LoadError(
                file_name=source.url,
                reason=error.reason,
                code=error.code,
                line_number=record.line,
                column_name=column.name if column else "",
                column_type=column.shown_type if column else "",
                column_length=column.shown_length if column else "",
                raw_line=_shown(record.raw),
                raw_field_value=_shown(value),
            )
        )
        if self._copy.max_errors >= 0 and len(self.errors) >= max(1, self._copy.max_errors):
            raise self._failed("")

    def _failed(self, reason: str) -> LoadFailed:
        table = self._copy.table[-1]
        message = f"Load into table '{table}' failed.  Check 'stl_load_errors' system table for details."
        return LoadFailed("XX000", message, errors=self.errors, detail=reason or None)


def _csv(column: Column, field: str | None, convert: Convert) -> str:
    if field is None:
        check_absent(column)
        return ""
    value = convert(field)
    return "" if value is None else '"' + value.replace('"', '""') + '"'


def _shown(text: str) -> str:
    return text[:_LONGEST_SHOWN].encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "")
