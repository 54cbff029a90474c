"""`python -m infra.aws`."""

from infra.aws.commands import aws
from infra.aws.cost.command import cost
from runtime.command import run

aws.add_command(cost)

if __name__ == "__main__":
    run(aws)
