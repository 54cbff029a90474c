"""Alarms and dashboard in an account: put, compared, put again; and what an operator is told."""

from typing import Any

import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from dashboards.__main__ import dashboards
from runtime.aws import client
from runtime.errors import ConfigError
from runtime.settings import Aws

# ministack forgets what an alarm computes of several metrics: there one of each kind is deployed.
TOLD = {"STOREPULSE_CLOUDWATCH_TICKET_TOPIC": "arn:aws:sns:eu-west-2:123456789012:ticket"}
SINGLE = {
    **TOLD,
    "STOREPULSE_CLOUDWATCH_LIVE": "storepulse-live-transactions",
    "STOREPULSE_CLOUDWATCH_COLD": "storepulse-cold-transactions",
    "STOREPULSE_CLOUDWATCH_STREAM": "storepulse-transactions",
}
SEVERAL = {
    **TOLD,
    "STOREPULSE_CLOUDWATCH_STREAM": "storepulse-transactions,storepulse-access",
    "STOREPULSE_CLOUDWATCH_CLUSTER": "storepulse",
    "STOREPULSE_CLOUDWATCH_SERVICE": "live,cold",
}


def run(aws: Aws, *arguments: str, **more: str) -> Result:
    environ = {
        "STOREPULSE_SETTINGS": None,
        "STOREPULSE_AWS_ENDPOINT": aws.endpoint,
        "STOREPULSE_AWS_ACCESS_KEY_ID": aws.access_key_id,
        "STOREPULSE_AWS_SECRET_ACCESS_KEY": aws.secret_access_key,
        **more,
    }
    return CliRunner().invoke(dashboards, ["cloudwatch", *arguments], env=environ)


@pytest.mark.unit
def test_in_memory_alarms_over_several_metrics_are_put_and_compared() -> None:
    with mock_aws():
        put_change_and_put_back(Aws(access_key_id="123456789012", secret_access_key="local"), SEVERAL)


@pytest.mark.integration
def test_put_again_changes_nothing_and_what_was_changed_by_hand_is_put_back(stack: Any) -> None:
    put_change_and_put_back(stack.aws, SINGLE)


def put_change_and_put_back(aws: Aws, names: dict[str, str]) -> None:
    missing = run(aws, "diff", **names)
    assert missing.exit_code == 1 and "alarm storepulse-live-lag: missing" in missing.output
    done = run(aws, "deploy", **names)
    assert (done.exit_code, done.output) == (0, missing.output)
    again = run(aws, "deploy", **names)
    assert (again.exit_code, again.output) == (0, "nothing to do\n")
    cloudwatch = client("cloudwatch", aws)
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["storepulse-refused"])["MetricAlarms"]
    assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (100.0, 5)
    same = ("AlarmName", "Namespace", "MetricName", "Statistic", "Period", "AlarmActions", "OKActions")
    told = {key: alarm[key] for key in (*same, "TreatMissingData")}
    cloudwatch.put_metric_alarm(**told, Threshold=1.0, EvaluationPeriods=5, ComparisonOperator="GreaterThanThreshold")
    cloudwatch.put_metric_alarm(
        **{**told, "AlarmName": "storepulse-by-hand"},
        Threshold=1.0,
        EvaluationPeriods=5,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.put_dashboard(DashboardName="storepulse", DashboardBody='{"widgets":[]}')
    changed = run(aws, "diff", **names).output
    assert "alarm storepulse-refused: differs: AlarmDescription, DatapointsToAlarm, Threshold" in changed
    assert "alarm storepulse-by-hand: not in the list" in changed
    assert "dashboard storepulse: differs" in changed
    assert run(aws, "deploy", **names).exit_code == 0
    assert run(aws, "diff", **names).output == "alarm storepulse-by-hand: not in the list\n"
    cloudwatch.delete_alarms(AlarmNames=["storepulse-by-hand"])
    assert run(aws, "diff", **names).exit_code == 0


@pytest.mark.unit
def test_alarms_that_would_tell_nobody_are_not_put_over_those_that_do() -> None:
    refused = run(Aws(), "deploy")
    assert isinstance(refused.exception, ConfigError) and "page_topic" in str(refused.exception)


@pytest.mark.unit
def test_cloudwatch_away_is_no_difference() -> None:
    away = run(
        Aws(access_key_id="123456789012", secret_access_key="local"),
        "deploy",
        **{**TOLD, "STOREPULSE_AWS_ENDPOINT": "http://127.0.0.1:9"},
    )
    assert away.exit_code == 3 and "run it again" in away.output
