"""What a consumer process says of itself in its log, every so often."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from consumers.feeds import Feed
from consumers.tally import Tally

_log = logging.getLogger(__name__)

Sentence = Callable[[Counter[str], float], str]  # of counts, and of the longest delay (s)


@contextmanager
def reporting(tally: Tally, feeds: Sequence[Feed], every_s: float, sentence: Sentence) -> Iterator[None]:
    """Log a line every `every_s`, and a last one on leaving."""
    done = threading.Event()
    reporter = threading.Thread(target=_report, args=(tally, feeds, every_s, sentence, done), name="report")
    reporter.start()
    try:
        yield
    finally:
        done.set()
        reporter.join()


def _report(tally: Tally, feeds: Sequence[Feed], every_s: float, sentence: Sentence, done: threading.Event) -> None:
    finished = False
    while not finished:
        finished = done.wait(every_s)
        counts, slowest_s = tally.take()
        behind_ms = max((shard.millis_behind or 0 for feed in feeds for shard in feed.source.status()), default=0)
        _log.info("%s, %d ms behind", sentence(counts, slowest_s), behind_ms)
