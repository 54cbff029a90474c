import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from contract.order import Order
from producers.replay.command import replay
from producers.replay.spool import ReplaySpool
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """The command takes the signals of its process; the tests' process gets them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(replay, [str(argument) for argument in arguments])


def report(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return msgspec.json.decode(result.stdout)


def lines(spool: Path) -> list[bytes]:
    (file,) = spool.glob("*.ndjson")
    return file.read_bytes().splitlines(keepends=True)


def test_the_spool_holds_one_order_a_line_in_the_shared_shape(export: Path, mapping_file: Path, spool: Path) -> None:
    answer = report(export, "--mapping", mapping_file, "--spool", spool)
    orders = [msgspec.json.decode(line, type=Order) for line in lines(spool)]
    assert [order.order_id for order in orders] == ["1", "2", "C3", "4", "A5"]
    for order in orders:
        assert Decimal(repr(order.total)) == sum(line.quantity * Decimal(repr(line.unit_price)) for line in order.lines)
    assert (answer["orders"], answer["lines"], answer["written"], answer["finished"]) == (5, 7, 5, True)


def test_a_finished_job_says_so_and_does_nothing(export: Path, mapping_file: Path, spool: Path) -> None:
    arguments = (export, "--mapping", mapping_file, "--spool", spool)
    assert "Done: 5 orders" in run(*arguments).stdout
    written = lines(spool)
    again = run(*arguments)
    assert (again.exit_code, lines(spool)) == (0, written)
    assert "Nothing to do" in again.stdout


def test_a_limit_is_a_first_part_that_a_later_run_completes(export: Path, mapping_file: Path, spool: Path) -> None:
    arguments = (export, "--mapping", mapping_file, "--spool", spool)
    assert report(*arguments, "--limit", 2)["written"] == 2
    assert report(*arguments, "--limit", 1)["written"] == 0
    rest = report(*arguments, "--rate", 1000)
    assert (rest["earlier"], rest["written"], len(lines(spool))) == (2, 3, 5)


def test_days_cut_the_export_and_are_a_job_of_their_own(export: Path, mapping_file: Path, spool: Path) -> None:
    arguments = (export, "--mapping", mapping_file, "--spool", spool)
    july = report(*arguments, "--from", "2011-07-01", "--to", "2011-07-03", "--pace", 1e9)
    assert (july["orders"], july["lines"]) == (3, 4)
    assert report(*arguments)["written"] == 5
    assert len(list(spool.iterdir())) == 2


def test_the_spool_folder_is_the_agents_unless_said_otherwise(export: Path, mapping_file: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(f'[agent]\nspool = "{tmp_path}/watched"\nstate = "elsewhere"\n')
    answer = report(export, "--mapping", mapping_file, "--settings", settings)
    assert Path(answer["spool"]).parent == tmp_path / "watched"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from", "2012-01-01"), "no invoice in it, or none in the days asked for"),
        (("--mapping", "nowhere"), "mapping nowhere: neither a file"),
    ],
)
def test_a_job_that_cannot_be_done_leaves_nothing_behind(
    export: Path, mapping_file: Path, spool: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run(export, "--mapping", mapping_file, "--spool", spool, *arguments)
    assert isinstance(result.exception, ConfigError)
    assert message in str(result.exception)
    assert not spool.exists()


def test_an_export_with_headings_only_is_refused(tmp_path: Path, export: Path, mapping_file: Path, spool: Path) -> None:
    export.write_text(export.read_text().splitlines()[0] + "\n")
    result = run(export, "--mapping", mapping_file, "--spool", spool)
    assert "no invoice in it" in str(result.exception)
    assert not spool.exists()


def test_two_speeds_at_once_are_refused(export: Path, mapping_file: Path, spool: Path) -> None:
    result = run(export, "--mapping", mapping_file, "--spool", spool, "--pace", 1, "--rate", 1)
    assert result.exit_code == 2
    assert "--pace and --rate exclude each other" in result.output


def test_a_spool_with_more_lines_than_the_job_is_not_touched(export: Path, mapping_file: Path, spool: Path) -> None:
    report(export, "--mapping", mapping_file, "--spool", spool)
    (file,) = spool.iterdir()
    with ReplaySpool(file) as writer:
        writer.append([b"{}\n"])
    result = run(export, "--mapping", mapping_file, "--spool", spool)
    assert "holds more lines than the export has invoices" in str(result.exception)
