"""`python -m infra.local`."""

from infra.local.commands import local
from infra.local.demo_commands import demo
from runtime.command import run

local.add_command(demo)

if __name__ == "__main__":
    run(local)
