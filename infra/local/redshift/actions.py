"""What the front does with a statement: pass it on translated, or run it itself (COPY, UNLOAD)."""

from dataclasses import dataclass, field

from infra.local.redshift.errors import SqlError


class Unsupported(SqlError):
    """A construct that Redshift refuses, or that the front cannot translate faithfully; the message names it."""

    def __init__(self, message: str, *, sqlstate: str = "0A000", hint: str | None = None) -> None:
        super().__init__(sqlstate, message, hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """Something that PostgreSQL does. Parameters keep their numbers."""

    sql: str  # one statement; several, without parameters, for some definitions
    tag: str | None = None  # the command tag to report; None = PostgreSQL's own
    outside_block: str = ""  # the command's name if it is refused in a transaction block (SQLSTATE 25001)
    commits: bool = False  # the open transaction is committed once this is done


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """How delimited text, CSV or JSON is written in a file."""

    delimiter: str = "|"
    quote: str = '"'
    csv: bool = False
    remove_quotes: bool = False
    escape: bool = False
    null_as: str | None = None  # None = \\N in COPY, an empty field in UNLOAD
    ignore_header: int = 0  # lines of each file
    ignore_blank_lines: bool = False
    blanks_as_null: bool = False
    empty_as_null: bool = False
    trim_blanks: bool = False
    fill_record: bool = False
    date_format: str = "YYYY-MM-DD"  # or auto
    time_format: str = "YYYY-MM-DD HH:MI:SS"  # or auto, epochsecs, epochmillisecs
    round_decimals: bool = False
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A COPY from S3."""

    table: tuple[str, ...]  # parts of its name
    columns: tuple[str, ...] = ()  # empty = all
    bucket: str
    key: str  # a prefix, or the manifest's key
    manifest: bool = False
    format: str = "text"  # text (CSV too, see Text), json, parquet
    json_paths: str = "auto"  # auto, auto ignorecase, noshred, or the s3:// of a jsonpaths file
    compression: str = ""  # gzip, bzip2, zstd
    text: Text = field(default_factory=Text)
    max_errors: int = 0
    replacement: str = ""  # of each byte of an invalid character; empty = such a value is an error
    truncate_columns: bool = False
    serialize_to_json: bool = False
    explicit_ids: bool = False
    no_load: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unload:
    """An UNLOAD to S3."""

    sql: str  # the SELECT, translated
    bucket: str
    prefix: str
    format: str = "text"  # text (CSV too, see Text), json, parquet
    partition_by: tuple[str, ...] = ()
    include_partitions: bool = False
    manifest: bool = False
    verbose: bool = False
    header: bool = False
    add_quotes: bool = False
    compression: str = ""  # gzip, bzip2, zstd
    text: Text = field(default_factory=Text)
    overwrite: bool = False
    clean: bool = False
    parallel: bool = True
    largest_bytes: int = 6_200_000_000  # of a file
    extension: str = ""
