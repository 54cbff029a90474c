"""`python -m producers schema`: the order as JSON Schema, for storefront developers."""

import click

from contract.schema import published


@click.command()
def schema() -> None:
    """Print the JSON Schema of an order, as docs/order.schema.json has it."""
    click.echo(published(), nl=False)
