"""Alarms and dashboard as an account has them, against the list's: what differs, and putting it there."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from dashboards.cloudwatch.alarms import PREFIX, AlarmSpec
from dashboards.cloudwatch.body import NAME
from runtime.aws_errors import code_of, naming_outages, one_line
from runtime.errors import ConfigError

Json = dict[str, Any]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as in the list."""

    what: str  # `alarm NAME`, `dashboard NAME`
    how: str  # missing, differs, or not in the list
    details: list[str] = []  # the keys that differ


class Account:
    """`cloudwatch` is a boto3 client."""

    def __init__(self, cloudwatch: Any) -> None:
        self._cloudwatch = cloudwatch

    def differences(self, wanted: Sequence[AlarmSpec], body: str) -> list[Difference]:
        """What differs. Raises Outage, ConfigError."""
        there = self._alarms()
        found = [each for spec in wanted for each in _compare(spec, there.get(spec.name))]
        ours = {spec.name for spec in wanted}
        found += [Difference(what=f"alarm {name}", how="not in the list") for name in there if name not in ours]
        stored = self._dashboard()
        if stored is None or _decoded(stored) != _decoded(body):
            found.append(Difference(what=f"dashboard {NAME}", how="missing" if stored is None else "differs"))
        return found

    def deploy(self, wanted: Sequence[AlarmSpec], body: str) -> list[Difference]:
        """Put what is missing or differs; what is not in the list is left alone. Returns what was put.

        Raises Outage, and ConfigError that names the first thing that CloudWatch does not take: what was put stays,
        and the next call goes on.
        """
        by_name, done = {spec.name: spec for spec in wanted}, []
        for each in self.differences(wanted, body):
            kind, _, name = each.what.partition(" ")
            if kind == "alarm" and name not in by_name:
                continue
            with _said(each.what):
                if kind == "alarm":
                    self._cloudwatch.put_metric_alarm(**by_name[name].request())
                else:
                    self._put_dashboard(body)
            done.append(each)
        return done

    def _put_dashboard(self, body: str) -> None:
        answer = self._cloudwatch.put_dashboard(DashboardName=NAME, DashboardBody=body)
        messages = [f"{each.get('DataPath', '')} {each.get('Message', '')}" for each in _messages(answer)]
        if messages:  # stored all the same: with widgets that show nothing
            raise ConfigError(f"dashboard {NAME}: CloudWatch has doubts: {'; '.join(messages)}")

    def _alarms(self) -> dict[str, Json]:
        with _said("DescribeAlarms"):
            pages = self._cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=PREFIX)
            return {alarm["AlarmName"]: alarm for page in pages for alarm in page.get("MetricAlarms", ())}

    def _dashboard(self) -> str | None:
        try:
            with naming_outages():
                return str(self._cloudwatch.get_dashboard(DashboardName=NAME)["DashboardBody"])
        except ClientError as error:
            if code_of(error) in {"ResourceNotFound", "DashboardNotFoundError", "ResourceNotFoundException"}:
                return None
            raise ConfigError(f"dashboard {NAME}: {one_line(error)}") from error


def _compare(spec: AlarmSpec, stored: Json | None) -> Iterator[Difference]:
    if stored is None:
        yield Difference(what=f"alarm {spec.name}", how="missing")
        return
    wanted = spec.request()
    # A metric where there was an expression, or the other way: what is stored has the other keys, too.
    keys = {*wanted, *({"Metrics", "MetricName"} & stored.keys())}
    details = sorted(key for key in keys if _plain(wanted.get(key)) != _plain(stored.get(key)))
    if details:
        yield Difference(what=f"alarm {spec.name}", how="differs", details=details)


def _plain(value: Any) -> Any:
    """Without what an empty list and none, an integer and its float make different."""
    if isinstance(value, Mapping):
        kept = {key: _plain(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each not in (None, [], {})}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value] or None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value or None


def _decoded(body: str) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body


def _messages(answer: Json) -> Sequence[Json]:
    return list(answer.get("DashboardValidationMessages", ()))


@contextmanager
def _said(what: str) -> Iterator[None]:
    try:
        with naming_outages():
            yield
    except ClientError as error:
        raise ConfigError(f"{what}: {one_line(error)}") from error
