"""`python -m infra.aws VERB`."""

import click

from infra.aws.cost.command import cost
from runtime.command import run


@click.group()
def aws() -> None:
    """Deploy to AWS, and know beforehand what it costs."""


aws.add_command(cost)

if __name__ == "__main__":
    run(aws)
