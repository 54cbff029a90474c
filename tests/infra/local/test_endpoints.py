"""The settings file is one that every other command reads."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from contract.identity import IdentityKey
from infra.local.endpoints import endpoints_of, write_settings
from infra.local.home import Home
from infra.local.prepare import make_identity_key, make_warehouse_password
from infra.local.settings import Local, LocalSettings
from infra.local.stack import parts_over, refuse_mixing
from producers.agent.running import globs_of
from producers.agent.settings import Spooling
from producers.storefront.settings import Storefront
from runtime.errors import ConfigError
from runtime.settings import Aws, Kafka, Lake, OpenSearch, Reference, Shop, Streams, Transport, Warehouse, load

pytestmark = pytest.mark.unit


@dataclass(frozen=True, slots=True, kw_only=True)
class AnySettings:
    """Those of some process."""

    aws: Aws = Aws()
    streams: Streams = Streams()
    kafka: Kafka = Kafka()
    opensearch: OpenSearch = OpenSearch()
    shop: Shop = Shop()
    lake: Lake = Lake()
    warehouse: Warehouse = Warehouse()
    reference: Reference = Reference()
    agent: Spooling = Spooling()
    storefront: Storefront = Storefront()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.of(Local(home=str(tmp_path / 'odd "name"')))
    home.make()
    return home


def test_another_process_reads_back_what_was_written(home: Home) -> None:
    urls = {
        "kinesis": "http://127.0.0.1:1",
        "ministack": "http://127.0.0.1:2",
        "opensearch": "http://127.0.0.1:3",
        "redshift": "redshift://127.0.0.1:4",
    }
    settings = LocalSettings(
        streams=Streams(transactions="t", access="a"),
        shop=Shop(time_zone="Europe/Paris", currency="EUR"),
        lake=Lake(bucket="our-lake", restricted_bucket="our-originals", database="history"),
        reference=Reference(bucket="our-reference"),
    )
    endpoints = endpoints_of(home, urls, settings, password="of the warehouse")

    write_settings(home, endpoints.tables())

    read = load(AnySettings, file=home.settings_file, environ={})
    assert read == AnySettings(
        aws=endpoints.aws,
        streams=settings.streams,
        kafka=endpoints.kafka,
        opensearch=endpoints.opensearch,
        shop=settings.shop,
        lake=settings.lake,
        warehouse=endpoints.warehouse,
        reference=Reference(bucket="our-reference", catalogue=str(home.catalogue)),
        agent=read.agent,
        storefront=read.storefront,
    )
    assert (read.warehouse.port, read.warehouse.password, read.warehouse.tls) == (4, "of the warehouse", False)
    assert read.aws.kinesis_endpoint == "http://127.0.0.1:1"
    assert home.settings_file.stat().st_mode & 0o777 == 0o600
    tables = tomllib.loads(home.settings_file.read_text(encoding="utf-8"))
    assert tables["identity"]["key"] == str(home.identity_key)


def test_with_kafka_the_agent_and_the_consumers_are_told_so(home: Home) -> None:
    settings = LocalSettings().over("kafka")

    write_settings(home, endpoints_of(home, {"kafka": "127.0.0.1:5"}, settings, password="").tables())

    read = load(AnySettings, file=home.settings_file, environ={})
    assert (read.streams.transport, read.kafka.servers) == ("kafka", "127.0.0.1:5")
    assert read.aws.kinesis_endpoint.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("name", ["plain", "a [b], c*?"])
def test_the_agent_follows_the_shop_s_own_log_and_what_rotation_makes_of_it(tmp_path: Path, name: str) -> None:
    home = Home.of(Local(home=str(tmp_path / name)))
    home.make()
    write_settings(home, endpoints_of(home, {}, LocalSettings(), password="").tables())
    read = load(AnySettings, file=home.settings_file, environ={})

    log = Path(read.storefront.access_log)
    log.parent.mkdir()
    log.touch()
    log.with_name("storefront.log.1").touch()

    (glob,) = globs_of(read.agent)["access"]
    assert {path.name for path in Path("/").glob(str(glob)[1:])} == {"storefront.log", "storefront.log.1"}
    assert log.parent not in (Path(read.agent.spool), Path(read.agent.state), home.logs)


@pytest.mark.parametrize(("before", "now"), [("kinesis", "kafka"), ("kafka", "kinesis")])
def test_a_home_keeps_the_transport_that_it_began_with(home: Home, before: Transport, now: Transport) -> None:
    refuse_mixing(home, parts_over(before))
    home.data_of(before)

    refuse_mixing(home, parts_over(before))
    refuse_mixing(home, ["ministack"])  # it touches no stream
    with pytest.raises(ConfigError, match=f"--stream {before}.*infra.local reset"):
        refuse_mixing(home, parts_over(now))

    home.clear()
    refuse_mixing(home, parts_over(now))


def test_a_part_that_is_absent_never_leads_to_aws(home: Home) -> None:
    endpoints = endpoints_of(home, {}, LocalSettings(), password="")

    assert endpoints.aws.endpoint.startswith("http://127.0.0.1:")
    assert endpoints.aws.kinesis_endpoint.startswith("http://127.0.0.1:")
    assert (endpoints.warehouse.host, endpoints.warehouse.port) == ("127.0.0.1", 9)


def test_the_identity_key_is_made_once_and_is_its_owners_alone(home: Home) -> None:
    make_identity_key(home)
    first = home.identity_key.read_bytes()
    make_identity_key(home)

    key = msgspec.json.decode(first, type=IdentityKey)
    assert home.identity_key.read_bytes() == first
    assert len(key.secret) == 32
    assert home.identity_key.stat().st_mode & 0o777 == 0o600


def test_the_warehouse_password_is_made_once_and_is_its_owners_alone(home: Home) -> None:
    make_warehouse_password(home)
    first = home.warehouse_password.read_bytes()
    make_warehouse_password(home)

    assert home.warehouse_password.read_bytes() == first
    assert len(first) >= 32
    assert home.warehouse_password.stat().st_mode & 0o777 == 0o600
