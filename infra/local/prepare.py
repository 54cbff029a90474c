"""What the pipeline expects to find: the list of `infra.resources`, a catalogue, customers, secrets of its own."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from consumers.sources.kinesis.table import DynamoDbLeaseTable
from consumers.warehouse.connection import connect
from consumers.warehouse.migrations import migrate
from contract.catalogue import to_ndjson
from contract.identity import IdentityKey
from contract.reference import SUMMARY, Customer, Kind, folder
from infra.local.endpoints import Endpoints
from infra.local.home import Home
from infra.resources import Names, Resources, resources
from producers.reference.publish import publish
from producers.reference.publish_command import sentence
from producers.reference.reading import read_entries
from producers.storefront.shelf import SHIPPED
from runtime.aws import client
from runtime.clock import SystemClock
from runtime.objects.s3 import S3Objects
from runtime.outage import Stop
from runtime.whole_file import write_whole

_CUSTOMERS = 5_000  # C-0 to C-5000: the shoppers', and those of steady loads


def prepare_files(home: Home) -> None:
    """Create what is absent; what is there is left alone."""
    make_identity_key(home)
    make_warehouse_password(home)
    make_catalogue(home)
    make_customers(home)


def prepare_streams(endpoints: Endpoints, stop: Stop) -> None:
    """The streams that have names, unless they are there; topics where Kafka is the transport.

    Raises ConfigError for a broker that takes none, unless `stop` is set.
    """
    streams, wanted = endpoints.streams, resources_of(endpoints).streams
    if streams.transport == "kafka":
        from infra.local.kafka.topics import make_topics  # half a second, for those who use it

        make_topics(endpoints.kafka.servers, [stream.name for stream in wanted], stop)
        return
    kinesis = client("kinesis", endpoints.aws)
    for stream in wanted:
        make_stream(kinesis, stream.name)
        kinesis.increase_stream_retention_period(StreamName=stream.name, RetentionPeriodHours=stream.retention_h)


def prepare_buckets(endpoints: Endpoints) -> None:
    """The buckets, unless they are there."""
    s3 = client("s3", endpoints.aws)
    for bucket in resources_of(endpoints).buckets:
        make_bucket(s3, bucket.name)


def prepare_tables(endpoints: Endpoints) -> None:
    """The lease tables and the catalogue's database, unless they are there."""
    wanted = resources_of(endpoints)
    dynamodb = client("dynamodb", endpoints.aws)
    for table in wanted.tables:
        DynamoDbLeaseTable(dynamodb, table.name).ensure()
    glue = client("glue", endpoints.aws)
    with suppress(glue.exceptions.AlreadyExistsException):  # from an earlier run
        glue.create_database(DatabaseInput={"Name": wanted.database})


def prepare_messages(endpoints: Endpoints) -> None:
    """Queues and topics, unless they are there: a call that finds its own changes nothing."""
    wanted = resources_of(endpoints)
    sqs, sns = client("sqs", endpoints.aws), client("sns", endpoints.aws)
    for queue in wanted.queues:
        attributes = {"MessageRetentionPeriod": str(queue.retention_s)}
        sqs.create_queue(QueueName=queue.name, Attributes=attributes)
    for topic in wanted.topics:
        sns.create_topic(Name=topic)


def resources_of(endpoints: Endpoints) -> Resources:
    """The list, under the names of this stack."""
    return resources(Names(streams=endpoints.streams, lake=endpoints.lake, reference=endpoints.reference))


def prepare_reference(endpoints: Endpoints, say: Callable[[str], None]) -> None:
    """The home's catalogue and customers, published where none of their kind ever was. `say` what was done."""
    if not endpoints.reference.bucket:
        return
    objects = S3Objects(client("s3", endpoints.aws), endpoints.reference.bucket, setting="[reference] bucket")
    files: dict[Kind, Path] = {"catalogue": endpoints.home.catalogue, "customers": endpoints.home.customers}
    for kind, file in files.items():
        if not any(key.endswith(SUMMARY) for key in objects.keys(folder(kind))):
            say(sentence(publish(kind, read_entries(file, kind), objects, SystemClock())))


def prepare_warehouse(endpoints: Endpoints, say: Callable[[str], None]) -> None:
    """The warehouse's tables, of this release. `say` what was done."""
    with connect(endpoints.warehouse) as session:
        migrate(session, SystemClock(), lambda done: say(f"warehouse: {done}"))


def make_catalogue(home: Home) -> None:
    """The demo shop's own, where none has been published yet."""
    if not home.catalogue.exists():
        write_whole(home.catalogue, SHIPPED.read_bytes())


def make_customers(home: Home) -> None:
    """Those as whom the demo's shoppers buy, where nobody else has been put there yet."""
    if not home.customers.exists():
        write_whole(home.customers, to_ndjson(Customer(customer_id=f"C-{n}") for n in range(_CUSTOMERS + 1)))


def make_stream(kinesis: Any, name: str) -> None:
    """An on-demand stream, active on return."""
    with suppress(kinesis.exceptions.ResourceInUseException):  # from an earlier run
        kinesis.create_stream(StreamName=name, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def make_bucket(s3: Any, name: str) -> None:
    """A private bucket in the client's region."""
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):  # from an earlier run
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})


def make_warehouse_password(home: Home) -> None:
    """A random one for the local Redshift, readable by its owner alone."""
    if not home.warehouse_password.exists():
        write_whole(home.warehouse_password, secrets.token_urlsafe(24).encode())


def make_identity_key(home: Home) -> None:
    """A random key of 32 bytes, readable by its owner alone."""
    if not home.identity_key.exists():
        key = IdentityKey(key_id=f"local-{secrets.token_hex(4)}", secret=secrets.token_bytes(32))
        write_whole(home.identity_key, msgspec.json.encode(key))
