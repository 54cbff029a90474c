"""Live as a function of AWS Lambda: the same stages and the same store; the service reads the streams and checkpoints.

The handler is `consumers.lambda_process.handler`. Settings come from the environment alone, once per cold start.
"""

import os
import random
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from consumers.delivery import Shard, Sink
from consumers.live import LivePath
from consumers.reference.judges import judges_by, key_ring_of, snapshots_of
from consumers.reference.polling import Lookout
from consumers.settings import LambdaSettings
from consumers.sinks.opensearch.connection import connect
from consumers.sinks.opensearch.mappings import templates
from consumers.sinks.opensearch.sink import OpenSearchSink
from consumers.sinks.opensearch.templates import ensure_templates
from consumers.sources.lambda_.events import delivery_of
from consumers.sources.lambda_.metrics import Report
from consumers.sources.lambda_.turn import Context, Turn
from consumers.stages.judge import Judge
from consumers.tally import Tally
from runtime.clock import Clock, SystemClock
from runtime.errors import ConfigError
from runtime.settings import load

Answer = dict[str, list[dict[str, str]]]  # {"batchItemFailures": [{"itemIdentifier": sequence number}]}


class Function:
    """What a cold start makes and every invocation uses; one invocation at a time, as Lambda promises."""

    def __init__(
        self,
        settings: LambdaSettings,
        judges: Mapping[str, Judge],
        open_sink: Callable[[Callable[[int], None]], Sink],
        prepare: Callable[[], None],
        look: Callable[[], None],
        clock: Clock,
        *,
        wait: Callable[[float], object] = time.sleep,
        rng: random.Random | None = None,
    ) -> None:
        """`judges` by stream. `open_sink` is told who hears of duplicates. `prepare` readies the store once,
        `look` sees to keys and reference data at every invocation; both raise Outage while they cannot."""
        self._settings = settings
        self._judges = judges
        self._open_sink = open_sink
        self._prepare = prepare
        self._look = look
        self._clock = clock
        self._wait = wait
        self._rng = rng or random.Random()
        self._is_prepared = False

    def answer(self, event: object, context: Context, report: Report) -> Answer:
        """Every record before the one named is in the store; where none is named, all are.

        Raises BadEvent, ConfigError, and what no path should raise: then the event comes again as a whole.
        """
        delivery = delivery_of(event)
        if delivery is None:
            return {"batchItemFailures": []}
        stream = delivery.batch.shard.stream
        judge = self._judge_of(stream)
        report.about(stream)
        self._require_time(context)
        tally = Tally()

        def open_path(shard: Shard) -> LivePath:
            self._ready()
            sink = self._open_sink(lambda count: tally.add("duplicates", count))
            return LivePath(shard, judge, sink, tally, self._clock, window_days=self._settings.live.window_days)

        turn = Turn(context, self._settings.function, self._clock, self._wait, self._rng)
        taken = turn.take(delivery.batch, open_path)
        report.took(taken, *tally.take())
        failures = [] if taken.failed is None else [{"itemIdentifier": delivery.identifiers[taken.failed]}]
        return {"batchItemFailures": failures}

    def _judge_of(self, stream: str) -> Judge:
        if stream not in self._judges:
            known = ", ".join(sorted(self._judges))
            raise ConfigError(
                f"stream {stream} is none of {known}: set STOREPULSE_STREAMS_TRANSACTIONS or STOREPULSE_STREAMS_ACCESS"
            )
        return self._judges[stream]

    def _require_time(self, context: Context) -> None:
        left_s, longest_s = context.get_remaining_time_in_millis() / 1000, self._settings.opensearch.timeout_s
        if left_s <= longest_s:
            raise ConfigError(
                f"the function has {left_s:.0f} s, but one answer of the store may take {longest_s:g} s: raise its"
                " timeout, or lower STOREPULSE_OPENSEARCH_TIMEOUT_S"
            )

    def _ready(self) -> None:
        self._look()
        if not self._is_prepared:
            self._prepare()
            self._is_prepared = True


def start(environ: Mapping[str, str]) -> Function:
    """A function by the settings of `environ`; nothing is asked of the store yet. Raises ConfigError."""
    settings = load(LambdaSettings, file=Path(os.devnull), environ=environ)
    snapshots, clock = snapshots_of(settings), SystemClock()
    ring = key_ring_of(settings)
    judges = judges_by(settings, snapshots, ring)
    looks = [Lookout(ring, settings.identity.poll_s, clock, "identity keys").look]
    if snapshots is not None:
        looks.append(Lookout(snapshots, settings.reference.poll_s, clock).look)

    def look_at_all() -> None:
        for look in looks:
            look()

    streams = settings.streams
    client, rng = connect(settings.opensearch, connections=1), random.Random()
    wanted = templates(refresh_ms=settings.live.refresh_ms, replicas=settings.live.replicas)
    by_stream: dict[str, Judge] = {streams.transactions: judges.orders, streams.access: judges.access}
    return Function(
        settings,
        {stream: judge for stream, judge in by_stream.items() if stream},
        lambda on_duplicates: OpenSearchSink(client, rng, on_duplicates),
        lambda: ensure_templates(client, wanted),
        look_at_all,
        clock,
    )


def respond(
    event: object, context: Context, started: Callable[[], Function], say: Callable[[str], object], clock: Clock
) -> Answer:
    """Answer one event, and `say` a line of metrics of it, also of what is raised."""
    report = Report(clock)
    try:
        return started().answer(event, context, report)
    except Exception as error:
        report.critical(error)
        raise
    finally:
        say(report.line())


@cache
def _started() -> Function:
    return start(os.environ)


def handler(event: object, context: Context) -> Answer:
    """What Lambda calls."""
    return respond(event, context, _started, print, SystemClock())
