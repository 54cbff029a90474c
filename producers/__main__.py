"""`python -m producers VERB`: what runs beside the shop."""

import click

from producers.agent.command import agent
from producers.agent.drain_command import drain
from producers.agent.status_command import status
from producers.reference.command import reference
from producers.replay.command import replay
from producers.schema_command import schema
from producers.storefront.command import storefront
from runtime.command import run


@click.group()
def producers() -> None:
    """Emit events: the agent beside the shop, replays of old exports, reference data, the demo storefront."""


for command in (agent, drain, status, reference, replay, schema, storefront):
    producers.add_command(command)

if __name__ == "__main__":
    run(producers)
