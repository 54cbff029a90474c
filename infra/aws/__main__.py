"""`python -m infra.aws`."""

from infra.aws.commands import aws
from runtime.command import run

if __name__ == "__main__":
    run(aws)
