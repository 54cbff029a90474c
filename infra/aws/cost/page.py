"""An estimate for people and for machines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.aws.cost.levers import TARGET, TARGET_RATE, Lever
from infra.aws.cost.model import Estimate
from infra.aws.cost.sizing import Choice
from infra.aws.cost.tables import Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was asked, and what it costs."""

    profile: str
    region: str
    choice: Choice
    cadence: str  # as it was given
    estimates: Sequence[Estimate]
    on_lambda: Sequence[float]  # dollars a month, of each rate: live as a function
    levers: Sequence[Lever]  # at the rate of the target
    at_target: Estimate
    prices: Mapping[str, Price]

    @property
    def unchecked(self) -> list[str]:
        """Prices that nothing public was found for."""
        return sorted(name for name, price in self.prices.items() if not price.checked)


def as_json(answer: Answer) -> dict[str, Any]:
    """Dollars; rates are events a second."""
    choice = answer.choice
    return {
        "profile": answer.profile,
        "region": answer.region,
        "transport": choice.transport,
        "mode": choice.mode if choice.transport == "kinesis" else "serverless",
        "aggregated": choice.aggregated and choice.transport == "kinesis",
        "backup": choice.is_backed_up,
        "warehouse_cadence": answer.cadence,
        "rates": [
            {
                "rate": each.rate,
                "million_events_a_month": each.millions,
                "total_a_month": each.total,
                "fixed_a_month": each.fixed,
                "marginal_a_million": each.marginal,
                "of_it_kept": each.kept,
                "all_by_million": each.per_million,
                "live_on_lambda_a_month": function,
                "lines": [
                    {
                        "stage": line.stage,
                        "item": line.item,
                        "fixed_a_month": line.fixed,
                        "marginal_a_million": line.marginal,
                        "total_a_month": line.total,
                        "all_by_million": line.total / each.millions,
                    }
                    for line in each.lines
                ],
            }
            for each, function in zip(answer.estimates, answer.on_lambda, strict=True)
        ],
        "target": {
            "rate": TARGET_RATE,
            "marginal_a_million": TARGET,
            "found": answer.at_target.marginal,
            "met": answer.at_target.marginal < TARGET,
        },
        "levers": [
            {"lever": each.name, "for": each.price, "marginal_a_million": each.marginal, "a_month": each.total}
            for each in answer.levers
        ],
        "unchecked_prices": answer.unchecked,
    }


def show(answer: Answer, console: Console) -> None:
    """A table with a row a stage, sums below, and what stands behind them."""
    console.print(_table(answer))
    marginal = answer.at_target.marginal
    verdict = "met" if marginal < TARGET else f"missed by {marginal - TARGET:.3f}"
    console.print(
        f"One million more at {TARGET_RATE:,.0f}/s: {marginal:.3f} $, of it {answer.at_target.kept:.3f} to keep them"
        f" until they are too old. Target {TARGET:.2f}: {verdict}."
    )
    for lever in answer.levers:
        console.print(
            f"  {lever.name}: {-lever.marginal:+.3f} $ a million, {-lever.total:+,.0f} $ a month; {lever.price}"
        )
    months = ", ".join(
        f"{each.rate:,.0f}/s {usd:,.2f} $" for each, usd in zip(answer.estimates, answer.on_lambda, strict=True)
    )
    console.print(f"Live on Lambda in place of its tasks, a month: {months}.")
    if answer.unchecked:
        console.print(
            f"{len(answer.unchecked)} of {len(answer.prices)} prices could not be checked against public material:"
            f" {', '.join(answer.unchecked)} (infra/aws/cost/prices.toml says where they come from)."
        )


def _table(answer: Answer) -> Table:
    choice = answer.choice
    stream = "MSK Serverless" if choice.transport == "kafka" else f"Kinesis {choice.mode}"
    packed = "" if choice.transport == "kafka" else ", aggregated" if choice.aggregated else ", plain"
    table = Table(
        title=f"{answer.profile}, {answer.region}: {stream}{packed}, warehouse every {answer.cadence} s; US dollars",
        title_justify="left",
    )
    table.add_column("stage")
    for each in answer.estimates:
        table.add_column(f"{each.rate:,.0f}/s\na month", justify="right")
        table.add_column("a million\nmore", justify="right")
    for stage in dict.fromkeys(line.stage for line in answer.estimates[0].lines):
        cells = []
        for each in answer.estimates:
            lines = [line for line in each.lines if line.stage == stage]
            cells += [f"{sum(line.total for line in lines):,.2f}", f"{sum(line.marginal for line in lines):.4f}"]
        table.add_row(stage, *cells)
    table.add_section()
    sums: list[str] = []
    for each in answer.estimates:
        sums += [f"{each.total:,.2f}", f"{each.marginal:.4f}"]
    table.add_row("sum", *sums)
    ways = []
    for each in answer.estimates:
        ways += [f"{each.per_million:,.4f}", ""]
    table.add_row("all of it, by the million", *ways)
    return table
