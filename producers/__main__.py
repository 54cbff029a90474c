"""`python -m producers VERB`: what runs beside the shop.

Only the verb that is asked for is imported: what derives reference data would take the agent 70 MB.
"""

import importlib

import click

from runtime.command import run

VERBS = {
    "agent": "producers.agent.command",
    "drain": "producers.agent.drain_command",
    "status": "producers.agent.status_command",
    "reference": "producers.reference.command",
    "replay": "producers.replay.command",
    "schema": "producers.schema_command",
    "storefront": "producers.storefront.command",
}  # each in a module, under its own name


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = getattr(importlib.import_module(VERBS[cmd_name]), cmd_name)
        return command


@click.group(cls=_Verbs)
def producers() -> None:
    """Emit events: the agent beside the shop, replays of old exports, reference data, the demo storefront."""


if __name__ == "__main__":
    run(producers)
