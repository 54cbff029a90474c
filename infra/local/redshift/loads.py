"""What a COPY did: the files that it read, the rows that it loaded, the values that it could not load."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.local.redshift.errors import SqlError


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedFile:
    """One object that was read to its end."""

    name: str  # s3://bucket/key
    rows: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadError:
    """One value that could not be loaded: a row of STL_LOAD_ERRORS and SYS_LOAD_ERROR_DETAIL."""

    file_name: str
    reason: str
    code: int = 1214
    line_number: int = 0  # 1 is the first line; 0 where the format has no lines
    column_name: str = ""
    column_type: str = ""
    column_length: str = ""
    position: int = 0
    raw_line: str = ""
    raw_field_value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyResult:
    """A COPY that loaded `rows`; `errors` are rows skipped within MAXERROR."""

    rows: int
    files: Sequence[LoadedFile] = ()
    errors: Sequence[LoadError] = ()


class LoadFailed(SqlError):
    """The data could not be loaded. The transaction aborts; the errors can be read in STL_LOAD_ERRORS."""

    def __init__(self, sqlstate: str, message: str, *, errors: Sequence[LoadError], detail: str | None = None) -> None:
        super().__init__(sqlstate, message, detail=detail)
        self.errors = tuple(errors)
