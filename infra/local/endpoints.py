"""Where the parts are, for every other command."""

import glob
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from infra.local.home import Home
from infra.local.ports import HOST
from infra.local.settings import LocalSettings
from runtime.settings import Aws, Kafka, Lake, OpenSearch, Reference, Shop, Streams, Warehouse
from runtime.whole_file import write_whole

Table = Mapping[str, str | int | float | bool]

REGION = "eu-west-2"
ACCOUNT = "123456789012"  # ministack takes a 12-digit access key id for the account
SECRET = "local"
NO_SERVER = "127.0.0.1:9"
NOWHERE = f"http://{NO_SERVER}"  # never AWS's own, which an empty address would mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """A stack that is ready, as the sections of settings that lead to it."""

    home: Home
    aws: Aws
    opensearch: OpenSearch
    streams: Streams
    kafka: Kafka
    shop: Shop
    lake: Lake
    warehouse: Warehouse
    reference: Reference

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
            "streams": {
                "transactions": self.streams.transactions,
                "access": self.streams.access,
                "transport": self.streams.transport,
            },
            "kafka": {"servers": self.kafka.servers},
            "opensearch": {"url": self.opensearch.url},
            "lake": {
                "bucket": self.lake.bucket,
                "restricted_bucket": self.lake.restricted_bucket,
                "database": self.lake.database,
            },
            "warehouse": {
                "host": self.warehouse.host,
                "port": self.warehouse.port,
                "database": self.warehouse.database,
                "user": self.warehouse.user,
                "password": self.warehouse.password,
                "tls": self.warehouse.tls,
            },
            "identity": {"key": str(home.identity_key)},
            "reference": {"bucket": self.reference.bucket, "catalogue": str(home.catalogue)},
            "agent": {
                "spool": str(home.spool),
                "access_logs": _and_its_rotations(home.access_log),
                "state": str(home.agent_state),
            },
            "shop": {"time_zone": self.shop.time_zone, "currency": self.shop.currency},
            "storefront": {
                "spool": str(home.spool),
                "access_log": str(home.access_log),
                "catalogue": str(home.catalogue),
            },
        }


def endpoints_of(home: Home, urls: Mapping[str, str], settings: LocalSettings, *, password: str) -> Endpoints:
    """Endpoints from the URLs of the parts, by name. A part that is absent has an address where nothing listens.

    `password`: of the warehouse's user.
    """
    return Endpoints(
        home=home,
        aws=Aws(
            region=REGION,
            kinesis_endpoint=urls.get("kinesis", NOWHERE),
            endpoint=urls.get("ministack", NOWHERE),
            access_key_id=ACCOUNT,
            secret_access_key=SECRET,
        ),
        opensearch=OpenSearch(url=urls.get("opensearch", NOWHERE)),
        streams=settings.streams,
        kafka=Kafka(servers=urls.get("kafka", NO_SERVER)),
        shop=settings.shop,
        lake=settings.lake,
        warehouse=Warehouse(
            host=HOST, port=urlsplit(urls.get("redshift", NOWHERE)).port or 0, password=password, tls=False
        ),
        reference=settings.reference,
    )


def _and_its_rotations(log: Path) -> str:
    """As a glob of a list with commas: one in the path is any character then."""
    return f"{glob.escape(str(log))}*".replace(",", "?")


def write_settings(home: Home, tables: Mapping[str, Table]) -> None:
    """Replace `settings.toml` in one step; readable by its owner alone."""
    lines = ["# Written by `python -m infra.local up`, and again by the next one."]
    for name, table in tables.items():
        # A JSON scalar as msgspec writes it is a TOML value, but for DEL, which paths and URLs do not hold.
        lines += ["", f"[{name}]", *(f"{key} = {msgspec.json.encode(value).decode()}" for key, value in table.items())]
    write_whole(home.settings_file, ("\n".join(lines) + "\n").encode())
