"""Where the parts are, for every other command."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from infra.local.home import Home
from runtime.settings import Aws, OpenSearch, Shop, Streams
from runtime.whole_file import write_whole

Table = Mapping[str, str | int | float | bool]

REGION = "eu-west-2"
ACCOUNT = "123456789012"  # ministack takes a 12-digit access key id for the account


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """A stack that is ready, as the sections of settings that lead to it."""

    home: Home
    aws: Aws
    opensearch: OpenSearch
    streams: Streams
    shop: Shop

    @property
    def spool(self) -> Path:
        """The shop's spool, which the agent reads."""
        return self.home.spool

    @property
    def agent_state(self) -> Path:
        """The agent's checkpoints."""
        return self.home.agent_state

    def tables(self) -> dict[str, Table]:
        """The tables of the settings file."""
        home = self.home
        return {
            "aws": {
                "region": self.aws.region,
                "kinesis_endpoint": self.aws.kinesis_endpoint,
                "endpoint": self.aws.endpoint,
                "access_key_id": self.aws.access_key_id,
                "secret_access_key": self.aws.secret_access_key,
            },
            "streams": {"transactions": self.streams.transactions},
            "opensearch": {"url": self.opensearch.url},
            "identity": {"key_file": str(home.identity_key)},
            "reference": {"catalogue": str(home.catalogue)},
            "agent": {"spool": str(home.spool), "state": str(home.agent_state)},
            "shop": {"time_zone": self.shop.time_zone, "currency": self.shop.currency},
            "storefront": {
                "spool": str(home.spool),
                "access_log": str(home.root / "access.log"),
                "catalogue": str(home.catalogue),
            },
        }


def endpoints_of(home: Home, urls: Mapping[str, str], streams: Streams, shop: Shop) -> Endpoints:
    """Endpoints from the URLs of the parts, by name. A part that is absent has an address where nothing listens."""
    nowhere = "http://127.0.0.1:9"  # never AWS's own, which an empty address would mean
    return Endpoints(
        home=home,
        aws=Aws(
            region=REGION,
            kinesis_endpoint=urls.get("kinesis", nowhere),
            endpoint=urls.get("ministack", nowhere),
            access_key_id=ACCOUNT,
            secret_access_key="local",
        ),
        opensearch=OpenSearch(url=urls.get("opensearch", nowhere)),
        streams=streams,
        shop=shop,
    )


def write_settings(home: Home, tables: Mapping[str, Table]) -> None:
    """Replace `settings.toml` in one step; readable by its owner alone."""
    lines = ["# Written by `python -m infra.local up`, and again by the next one."]
    for name, table in tables.items():
        # A JSON scalar as msgspec writes it is a TOML value, but for DEL, which paths and URLs do not hold.
        lines += ["", f"[{name}]", *(f"{key} = {msgspec.json.encode(value).decode()}" for key, value in table.items())]
    write_whole(home.settings_file, ("\n".join(lines) + "\n").encode())
