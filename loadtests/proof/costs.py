"""What a run cost: CPU and memory of each process, lag of each application, what the agent was refused."""

import datetime as dt
import itertools
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from loadtests.proof.samples import Sample, Used

_PERIOD_S = 60
_FEWEST = 10  # samples that a slope is drawn through


class ProcessCost(msgspec.Struct, frozen=True, kw_only=True):
    """One process with its children, over the run."""

    name: str
    cpu_percent: float  # of one core: CPU time by time
    cpu_percent_max: float  # between two samples
    memory_mib: float  # at the end
    memory_mib_max: float
    memory_slope_mib: float | None  # a million lines sent, by its last pid; None: too few samples
    memory_slope_lines: int  # that were sent where it is drawn
    restarts: int  # times that another process had its name


class LagCost(msgspec.Struct, frozen=True, kw_only=True):
    """One application. Cold's lag includes the span that is open."""

    application: str
    max_s: float | None
    last_s: float | None
    shards: int  # at the end
    wrong: dict[str, int]  # what its status called wrong -> samples


class AgentCost(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent was refused. The counts are CloudWatch's; None where it has none."""

    refused: dict[str, int] | None  # entries by error code, each time they were
    records: int | None  # Kinesis records acknowledged
    retries_max: float | None  # of one record
    troubles: dict[str, int]  # what its status named -> samples


def acknowledged(samples: Sequence[Sample]) -> list[float]:
    """Lines that the agent has sent by each sample; one that was started again begins to count at 0."""
    found, before, total = [], 0, 0
    for sample in samples:
        lines = sum(sent.lines for sent in sample.agent.values())
        if sample.agent:
            total += lines - before if lines >= before else lines
            before = lines
        found.append(float(total))
    return found


def processes(samples: Sequence[Sample], began_us: int, ended_us: int, sent: Sequence[float]) -> list[ProcessCost]:
    """By name. `sent`: lines by the time of each sample; memory's slope is that of the time in which they were."""
    found = []
    for name in sorted({name for sample in samples for name in sample.processes}):
        points = [(sample.at_us, sample.processes[name]) for sample in samples if name in sample.processes]
        spells = [
            (after.cpu_s - before.cpu_s, (after_us - before_us) / 1e6)
            for (before_us, before), (after_us, after) in itertools.pairwise(points)
            if before.pid == after.pid and after_us > before_us
        ]
        meanwhile = [
            (lines, used)
            for sample, lines in zip(samples, sent, strict=True)
            if began_us <= sample.at_us <= ended_us and (used := sample.processes.get(name))
        ]
        slope, slope_lines = _slope(meanwhile)
        found.append(
            ProcessCost(
                name=name,
                cpu_percent=100 * sum(cpu_s for cpu_s, _ in spells) / sum(s for _, s in spells) if spells else 0.0,
                cpu_percent_max=max((100 * cpu_s / s for cpu_s, s in spells), default=0.0),
                memory_mib=points[-1][1].memory_mib,
                memory_mib_max=max(used.memory_mib for _, used in points),
                memory_slope_mib=slope,
                memory_slope_lines=slope_lines,
                restarts=sum(before.pid != after.pid for (_, before), (_, after) in itertools.pairwise(points)),
            )
        )
    return found


def _slope(points: Sequence[tuple[float, Used]]) -> tuple[float | None, int]:
    """MiB a million lines, and through how many lines. Of the last pid, once it has settled: the last two thirds."""
    last = [(lines, used.memory_mib) for lines, used in points if used.pid == points[-1][1].pid]
    settled = last[len(last) // 3 :]
    lines = settled[-1][0] - settled[0][0] if settled else 0
    if len(settled) < _FEWEST or not lines:
        return None, 0
    fitted = statistics.linear_regression([lines for lines, _ in settled], [mib for _, mib in settled])
    return fitted.slope * 1e6, round(lines)


def lags(samples: Sequence[Sample]) -> list[LagCost]:
    """By application."""
    found = []
    for name in sorted({name for sample in samples for name in sample.lag}):
        points = [sample.lag[name] for sample in samples if name in sample.lag]
        known = [point.lag_s for point in points if point.lag_s is not None]
        found.append(
            LagCost(
                application=name,
                max_s=max(known, default=None),
                last_s=points[-1].lag_s,
                shards=points[-1].shards,
                wrong=dict(Counter(text for point in points for text in point.wrong).most_common(10)),
            )
        )
    return found


def agent(samples: Sequence[Sample], cloudwatch: Any, namespace: str, since: dt.datetime) -> AgentCost:
    """`namespace` empty: nothing was counted. Raises nothing: what CloudWatch does not answer is not known."""
    troubles = Counter(text for sample in samples for sent in sample.agent.values() for text in sent.troubles)
    seen = dict(troubles.most_common(10))
    try:
        counts = _counts(cloudwatch, namespace, since) if namespace else None
    except (ClientError, BotoCoreError):
        counts = None
    if counts is None:
        return AgentCost(refused=None, records=None, retries_max=None, troubles=seen)
    return AgentCost(refused=counts[0], records=counts[1], retries_max=counts[2], troubles=seen)


def _counts(cloudwatch: Any, namespace: str, since: dt.datetime) -> tuple[dict[str, int], int, float]:
    refused: Counter[str] = Counter()
    records, retries = 0, 0.0
    until = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=2)
    for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace=namespace):
        for metric in page["Metrics"]:
            name, dimensions = metric["MetricName"], metric["Dimensions"]
            if name not in ("ErrorsByCode", "KinesisRecordsPut", "RetriesPerRecord"):
                continue
            points = cloudwatch.get_metric_statistics(
                Namespace=namespace,
                MetricName=name,
                Dimensions=dimensions,
                StartTime=since.replace(second=0, microsecond=0),
                EndTime=until,
                Period=_PERIOD_S,
                Statistics=["Sum", "Maximum"],
            )["Datapoints"]
            if name == "RetriesPerRecord":
                retries = max([retries, *(point["Maximum"] for point in points)])
            elif name == "KinesisRecordsPut":
                records += round(sum(point["Sum"] for point in points))
            else:
                code = next((each["Value"] for each in dimensions if each["Name"] == "ErrorCode"), "?")
                refused[code] += round(sum(point["Sum"] for point in points))
    return dict(refused), records, retries
