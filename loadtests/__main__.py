"""`python -m loadtests`: the benchmarks."""

import click

from loadtests.bench.registry import BENCHES, run
from loadtests.bench.report import as_json, print_table
from runtime import command


@click.group()
def main() -> None:
    """Proofs and benchmarks."""


@main.command(epilog="; ".join(f"{name}: {about}" for name, about in BENCHES.items()))
@click.argument("name", type=click.Choice(sorted(BENCHES)))
@click.option("--json", "as_machine", is_flag=True, help="One JSON object instead of a table.")
def bench(name: str, as_machine: bool) -> None:
    """Measure NAME: medians of three runs, beside a baseline measured in turn with them."""
    figures = run(name)
    if as_machine:
        click.echo(as_json(name, figures))
    else:
        print_table(name, figures)


if __name__ == "__main__":
    command.run(main)
