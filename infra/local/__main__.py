"""`python -m infra.local`."""

from infra.local.commands import local
from infra.local.demo_commands import account, demo
from runtime.command import run

local.add_command(demo)
local.add_command(account)

if __name__ == "__main__":
    run(local)
