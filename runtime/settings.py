"""Settings: one frozen dataclass a process, made of sections, read from a TOML file and the environment.

A process's settings class has one field per section; a section is a frozen dataclass whose fields are declared with
`setting(...)`. Field `region` of section `aws` is `region` under `[aws]` in the file and `STOREPULSE_AWS_REGION` in
the environment, which wins. Tables of other processes in the same file are left alone.
"""

import dataclasses
import os
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from runtime.errors import ConfigError

DEFAULT_FILE = Path(".storepulse/settings.toml")  # where `python -m infra.local up` writes the endpoints
FILE_VARIABLE = "STOREPULSE_SETTINGS"

_USER_INFO = re.compile(r"://[^/?#]*@")

S = TypeVar("S")
Transport = Literal["kinesis", "kafka"]
# For what has to take some time, and a time that timers can count.
Seconds = Annotated[float, msgspec.Meta(gt=0, le=1e6)]


def setting(default: Any, about: str, *, unit: str = "", secret: bool = False) -> Any:
    """A documented field of a section. `about` says what it does and why the default is what it is."""
    return dataclasses.field(default=default, metadata={"about": about, "unit": unit, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class Aws:
    """How to reach AWS, or the local parts that stand in for it."""

    region: str = setting("eu-west-2", "AWS region")
    kinesis_endpoint: str = setting("", "URL of Kinesis; empty: AWS's own")
    endpoint: str = setting("", "URL of every other AWS service; empty: AWS's own")
    access_key_id: str = setting("", "empty: boto3's own credential chain (the instance's role)")
    secret_access_key: str = setting("", "goes with access_key_id", secret=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """The streams between producers and consumers."""

    transactions: str = setting("storepulse-transactions", "stream of orders")
    access: str = setting("storepulse-access", "stream of the web servers' access logs; empty: there is none")
    transport: Transport = setting("kinesis", "what carries them: `kinesis`, or topics of `kafka`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kafka:
    """How to reach Kafka, where it is the transport."""

    servers: str = setting("127.0.0.1:9092", "addresses of brokers, with commas between them")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSearch:
    """Where the live documents are."""

    url: str = setting("http://127.0.0.1:9200", "URL of the cluster")
    timeout_s: Seconds = setting(30.0, "longest wait for one answer", unit="s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lake:
    """Where history lies in S3, and the catalogue of its tables."""

    bucket: str = setting("storepulse-lake", "rows and manifests; names are global on AWS, choose your own")
    restricted_bucket: str = setting("storepulse-restricted", "originals: raw records and dead letters, 30 days")
    database: str = setting("storepulse", "Glue database of the Iceberg tables")


@dataclass(frozen=True, slots=True, kw_only=True)
class Warehouse:
    """How to reach Redshift."""

    host: str = setting("127.0.0.1", "address of the cluster or workgroup")
    port: int = setting(5439, "its port")
    database: str = setting("storepulse", "database of the tables")
    user: str = setting("storepulse", "owner of the tables")
    password: str = setting("", "goes with user", secret=True)
    iam_role: str = setting("", "ARN of the role by which COPY reads the lake; empty: the cluster's default role")
    tls: bool = setting(True, "encrypted; only a local stack does without")
    timeout_s: Seconds = setting(60.0, "longest wait for a connection", unit="s")
    longest_statement_s: Seconds = setting(
        900.0, "longest time of one statement: past it somebody holds the tables, and it is tried again", unit="s"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What is true of the shop everywhere."""

    time_zone: str = setting("Europe/London", "days are cut here (IANA name)")
    currency: str = setting("GBP", "the currency that boards lead with (ISO 4217)")

    def zone(self) -> ZoneInfo:
        """Raises ConfigError for a name that is no time zone."""
        try:
            return ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ConfigError(
                f"[shop] time_zone: {self.time_zone!r} is no IANA time zone such as Europe/London"
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What the shop publishes about itself."""

    bucket: str = setting(
        "", "bucket of prices and customers as published, customers' ids among them: restricted; empty: not checked"
    )
    poll_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = setting(
        20.0, "between two looks for a new snapshot, which is there two minutes before it is in force", unit="s"
    )
    start_patience_s: Seconds = setting(
        60.0, "how long a start waits for it: longer than S3 takes to restart; then the process ends", unit="s"
    )
    snapshots: Annotated[int, msgspec.Meta(ge=2)] = setting(
        2, "of each kind held in memory: the one in force and the next; 5 million customers take 450 MiB"
    )
    catalogue: str = setting("", "NDJSON file of the shop's products, for their names on the board; empty: no names")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """`[metrics]`: what a process says of itself, once a minute; see docs/metrics.md."""

    to: Literal["off", "cloudwatch", "log"] = setting(
        "off",
        "`cloudwatch`: one PutMetricData a minute; `log`: lines of Embedded Metric Format on stdout, from which"
        " CloudWatch Logs makes the same metrics",
    )
    namespace: str = setting("Storepulse/Fleet", "CloudWatch namespace of what is said of shards")
    every_s: Seconds = setting(60.0, "between two calls, or sets of lines; metrics are kept by the minute", unit="s")


def load(
    cls: type[S],
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    default_may_be_absent: bool = False,
) -> S:
    """The settings of one process: defaults, then the file, then the environment.

    `file` None: STOREPULSE_SETTINGS, else the local stack's file where it exists, else no file.
    `default_may_be_absent`: for commands that write the file that STOREPULSE_SETTINGS names, or run before it is there.
    Raises ConfigError for a file that is absent or broken, an unknown key, and a value of the wrong type.
    """
    environ = os.environ if environ is None else environ
    named = file or (Path(environ[FILE_VARIABLE]) if environ.get(FILE_VARIABLE) else None)
    may_be_absent = named is None or (file is None and default_may_be_absent)
    tables, source = _read(named or DEFAULT_FILE, may_be_absent)
    hints = get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    own = {f.name: f.default for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    sections = {
        name: _section(hints[name], name, tables, source, _environ_of(name, names, environ), default=own[name])
        for name in names
    }
    return cls(**sections)


def describe(settings: Any) -> str:
    """What is in force, as TOML with each setting's meaning beside it; secrets masked."""
    lines: list[str] = []
    for section_field in dataclasses.fields(settings):
        section = getattr(settings, section_field.name)
        lines.append(f"[{section_field.name}]")
        for f in dataclasses.fields(section):
            value = getattr(section, f.name)
            shown = "***" if f.metadata["secret"] and value else masked(value) if isinstance(value, str) else value
            unit = f" ({f.metadata['unit']})" if f.metadata["unit"] else ""
            lines.append(f"{f.name} = {msgspec.json.encode(shown).decode()}  # {f.metadata['about']}{unit}")
        lines.append("")
    return "\n".join(lines)


def masked(url: str) -> str:
    """`url` without the user and password that may stand in it: what messages show."""
    return _USER_INFO.sub("://***@", url)


def _read(path: Path, may_be_absent: bool) -> tuple[dict[str, Any], str]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), str(path)
    except FileNotFoundError as error:
        if may_be_absent:
            return {}, "no settings file"
        raise ConfigError(
            f"{path}: no such settings file; `python -m infra.local up` writes one for a local stack"
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not readable as TOML: {error}") from error


def _environ_of(section: str, sections: Collection[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of `section`. Those of `cold_fleet` begin as those of `cold` do: the longer name has them."""
    longer = tuple(_prefix(name) for name in sections if name.startswith(f"{section}_"))
    own = _prefix(section)
    return {
        variable: value
        for variable, value in environ.items()
        if variable.startswith(own) and not variable.startswith(longer)
    }


def _prefix(section: str) -> str:
    return f"STOREPULSE_{section}_".upper()


def _section(
    cls: Any, name: str, tables: Mapping[str, Any], source: str, environ: Mapping[str, str], *, default: Any
) -> Any:
    """`default`: the process's own section, whose values stand where nothing else is said."""
    table = tables.get(name, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{source}: [{name}] must be a table")
    hints = get_type_hints(cls, include_extras=True)
    fields = {f.name: f for f in dataclasses.fields(cls)}
    unknown = sorted(table.keys() - fields.keys())
    if unknown:
        raise ConfigError(f"{source}: [{name}] has no setting {unknown[0]!r}; it has {', '.join(fields)}")
    values = {
        key: _convert(value, hints[key], f"{source}: [{name}] {key}", strict=True) for key, value in table.items()
    }
    for variable, value in environ.items():
        key = variable.removeprefix(_prefix(name)).lower()
        if key not in fields:
            raise ConfigError(f"{variable}: [{name}] has no setting {key!r}; it has {', '.join(fields)}")
        values[key] = _convert(value, hints[key], variable, strict=False)
    return cls(**values) if default is dataclasses.MISSING else dataclasses.replace(default, **values)


def _convert(value: Any, to: Any, where: str, *, strict: bool) -> Any:
    try:
        return msgspec.convert(value, to, strict=strict)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}") from error
