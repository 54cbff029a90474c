"""`python -m producers reference`: catalogue and customer list out of an old export."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from contract.catalogue import to_ndjson
from producers.reference.derive import Reference, derive
from producers.replay.export import read_export
from producers.replay.mapping import load_mapping, shipped_names
from runtime.errors import ConfigError

CATALOGUE = "catalogue.ndjson"
CUSTOMERS = "customers.ndjson"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was written and what was left out; `--json` prints it."""

    catalogue: str
    products: int
    customer_list: str
    customers: int
    not_sold: list[str]
    never_priced: list[str]
    only_fractions: list[str]


@click.command("reference")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--mapping", "mapping_name", required=True, help=f"{', '.join(shipped_names())}, or a TOML file.")
@click.option("--out", "folder", required=True, type=click.Path(path_type=Path), help="Folder, made where absent.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
def reference(file: Path, mapping_name: str, folder: Path, as_json: bool) -> None:
    """Derive the catalogue and the customer list from an old export FILE (CSV or Parquet).

    Writes catalogue.ndjson and customers.ndjson, each whole or not at all.
    """
    mapping = load_mapping(mapping_name)
    derived = derive(read_export(file, mapping), mapping)
    if not derived.products:
        raise ConfigError(f"{file}: nothing in it is sold at a price, and an empty catalogue is no catalogue")
    report = publish(derived, folder)
    click.echo(msgspec.json.encode(report).decode() if as_json else _sentences(report))


def publish(derived: Reference, folder: Path) -> Report:
    """Write both files into `folder`. Raises ConfigError where it cannot be written; the old ones stay then."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / CATALOGUE, to_ndjson(derived.products))
        _replace(folder / CUSTOMERS, to_ndjson(derived.customers))
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


def _replace(path: Path, content: bytes) -> None:
    """Whole or not at all: readers see the old file or the new one."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        written = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            written.chmod(0o644)  # temporary files are private, reference data is read by other users' processes
            written.replace(path)
        except OSError:
            written.unlink(missing_ok=True)
            raise


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
