"""What the pipeline expects to find: its stream, a catalogue, and the key behind customer hashes."""

import secrets
from contextlib import suppress
from typing import Any

import msgspec

from contract.identity import IdentityKey
from infra.local.endpoints import Endpoints
from infra.local.home import Home
from producers.storefront.shelf import SHIPPED
from runtime.aws import client
from runtime.whole_file import write_whole


def prepare_files(home: Home) -> None:
    """Create what is absent; what is there is left alone."""
    make_identity_key(home)
    make_catalogue(home)


def prepare_stream(endpoints: Endpoints) -> None:
    """The stream that the agent sends to, unless it is there."""
    make_stream(client("kinesis", endpoints.aws), endpoints.streams.transactions)


def make_catalogue(home: Home) -> None:
    """The demo shop's own, where none has been published yet."""
    if not home.catalogue.exists():
        write_whole(home.catalogue, SHIPPED.read_bytes())


def make_stream(kinesis: Any, name: str) -> None:
    """An on-demand stream, active on return."""
    with suppress(kinesis.exceptions.ResourceInUseException):  # from an earlier run
        kinesis.create_stream(StreamName=name, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def make_identity_key(home: Home) -> None:
    """A random key of 32 bytes, readable by its owner alone."""
    if not home.identity_key.exists():
        key = IdentityKey(key_id=f"local-{secrets.token_hex(4)}", secret=secrets.token_bytes(32))
        write_whole(home.identity_key, msgspec.json.encode(key))
