"""The cost model: its laws at any rate and with any levers, and what it says of the target."""

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.keeper.cadence import Cadence
from infra.aws.cost.levers import TARGET, TARGET_RATE, levers, thrifty
from infra.aws.cost.model import Estimate, estimate, on_lambda
from infra.aws.cost.sizing import DEV, ENDPOINTS, PROD, Choice, Sizing
from infra.aws.cost.tables import prices_of, regions, sizes
from infra.aws.cost.traffic import millions
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit

CHOICE = Choice(transport="kinesis", mode="on-demand", aggregated=True, cadence=Cadence.always(15.0), backup=True)
RATES = st.floats(0.1, 100_000.0)
CHOICES = st.builds(
    Choice,
    transport=st.sampled_from(["kinesis", "kafka"]),
    mode=st.sampled_from(["on-demand", "provisioned"]),
    aggregated=st.booleans(),
    cadence=st.builds(
        lambda by_night, by_day, hour: Cadence(by_hour=(by_night,) * hour + (by_day,) * (24 - hour), zone=dt.UTC),
        st.floats(1.0, 86_400.0),
        st.floats(1.0, 86_400.0),
        st.integers(0, 24),
    ),
    backup=st.booleans(),
)
SIZINGS = st.sampled_from([DEV, PROD])


def of(rate: float, choice: Choice = CHOICE, sizing: Sizing = PROD, region: str = "eu-west-2") -> Estimate:
    return estimate(rate, prices=prices_of(region), sizes=sizes(), sizing=sizing, choice=choice)


@given(RATES, CHOICES, SIZINGS)
def test_lines_sum_to_the_total_and_marginal_times_volume_plus_fixed_is_the_total(
    rate: float, choice: Choice, sizing: Sizing
) -> None:
    found = of(rate, choice, sizing)
    assert found.total == pytest.approx(sum(line.total for line in found.lines))
    assert found.fixed + found.marginal * millions(rate) == pytest.approx(found.total)
    assert found.per_million * found.millions == pytest.approx(found.total)
    assert all(line.total >= 0 and line.marginal >= -1e-9 for line in found.lines)
    assert 0 <= found.kept <= found.marginal


@given(RATES, RATES, CHOICES, SIZINGS)
def test_more_events_never_cost_less(one: float, other: float, choice: Choice, sizing: Sizing) -> None:
    less, more = sorted((one, other))
    assert of(less, choice, sizing).total <= of(more, choice, sizing).total * (1 + 1e-9)


@given(RATES, CHOICES, SIZINGS, st.sampled_from(sorted(regions())))
def test_aggregated_is_never_dearer_than_plain(rate: float, choice: Choice, sizing: Sizing, region: str) -> None:
    packed = of(rate, replace(choice, aggregated=True), sizing, region)
    plain = of(rate, replace(choice, aggregated=False), sizing, region)
    assert packed.total <= plain.total * (1 + 1e-9)


@given(RATES, CHOICES, st.floats(1.0, 10.0))
def test_a_calmer_cadence_never_costs_more(rate: float, choice: Choice, times: float) -> None:
    calmer = replace(choice.cadence, by_hour=tuple(every_s * times for every_s in choice.cadence.by_hour))
    assert of(rate, replace(choice, cadence=calmer)).total <= of(rate, choice).total * (1 + 1e-9)


def test_a_warehouse_is_awake_a_minute_a_load_at_least_and_never_more_than_always() -> None:
    def awake(cadence: Cadence) -> float:
        return sum(line.total for line in of(10.0, replace(CHOICE, cadence=cadence)).lines if "awake" in line.item)

    rpu_hour = PROD.rpu * prices_of(PROD.region)["redshift.rpu"].usd
    asked = PROD.analyst_hours * 730 / 24
    assert awake(Cadence.always(15.0)) == pytest.approx(730 * rpu_hour)
    assert awake(Cadence.always(600.0)) == pytest.approx((730 / 10 + asked) * rpu_hour)
    at_night = Cadence(by_hour=(3_600.0,) * 12 + (600.0,) * 12, zone=dt.UTC)
    assert awake(at_night) == pytest.approx((730 / 20 + 730 / 120 + asked) * rpu_hour)


