"""`python -m infra.local demo`, as a process, on all the real parts."""

import re
import signal
import subprocess

import psutil
import pytest
from opensearchpy import OpenSearch

from infra.local.testing import Commands

pytestmark = pytest.mark.integration


def hear(process: "subprocess.Popen[str]", words: str) -> str:
    """All that it says up to the line with `words`."""
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    assert process.stderr
    raise AssertionError(f"{words!r} was never said:\n{said}\n{process.stderr.read()}")


def figures(output: str) -> dict[str, set[int]]:
    """The account's rows: in all three stores."""
    rows = re.findall(r"^(\w[\w ]*?) {2,}(-?\d+) +(-?\d+) +(-?\d+)\b", output, re.MULTILINE)
    return {name: {int(value) for value in values} for name, *values in rows}


def lose_one_order(stack: Commands) -> None:
    """Delete a document from the store."""
    with OpenSearch(stack.settings().opensearch.url) as store:
        done = store.delete_by_query(index="orders-*", body={"query": {"match_all": {}}}, max_docs=1, refresh=True)
    assert done["deleted"] == 1


def test_ctrl_c_ends_the_sale_with_an_account_and_the_next_demo_goes_on_from_there(stack: Commands) -> None:
    with stack.start("demo", "--shoppers", "10") as process:
        opening = hear(process, "first order on the board")
        process.send_signal(signal.SIGINT)
        closing, errors = process.communicate(timeout=90)

    assert process.returncode == 0, (closing, errors)
    assert re.search(r"shop +http://127\.0\.0\.1:\d+ ", opening)
    assert re.search(r"board +http://127\.0\.0\.1:\d+ ", opening)
    assert "the account balances to the line" in closing
    sold = figures(closing)
    (emitted,), (orders,), (hits,) = sold["lines emitted"], sold["orders"], sold["hits"]
    assert orders + hits == emitted
    assert hits > orders > 0
    assert sold["missing"] == sold["in flight"] == {0}
    assert stack.processes() == []

    again = stack.run("demo", "--shoppers", "10", "--seconds", "1")

    assert again.returncode == 0, again
    (in_all,) = figures(again.stdout)["orders"]
    assert in_all >= orders
    assert stack.processes() == []


@pytest.mark.soak
def test_a_second_ctrl_c_does_not_wait_for_an_order_that_is_lost_and_the_next_demo_names_its_file(
    stack: Commands,
) -> None:
    with stack.start("demo", "--shoppers", "10") as process:
        hear(process, "first order on the board")
        lose_one_order(stack)
        process.send_signal(signal.SIGINT)
        hear(process, "draining")
        assert not waits(process, 3.0)
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=30)  # half of what the drain would take

    # As it is: the loss may be seen already, its line still be on its way, or the first heartbeat too.
    incomplete = "THE ACCOUNT IS INCOMPLETE" in said
    assert process.returncode == (3 if incomplete else 1), (said, errors)
    assert incomplete or re.search("DOES NOT BALANCE|balances so far|no agent was heard of", said), said
    assert stack.processes() == []

    stack.environ["STOREPULSE_LOCAL_DRAIN_S"] = "10"
    found = stack.run("demo", "--shoppers", "1", "--seconds", "1")

    assert found.returncode == 1, found
    assert re.search(r"opensearch: .*\.ndjson \(.*\) offsets 0\.\.\d+: \d+ lines emitted, \d+ found", found.stdout)
    assert re.search(r"offset \d+\.\.\d+ \w+: missing; held by raw, lake, warehouse", found.stdout), found.stdout
    assert figures(found.stdout)["missing"] == {0, 1}
    assert stack.processes() == []


@pytest.mark.soak
def test_over_kafka_the_account_balances_too_and_the_home_keeps_to_it(stack: Commands) -> None:
    with stack.start("demo", "--stream", "kafka", "--shoppers", "10") as process:
        hear(process, "first order on the board")
        process.send_signal(signal.SIGINT)
        closing, errors = process.communicate(timeout=90)

    assert process.returncode == 0, (closing, errors)
    assert "the account balances to the line" in closing
    (orders,), (hits,) = figures(closing)["orders"], figures(closing)["hits"]
    assert hits > orders > 0
    assert not stack.home.has_data_of("kinesis")

    mixed = stack.run("demo", "--stream", "kinesis", "--seconds", "1")
    assert mixed.returncode == 2
    assert "its streams are on kafka" in mixed.stderr
    # A start that was refused has left the settings as they were: a demo goes on over Kafka without being told.
    again = stack.run("demo", "--shoppers", "10", "--seconds", "1")

    assert again.returncode == 0, again
    (in_all,) = figures(again.stdout)["orders"]
    assert in_all >= orders
    assert not stack.home.has_data_of("kinesis")
    assert stack.processes() == []


def waits(process: "subprocess.Popen[str]", seconds: float) -> bool:
    """Whether it ends within `seconds`."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def test_a_demo_that_is_killed_leaves_no_process(stack: Commands) -> None:
    with stack.start("demo", "--shoppers", "2") as process:
        hear(process, "board  http")
        left = stack.processes()
        process.kill()

    _, alive = psutil.wait_procs(left, timeout=60)

    assert len(left) >= 11
    assert alive == []
