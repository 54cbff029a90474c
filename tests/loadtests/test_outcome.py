"""What a proof is broken by, and what it is not."""

import subprocess

import msgspec
import pytest

from loadtests.proof.costs import AgentCost, ProcessCost
from loadtests.proof.freshness import Freshness, Spread
from loadtests.proof.outcome import Proof, Rate, Request, Visits, broken
from loadtests.proof.reconcile import StoreProof
from loadtests.proof.thresholds import thresholds
from loadtests.sale import day
from loadtests.sale.day import take_account
from loadtests.sale.plan import Plan, RunFolder
from loadtests.shapes import sale_day

pytestmark = pytest.mark.unit

PLAN = Plan(run_id="r", seed=1, shape_name="x", orders=sale_day(), visits=None, settings_file="s.toml")
SPREAD = Spread(probes=9, p50=0.1, p95=0.1, p99=0.1, max=0.1)
STORE = StoreProof(
    store="lake",
    emitted=9,
    stored=9,
    dead=0,
    missing=0,
    duplicated=0,
    misjudged=0,
    altered=0,
    twice=0,
    undetected=0,
    foreign=0,
    foreign_orders=0,
    reasons={},
    faults=[],
)
KEPT = Proof(
    plan=PLAN,
    began_us=0,
    ended_us=1,
    rate=Rate(intended=9, written=9, on_time=9),
    minutes=[],
    stores=[STORE],
    account="balances",
    freshness=Freshness(
        probes=9,
        stores={"lake": SPREAD},
        unseen={"lake": 0},
        minutes=[],
        phases=[],
        catch_up_s={"lake": 0.0},
        judged_phases=["held"],
        judged={"lake": SPREAD},
        gaps={},
        recoveries=[],
    ),
    processes=[],
    lags=[],
    agent=AgentCost(refused=None, records=None, retries_max=None, troubles={}),
    requests=[],
    visits=None,
    stream_refusals=None,
    unreadable={},
    broken=[],
)
replace = msgspec.structs.replace


def said(**changes):
    return "\n".join(broken(replace(KEPT, **changes), thresholds()))


def plan(**changes):
    return replace(PLAN, **changes)


def request(name, requests, failures=0):
    return Request(method="POST", name=name, requests=requests, failures=failures, p50=1.0, p95=1.0, p99=1.0, max=1.0)


def grown(slope, lines):
    return ProcessCost(
        name="live",
        cpu_percent=1.0,
        cpu_percent_max=1.0,
        memory_mib=1.0,
        memory_mib_max=1.0,
        memory_slope_mib=slope,
        memory_slope_lines=lines,
        restarts=0,
    )


def test_a_run_that_keeps_everything_is_broken_by_nothing():
    assert said() == ""


def test_an_account_that_was_not_taken_does_not_balance_but_nobody_accounts_for_a_stream_without_an_agent():
    assert "the account: it was not taken; `python -m consumers account --settings s.toml` says why" in said(
        account=None
    )
    assert "the account: incomplete" in said(account="incomplete")
    assert said(account=None, plan=plan(into="stream")) == ""
    assert broken(replace(KEPT, account=None), replace(thresholds(), account=False)) == []


def test_an_order_of_another_worth_is_broken_by_name():
    assert "lake: 1 altered of 9 lines" in said(stores=[replace(STORE, altered=1)])


def test_what_no_sender_has_noted_is_a_fault_where_nobody_else_sells():
    stranger = [replace(STORE, foreign=1, foreign_orders=1)]
    assert "lake: 1 orders or letters that no sender has noted" in said(stores=stranger)
    assert said(stores=stranger, plan=plan(is_local=False)) == ""


def test_an_order_whose_thank_you_page_nobody_saw_may_be_there_but_a_letter_may_not():
    asked = [request("/checkout", 5), request("/checkout (order)", 5, failures=1)]
    assert said(stores=[replace(STORE, foreign=1, foreign_orders=1)], requests=asked) == ""
    assert "lake: 1 orders" in said(stores=[replace(STORE, foreign=2, foreign_orders=2)], requests=asked)
    assert "lake: 1 orders or letters" in said(stores=[replace(STORE, foreign=1)], requests=asked)


def test_visits_that_were_not_begun_or_failed_are_held_against_their_shares_and_uncounted_ones_were_not_made():
    shop = plan(visits=sale_day())
    assert said(plan=shop, visits=Visits(due=1000, begun=990, failed=9)) == ""
    assert "only 98.9% of 1,000 visits were begun" in said(plan=shop, visits=Visits(due=1000, begun=989, failed=0))
    assert "1.1% of 1,000 visits failed" in said(plan=shop, visits=Visits(due=1000, begun=1000, failed=11))
    assert "the visits were not counted" in said(plan=shop)
    assert said(plan=replace(shop, is_local=False)) == ""


def test_a_slope_of_memory_is_judged_where_five_million_lines_lie_under_it():
    assert "live: 1.01 MiB more a million lines" in said(processes=[grown(1.01, 5_000_000)])
    assert said(processes=[grown(1.01, 4_999_999), grown(1.0, 9_000_000), grown(None, 0)]) == ""


def test_an_account_of_an_earlier_proof_does_not_stand_in_for_one_that_could_not_be_taken(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    folder.account.write_text("{}")
    monkeypatch.setattr(day.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 2, stdout=b""))
    take_account(folder, "s.toml", wait_s=0)
    assert not folder.account.exists()
