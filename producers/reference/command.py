"""`python -m producers reference`: publish reference data, or derive it from an old export."""

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from contract.catalogue import to_ndjson
from producers.reference.derive import Reference, derive
from producers.reference.publish_command import publish_command
from producers.replay.export import read_export
from producers.replay.mapping import load_mapping, shipped_names
from runtime.errors import ConfigError
from runtime.whole_file import write_whole

CATALOGUE = "catalogue.ndjson"
CUSTOMERS = "customers.ndjson"
_MODE = 0o644  # reference data is read by other users' processes


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was written and what was left out; `--json` prints it."""

    catalogue: str
    products: int
    customer_list: str
    customers: int
    not_sold: list[str]
    never_priced: list[str]
    only_fractions: list[str]


class _DeriveUnlessTold(click.Group):
    """`reference FILE` derives: what it does without a word for it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = (*self.commands, *ctx.help_option_names)
        return super().parse_args(ctx, args if not args or args[0] in known else ["derive", *args])


@click.group("reference", cls=_DeriveUnlessTold)
def reference() -> None:
    """Prices, customers and rates: publish them, or derive some from an old export.

    `reference FILE ...` is `reference derive FILE ...`.
    """


reference.add_command(publish_command)


@reference.command("derive")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--mapping", "mapping_name", required=True, help=f"{', '.join(shipped_names())}, or a TOML file.")
@click.option("--out", "folder", required=True, type=click.Path(path_type=Path), help="Folder, made where absent.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
def derive_command(file: Path, mapping_name: str, folder: Path, as_json: bool) -> None:
    """Derive the catalogue and the customer list from an old export FILE (CSV or Parquet).

    Writes catalogue.ndjson and customers.ndjson, each whole or not at all: what `publish` takes.
    """
    mapping = load_mapping(mapping_name)
    derived = derive(read_export(file, mapping), mapping)
    if not derived.products:
        raise ConfigError(f"{file}: nothing in it is sold at a price, and an empty catalogue is no catalogue")
    report = write(derived, folder)
    click.echo(msgspec.json.encode(report).decode() if as_json else _sentences(report))


def write(derived: Reference, folder: Path) -> Report:
    """Write both files into `folder`. Raises ConfigError where it cannot be written; the old ones stay then."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / CATALOGUE, to_ndjson(derived.products), mode=_MODE)
        write_whole(folder / CUSTOMERS, to_ndjson(derived.customers), mode=_MODE)
    except OSError as error:
        raise ConfigError(f"{error.filename or folder}: {error.strerror}") from error
    return Report(
        catalogue=str(folder / CATALOGUE),
        products=len(derived.products),
        customer_list=str(folder / CUSTOMERS),
        customers=len(derived.customers),
        not_sold=derived.not_sold,
        never_priced=derived.never_priced,
        only_fractions=derived.only_fractions,
    )


def _sentences(report: Report) -> str:
    def left_out(skus: Sequence[str], why: str) -> str:
        some = ", ".join(skus[:8]) + (", ..." if len(skus) > 8 else "")
        return f"  {len(skus):,} {why}: {some}"

    lines = [
        f"{report.products:,} products in {report.catalogue}",
        f"{report.customers:,} customers in {report.customer_list}",
    ]
    skipped = [
        (report.not_sold, "SKUs that the mapping says are not sold"),
        (report.never_priced, "never sold at a price above zero"),
        (report.only_fractions, "sold at fractions of a minor unit only"),
    ]
    if any(skus for skus, _ in skipped):
        lines.append("Left out, orders with one of them will be refused:")
        lines += [left_out(skus, why) for skus, why in skipped if skus]
    return "\n".join(lines)
