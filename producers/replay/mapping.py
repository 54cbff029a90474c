"""A mapping: what the columns of one shop's export mean."""

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from contract.money import is_currency
from runtime.errors import ConfigError

SHIPPED = Path(__file__).parent / "mappings"

Text = Annotated[str, Meta(min_length=1)]


class Columns(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The export's column names; None where it has no such column."""

    invoice: Text  # rows with the same value are one order
    sku: Text
    quantity: Text  # negative on returns
    unit_price: Text  # in whole units of the currency
    time: Text
    customer: Text | None = None
    country: Text | None = None
    description: Text | None = None


class Csv(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the export is written, where it is CSV."""

    separator: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    encoding: str = "utf-8"  # any that Python knows


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One shop's export in our words."""

    namespace: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9._-]{0,63}$")]  # event ids are NAMESPACE:INVOICE
    currency: str  # ISO 4217
    channel: Text = "web"
    time_zone: str  # IANA name, for times without a zone and for cutting days
    time_formats: tuple[str, ...] = ("%Y-%m-%d %H:%M:%S",)  # strftime, tried in turn where times are text
    not_sold: frozenset[str] = frozenset()  # SKUs that are book-keeping, not goods
    columns: Columns
    csv: Csv = Csv()
    regions: dict[str, str] = {}  # the export's country names to ISO 3166 codes


def load_mapping(name: str) -> Mapping:
    """The mapping shipped as `name`, or the one in the file `name`.

    Raises ConfigError where there is none, where it is no TOML, and for unknown, missing and mistyped keys.
    """
    path = SHIPPED / f"{name}.toml" if name in shipped_names() else Path(name)
    try:
        mapping = msgspec.toml.decode(path.read_bytes(), type=Mapping)
    except FileNotFoundError as error:
        raise ConfigError(
            f"mapping {name}: neither a file nor one of those shipped: {', '.join(shipped_names())}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"mapping {path}: not readable: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"mapping {path}: {error}") from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"mapping {path}: not TOML: {error}") from error
    _check(mapping, path)
    return mapping


def shipped_names() -> list[str]:
    """What `--mapping` takes without a path."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def _check(mapping: Mapping, path: Path) -> None:
    if not is_currency(mapping.currency):
        raise ConfigError(f"mapping {path}: currency {mapping.currency!r} is no ISO 4217 code such as GBP")
    try:
        ZoneInfo(mapping.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"mapping {path}: time_zone {mapping.time_zone!r} is no IANA name such as Europe/London"
        ) from error
    try:
        "".encode(mapping.csv.encoding)
    except LookupError as error:
        raise ConfigError(f"mapping {path}: [csv] encoding {mapping.csv.encoding!r} is not known") from error
