"""`python -m infra.aws cost` as it is called."""

import json

import pytest
from click.testing import CliRunner

from infra.aws.cost.command import cost
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit


def answer(*options: str) -> str:
    done = CliRunner().invoke(cost, ["--profile", "prod", *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_table_has_every_stage_and_says_whether_the_target_is_met() -> None:
    told = answer()
    for word in (
        "agent",
        "streams",
        "OpenSearch",
        "warehouse",
        "backup",
        "sum",
        "Live on Lambda",
        "could not be checked",
    ):
        assert word in told
    assert "Target 0.15: missed by" in told
    thrifty = ["--mode", "provisioned", "--no-backup", "--hot-days", "3", "--warehouse-months", "3"]
    assert "Target 0.15: met" in answer(*thrifty, "--region", "us-east-1")


def test_json_has_the_lines_of_each_rate_and_they_sum_to_the_total() -> None:
    told = json.loads(answer("--json"))
    assert [each["rate"] for each in told["rates"]] == [10.0, 1_000.0, 20_000.0]
    for each in told["rates"]:
        assert sum(line["total_a_month"] for line in each["lines"]) == pytest.approx(each["total_a_month"])
        assert each["fixed_a_month"] + each["marginal_a_million"] * each["million_events_a_month"] == pytest.approx(
            each["total_a_month"]
        )
    assert told["target"]["met"] is (told["target"]["found"] < 0.15)
    assert "redshift.rpu" in told["unchecked_prices"]


def test_levers_change_what_they_name() -> None:
    def month(*options: str) -> float:
        (only,) = json.loads(answer("--json", "--rate", "1000", *options))["rates"]
        return float(only["total_a_month"])

    assert month("--plain") > month() > month("--mode", "provisioned")
    assert month() > month("--warehouse-cadence", "00-07:3600,07-24:300") > month("--warehouse-cadence", "3600")
    assert month() > month("--no-backup")
    assert month("--transport", "kafka", "--plain") == month("--transport", "kafka")
    assert month("--region", "us-east-1") < month()


def test_what_is_wrong_is_said_with_what_to_change() -> None:
    def refused(*options: str) -> str:
        with pytest.raises(ConfigError) as error:
            answer(*options)
        return str(error.value)

    assert refused("--rate", "0") == "--rate 0: give events a second, above 0 and at most 1,000,000"
    assert "there are prices of eu-west-2, us-east-1 only" in refused("--region", "eu-central-9")
    assert refused("--warehouse-cadence", "often").startswith("--warehouse-cadence: 'often' is not understood")
    missing = CliRunner().invoke(cost, [])
    assert missing.exit_code == 2
    assert "--profile" in missing.output
