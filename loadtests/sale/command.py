"""`python -m loadtests sale-day`: a rehearsal, on this machine or against an account."""

import datetime as dt
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from infra.local import pipeline
from infra.local.home import Home
from infra.local.settings import LocalSettings
from infra.local.supervisor import Supervisor
from loadtests.proof.command import console_of, prove_run
from loadtests.proof.report import as_json
from loadtests.sale.away import help_out, rehearse_away
from loadtests.sale.day import rehearse
from loadtests.sale.export_hour import busiest_hour
from loadtests.sale.load import MASTER_PORT, Locust
from loadtests.sale.plan import PLANTED, Plan, RunFolder
from loadtests.shapes import SHAPES, Shape
from runtime.command import stop_on_signals, with_settings
from runtime.errors import ConfigError

LOCUST, MASTER = "locust", "locust-master"
_NOT_PROVEN = (
    "nothing is proven yet: once the helpers have ended, copy their `intended` and `probes` into {run}, append their"
    " `sightings.csv` to the one there, and run `python -m loadtests proof {run}`"
)
_HURRIED_S = 300.0  # a shorter run is over before history has gone once round at its own pace


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options that make a plan."""

    shape: str
    export: Path | None
    mapping: str
    seconds: float | None
    minutes: float
    peak: float
    visits: float
    seed: int
    planted: float
    processes: int  # of Locust, here
    workers: int  # on other machines, in their place
    into: str

    def orders(self) -> Shape:
        """Raises ConfigError for an export that is none."""
        found = busiest_hour(self.export, self.mapping) if self.export else SHAPES[self.shape]()
        return found.stretched(self.seconds or 60 * self.minutes).peaking_at(self.peak)

    def plan(self, settings_file: str, shop_url: str, board_url: str, *, is_local: bool = True) -> Plan:
        """The plan of a run that begins now."""
        orders = self.orders()
        return Plan(
            run_id=f"r{dt.datetime.now(dt.UTC):%m%d%H%M%S}{secrets.token_hex(2)}",
            seed=self.seed,
            shape_name=self.export.name if self.export else self.shape,
            orders=orders,
            visits=orders.peaking_at(self.visits) if self.visits and shop_url else None,
            planted=self.planted,
            senders=self.workers or self.processes,
            processes=self.workers or self.processes,
            into="stream" if self.into == "stream" else "spool",
            settings_file=settings_file,
            shop_url=shop_url,
            board_url=board_url,
            is_local=is_local,
        )


@click.command("sale-day")
@click.option("--shape", type=click.Choice(sorted(SHAPES)), default="sale-day", show_default=True, help="What happens.")
@click.option(
    "--export",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV or Parquet: its busiest hour is the shape instead.",
)
@click.option("--mapping", default="online-retail", show_default=True, help="What the export's columns mean.")
@click.option("--minutes", type=click.FloatRange(min=0.1, max=600), default=10.0, show_default=True, help="How long.")
@click.option("--seconds", type=click.FloatRange(min=6), help="How long, in place of --minutes.")
@click.option(
    "--peak",
    type=click.FloatRange(min=0.1),
    default=720.0,
    show_default=True,
    help="Orders/s at the shape's highest: of a sale day its 36x burst, so that 20 are ordinary and 200 the step.",
)
@click.option(
    "--visits", type=click.FloatRange(min=0), default=4.0, show_default=True, help="Shop visits/s then; 0: no shop."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same orders and the same bad ones again.")
@click.option(
    "--planted", type=click.FloatRange(0, 1), default=PLANTED, show_default=True, help="Share of lines that are bad."
)
@click.option("--processes", type=click.IntRange(1, 64), default=1, show_default=True, help="Of Locust, here.")
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True, help="Of Locust, on other machines.")
@click.option("--bind", default="127.0.0.1", show_default=True, help="Where those find this machine.")
@click.option("--join", default="", help="HOST:PORT of a rehearsal elsewhere: only help it, with the plan in --run.")
@click.option("--into", type=click.Choice(["spool", "stream"]), default="spool", show_default=True)
@click.option(
    "--against", type=click.Path(path_type=Path), help="Settings of a stack that runs: an account's, or `up`'s."
)
@click.option("--shop", "shop_url", default="", help="With --against: address of the shop.")
@click.option("--board", "board_url", default="", help="With --against: address of the board.")
@click.option("--headless/--web", default=False, show_default="web", help="Without or with Locust's page.")
@click.option("--run", type=click.Path(file_okay=False, path_type=Path), help="Folder of the run; must be a new one.")
@click.option(
    "--wait", "wait_s", type=click.FloatRange(min=0), default=180.0, show_default=True, help="For the stores."
)
@click.option("--json", "as_machine", is_flag=True, help="The proof as one JSON object instead of tables.")
@with_settings(LocalSettings, default_may_be_absent=True)
def sale_day(
    settings: LocalSettings,
    against: Path | None,
    shop_url: str,
    board_url: str,
    bind: str,
    join: str,
    headless: bool,
    run: Path | None,
    wait_s: float,
    as_machine: bool,
    **options: object,
) -> None:
    """Rehearse a sale day, then prove that nothing was lost and how fresh each store was.

    Starts a stack of its own in the run's folder, unless --against names settings. Ctrl-C ends it; then
    `python -m loadtests proof RUN` says what became of what was sent.

    Exit code 0: all was sent, and every threshold of loadtests/thresholds.toml is kept. 1: not so. 2: the settings or
    options are wrong. With --workers the proof comes later, once their files are here: 0 says that all was sent.
    """
    asked = Asked(**options)  # type: ignore[arg-type]
    console, stop = console_of(as_machine), stop_on_signals()
    if asked.workers:
        _check_reach(bind, against)
    if join:
        if run is None:
            raise ConfigError("--join needs --run: a folder with the rehearsal's own plan.json")
        sys.exit(help_out(RunFolder(run.absolute()), settings, console, stop, join=join, processes=asked.processes))
    folder = RunFolder((run or _new_run(settings)).absolute())
    # What cannot be a run is refused before anything starts.
    folder.check_unused()
    asked.orders()
    home = Home(root=folder.home, downloads=Home.of(settings.local).downloads)
    with Supervisor(home, console, stop=stop) as stack:
        ports = stack.ports_for([LOCUST, MASTER])
        locust = Locust(
            web_port=None if headless else ports[LOCUST],
            master_port=MASTER_PORT if asked.workers else ports[MASTER],
            processes=asked.processes,
            expected_workers=asked.workers,
            bind=bind,
        )
        if against is None:
            code = rehearse(stack, settings, folder, asked.plan, locust, history=_history(asked))
        else:
            plan = asked.plan(str(against.absolute()), shop_url, board_url, is_local=False)
            code = rehearse_away(stack, folder, plan, locust)
        found = None if asked.workers else prove_run(folder, console, stop, wait_s=wait_s)
    if code:
        console.print("Locust could not send all that was intended; see locust.log in the run's folder")
    if found is None:
        console.print(_NOT_PROVEN.format(run=folder.root), markup=False, highlight=False, soft_wrap=True)
    elif as_machine:
        click.echo(as_json(found))
    sys.exit(1 if code or (found and found.broken) else 0)


def _check_reach(bind: str, against: Path | None) -> None:
    """Raises ConfigError where workers on other machines would find neither this one nor the stack."""
    if bind == "127.0.0.1":
        raise ConfigError("--workers on other machines cannot find 127.0.0.1; give this one's address with --bind")
    if against is None:
        raise ConfigError("--workers on other machines cannot reach a stack of this one's; name another with --against")


def _history(asked: Asked) -> Mapping[str, str]:
    return pipeline.HURRIED if asked.orders().seconds < _HURRIED_S else {}


def _new_run(settings: LocalSettings) -> Path:
    return Path(settings.local.home) / "runs" / f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}"
