"""A proof, from what a run's folder holds and stores that are tables here."""

import threading
from types import MappingProxyType

import pytest

from loadtests.proof import prove as module
from loadtests.proof.holdings import Held
from loadtests.proof.prove import prove
from loadtests.proof.reconcile import Reconciliation
from loadtests.proof.thresholds import thresholds
from loadtests.sale.ledger import Intended, Ledger
from loadtests.sale.plan import Plan, RunFolder
from loadtests.sale.settings import SaleSettings
from loadtests.shapes import Knot, Phase, Shape
from runtime.outage import Outage

pytestmark = pytest.mark.unit

EIGHT = 28_800_000_000  # 08:00:00, in microseconds
HELD = Shape(knots=(Knot(0.0, 1.0), Knot(3.0, 1.0)), phases=(Phase(name="held", start_s=0.0, end_s=3.0),))


@pytest.fixture
def proven(tmp_path, monkeypatch):
    """The proof of three orders, the first one emitted twice, by stores that hold these rows in each look."""
    monkeypatch.setattr(module, "client", lambda *_: None)

    def proven(*looks, files=(), how=MappingProxyType({}), **changes):
        folder = RunFolder(tmp_path / "run")
        folder.make(Plan(run_id="r", seed=1, shape_name="x", orders=HELD, visits=None, settings_file="s", **changes))
        with Ledger(folder.intended, folder.probes, "one") as ledger:
            for n in range(3):
                due_us = EIGHT + n * 1_000_000
                ledger.add(Intended(f"r-{n}", "event", "", 2 - bool(n), due_us, due_us, 7), is_probe=True)
        for name, text in files:
            (folder.root / name).write_text(text)
        left = list(looks)

        def rows():
            if not (found := left.pop(0)):
                raise Outage("away")
            yield from found

        monkeypatch.setattr(module, "holdings_of", lambda settings, span: [("lake", rows)])
        monkeypatch.setattr(module, "_AGAIN_S", 0.001)
        return prove(folder, SaleSettings(), thresholds(), wait_s=60.0 * (len(looks) > 1), **how)

    return proven


def orders(*numbers, total=7):
    return [Held("lake", "order", f"r-{n}", f"O-r-{n}", None, "", total, total) for n in numbers]


SECOND = Held("lake", "duplicate", "r-0", None, None, "")


def test_stores_are_asked_again_while_something_is_missing_and_the_ledgers_are_read_once(proven, monkeypatch):
    read = []
    intend = Reconciliation.intend
    monkeypatch.setattr(Reconciliation, "intend", lambda self, files: read.append(files) or intend(self, files))
    proof = proven(orders(0), None, [*orders(0, 1, 2), SECOND])
    (lake,) = proof.stores
    assert (lake.missing, lake.duplicated, lake.altered, lake.undetected, lake.foreign) == (0, 0, 0, 0, 0)
    assert (len(read), proof.unreadable) == (1, {})


def test_a_look_that_began_in_time_is_followed_by_another_however_long_it_took(proven, monkeypatch):
    """What it missed may have come while it was read."""
    times = iter([0.0, 0.0, 600.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(times))
    assert proven(orders(0), orders(0, 1)).stores[0].missing == 1


def test_what_takes_long_is_told_of_and_ends_when_it_is_to(proven, monkeypatch):
    monkeypatch.setattr(module, "_TOLD", 2)
    said, stop = [], threading.Event()
    stop.set()
    proof = proven(orders(0, 1, 2), how={"say": said.append, "stop": stop})
    assert (said[0], list(proof.unreadable)) == ("lake: 2 rows read", ["lake"])


def test_without_a_board_nothing_is_said_of_it(proven):
    assert list(proven(orders(0, 1, 2)).freshness.unseen) == ["opensearch", "lake", "warehouse"]


def test_with_a_board_it_is_watched_too(proven):
    assert "board" in proven(orders(0, 1, 2), board_url="http://b").freshness.unseen


def test_duplicates_of_what_no_agent_sent_are_not_judged(proven):
    assert proven(orders(0, 1, 2), into="stream").stores[0].undetected == 0


def test_an_order_that_a_stage_gave_another_total_is_found(proven):
    assert proven([*orders(0, 1), *orders(2, total=8), SECOND]).stores[0].altered == 1


def test_what_locusts_users_have_counted_is_shown_and_what_was_cut_off_was_not_counted(proven):
    files = [
        ("visits.json", '{"due": 9, "begun": 8, "failed": 1}'),
        ("stream_refusals.json", '{"ProvisionedThroughputExceededException": 3}'),
        ("account.json", '{"version": 1, "taken'),
    ]
    proof = proven(orders(0, 1, 2), files=files)
    assert (proof.visits.due, proof.visits.begun, proof.visits.failed) == (9, 8, 1)
    assert proof.stream_refusals == {"ProvisionedThroughputExceededException": 3}
    assert proof.account is None and any("the account: it was not taken" in line for line in proof.broken)