def test_firehose_counts_a_plain_order_as_five_kib() -> None:
    def taken(choice: Choice) -> float:
        return sum(line.total for line in of(1_000.0, choice).lines if line.item == "Firehose")

    gib = 1_000 * 5 * 1024 * 730 * 3600 / 2**30
    plain = replace(CHOICE, aggregated=False)
    assert taken(plain) == pytest.approx(gib * prices_of("eu-west-2")["firehose.in"].usd)
    assert taken(CHOICE) < taken(plain) / 5
    assert taken(replace(plain, backup=False)) == 0


def test_the_stages_of_every_transport_are_named_once_each() -> None:
    for choice in (CHOICE, replace(CHOICE, mode="provisioned"), replace(CHOICE, transport="kafka")):
        names = [(line.stage, line.item) for line in of(1_000.0, choice).lines]
        assert len(set(names)) == len(names)
        assert {"agent", "streams", "live", "OpenSearch", "cold", "lake", "keeper", "warehouse"} <= {
            at for at, _ in names
        }


def test_the_target_is_missed_as_deployed_and_nearly_met_with_all_levers() -> None:
    """The truth as docs/costs.md tells it: mend the page where a price or a size that is mended changes it."""
    sizing, choice = thrifty(PROD, CHOICE)
    for region in regions():
        pulled = of(TARGET_RATE, choice, sizing, region)
        assert of(TARGET_RATE, region=region).marginal > TARGET
        assert pulled.marginal < TARGET * 1.15
        assert pulled.marginal - pulled.kept < TARGET


def test_every_lever_saves_and_one_that_is_pulled_is_not_offered() -> None:
    asked = {"prices": prices_of("eu-west-2"), "sizes": sizes()}
    offered = levers(TARGET_RATE, sizing=PROD, choice=CHOICE, **asked)  # type: ignore[arg-type]
    assert all(each.marginal > 0 or each.total > 0 for each in offered)
    again = levers(TARGET_RATE, sizing=PROD, choice=replace(CHOICE, mode="provisioned"), **asked)  # type: ignore[arg-type]
    assert {each.name for each in offered} - {each.name for each in again} == {"--mode provisioned"}


def test_a_function_costs_more_where_there_is_more() -> None:
    asked = {"prices": prices_of("eu-west-2"), "sizes": sizes(), "sizing": PROD, "choice": CHOICE}
    assert 0 < on_lambda(10.0, **asked) < on_lambda(20_000.0, **asked)  # type: ignore[arg-type]


def test_both_regions_price_the_same_things_in_the_same_units() -> None:
    one, other = (regions()[name] for name in ("us-east-1", "eu-west-2"))
    assert {name: price.unit for name, price in one.items()} == {name: price.unit for name, price in other.items()}
    for region in regions().values():
        assert all(price.usd > 0 and price.source and price.unit for price in region.values())


def test_what_is_not_checked_says_what_it_stands_on() -> None:
    london, virginia = regions()["eu-west-2"], regions()["us-east-1"]
    for name, price in london.items():
        if not price.checked:
            assert price.source.startswith("us-east-1's price")
            times = 1.15 if "times" in price.source else 1.0
            assert price.usd == pytest.approx(virginia[name].usd * times)


def test_a_region_without_prices_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--region mars-1: there are prices of eu-west-2, us-east-1 only"):
        prices_of("mars-1")


def test_the_sum_has_as_many_endpoints_as_the_network() -> None:
    source = (Path(__file__).parents[3] / "infra/aws/stacks/network.py").read_text()
    listed = re.search(r"^ENDPOINTS = \{\n(.*?)^\}", source, re.MULTILINE | re.DOTALL)
    assert listed is not None
    assert len(listed[1].splitlines()) == ENDPOINTS
