"""`python -m loadtests`: a sale day and its proof, drills, readiness, benchmarks, and checks against others' work."""

import click

from loadtests.bench.command import bench
from loadtests.drills.command import drill
from loadtests.judgement.command import judge
from loadtests.kcl.command import peer_kcl
from loadtests.proof.command import proof
from loadtests.readiness.command import readiness
from loadtests.sale.command import sale_day
from runtime import command


@click.group()
def main() -> None:
    """Rehearsals, what they prove, and benchmarks."""


for each in (sale_day, proof, drill, readiness, bench, judge, peer_kcl):
    main.add_command(each)

if __name__ == "__main__":
    command.run(main)
