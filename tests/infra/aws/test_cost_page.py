"""docs/costs.md says what the command says."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.aws.cost.command import cost

pytestmark = pytest.mark.unit

PAGE = Path(__file__).resolve().parents[3] / "docs" / "costs.md"
THRIFTY = "--mode provisioned --no-backup --hot-days 3 --warehouse-months 6"
OPTIONS = ("", "--plain", "--mode provisioned", "--transport kafka", THRIFTY)


@pytest.mark.parametrize("region", ["eu-west-2", "us-east-1"])
@pytest.mark.parametrize("options", OPTIONS)
def test_the_page_has_the_figures_of_the_command(region: str, options: str) -> None:
    words = ["--profile", "prod", "--region", region, "--json", *options.split()]
    done = CliRunner().invoke(cost, words, catch_exceptions=False)
    assert row(region, options, done.output) in PAGE.read_text().splitlines()


def row(region: str, options: str, told: str) -> str:
    """A line of the page's table."""
    cells = [region, f"`{options}`" if options else "as deployed"]
    for each in json.loads(told)["rates"]:
        cells += [f"{each['total_a_month']:,.0f}", f"{each['marginal_a_million']:.3f}"]
    return f"| {' | '.join(cells)} |"
