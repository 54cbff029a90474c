"""Ports: free ones unless asked for, refused with the part's name when taken."""

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from infra.local import ports
from infra.local.home import Home
from infra.local.supervisor import Supervisor
from runtime.errors import ConfigError

pytestmark = pytest.mark.unit


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind((ports.HOST, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_free_ports_differ_and_lie_below_the_ephemeral_range() -> None:
    chosen = ports.choose(["a", "b", "c"], {}, random.Random(1))

    assert len(set(chosen.values())) == 3
    assert max(chosen.values()) < 32768


def test_a_wanted_port_is_given_and_zero_means_any() -> None:
    free = ports.choose(["x"], {}, random.Random(2))["x"]

    chosen = ports.choose(["a", "b"], {"a": free, "b": 0}, random.Random(2))

    assert chosen["a"] == free
    assert chosen["b"] not in (0, free)


def test_a_stack_gives_out_no_port_twice_and_the_same_ones_the_next_time(tmp_path: Path) -> None:
    def chosen() -> list[dict[str, int]]:
        stack = Supervisor(Home(root=tmp_path, downloads=tmp_path), Console(quiet=True))
        return [stack.ports_for(["a", "b"]), stack.ports_for(["a", "b"]), stack.ports_for(["c"])]

    first = chosen()

    assert len({port for each in first for port in each.values()}) == 5
    assert chosen() == first


def test_a_port_in_use_is_refused_with_its_number_and_part(taken: int) -> None:
    with pytest.raises(ConfigError, match=rf"^port {taken} for kinesis is in use; .*--port kinesis=PORT"):
        ports.choose(["kinesis"], {"kinesis": taken}, random.Random(1))


def test_one_port_for_two_parts_is_refused() -> None:
    free = ports.choose(["x"], {}, random.Random(3))["x"]

    with pytest.raises(ConfigError, match="asked for twice"):
        ports.choose(["a", "b"], {"a": free, "b": free}, random.Random(1))


def test_options_are_read_by_part() -> None:
    assert ports.parse(["a=9200", "b=0"], ["a", "b"]) == {"a": 9200, "b": 0}


@pytest.mark.parametrize("option", ["nope=1", "a", "a=", "a=x", "a=-1", "a=65536"])
def test_an_option_that_is_neither_part_nor_port_is_refused(option: str) -> None:
    with pytest.raises(ConfigError, match=f"--port {option}"):
        ports.parse([option], ["a", "b"])
