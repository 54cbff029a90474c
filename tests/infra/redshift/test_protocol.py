import gzip
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from infra.local.redshift import rawclient as raw
from infra.local.redshift import wire
from infra.local.redshift.process import FrontProcess
from infra.local.redshift.rawclient import (
    FLUSH,
    SYNC,
    TERMINATE,
    RawClient,
    bind,
    close,
    describe,
    execute,
    parse,
    query,
)
from infra.local.redshift.subject import Storage

pytestmark = pytest.mark.integration

_LONG = query("select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b")

Connect = Callable[..., RawClient]


@pytest.fixture
def connect(front: FrontProcess) -> Iterator[Connect]:
    opened: list[RawClient] = []

    def open_one(**parameters: str) -> RawClient:
        told = {"user": front.user, "password": front.password, "database": front.database, **parameters}
        opened.append(RawClient(front.port, **told))
        return opened[-1]

    yield open_one
    for client in opened:
        client.sock.close()


@pytest.fixture
def client(connect: Connect) -> RawClient:
    return connect()


def test_a_session_begins_with_redshifts_parameters_and_a_key(connect: Connect) -> None:
    client = connect(client_protocol_version="2", driver_version="any", os_version="any", plugin_name="none")
    assert client.parameters["server_version"] == "8.0.2"
    assert len(client.key) == 8


def test_encryption_is_refused_and_the_session_goes_on(front: FrontProcess) -> None:
    with socket.create_connection(("127.0.0.1", front.port), timeout=10) as sock:
        for request in (wire.SSL_REQUEST, wire.GSS_REQUEST):
            sock.sendall(struct.pack("!ii", 8, request))
            assert sock.recv(1) == b"N"
        sock.sendall(wire.startup_message({"user": front.user, "database": front.database}))
        assert wire.Reader(sock).message().kind == b"R"


@pytest.mark.parametrize("said", [b"\0\0\0\4", b"GET / HTTP/1.1\r\n\r\n", b"\xff\xff\xff\xff", b"\0\0\0\x08\0\2\0\0"])
def test_what_is_no_start_is_refused_with_an_error(front: FrontProcess, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", front.port), timeout=10) as sock:
        sock.sendall(said)
        kind, body = wire.Reader(sock).message()
        assert (kind, wire.fields(body)["C"], wire.fields(body)["S"]) == (b"E", "08P01", "FATAL")
        assert sock.recv(1) == b""


def test_a_simple_query_of_several_statements_is_one_transaction(client: RawClient) -> None:
    assert client.ask(query("create temp table t (a int); insert into t values (1); select * from t")) == (
        "C:CREATE_TABLE C:INSERT_0_1 T D C:SELECT Z:I"
    )
    assert (
        client.ask(query("insert into t values (2); select 1/0; insert into t values (3)"))
        == "C:INSERT_0_1 E:22012 Z:I"
    )
    assert client.ask(query("select * from t")) == "T D C:SELECT Z:I"


def test_an_empty_query_has_its_own_answer(client: RawClient) -> None:
    assert client.ask(query(" ; -- nothing\n")) == "I Z:I"
    assert client.ask(parse(""), bind(), describe("P"), execute(), SYNC) == "1 2 n I Z:I"


def test_the_messages_of_the_extended_protocol_are_answered_in_order(client: RawClient) -> None:
    said = [parse("select $1::int + 1"), describe("S"), bind("4"), describe("P"), execute(), close("S"), SYNC]
    assert client.ask(*said) == "1 t T 2 T D C:SELECT 3 Z:I"


def test_named_statements_and_portals_live_until_they_are_closed(client: RawClient) -> None:
    assert client.ask(query("begin")) == "C:BEGIN Z:T"
    assert client.ask(parse("select * from generate_series(1, 5)", "s"), SYNC) == "1 Z:T"
    assert client.ask(bind(name="s", portal="p"), execute("p", 2), SYNC) == "2 D D s Z:T"
    assert client.ask(execute("p", 2), execute("p", 2), SYNC) == "D D s D C:SELECT Z:T"
    assert client.ask(close("P", "p"), close("S", "s"), SYNC) == "3 3 Z:T"
    assert client.ask(bind(name="s"), SYNC) == "E:26000 Z:E"
    assert client.ask(query("rollback")) == "C:ROLLBACK Z:I"


def test_a_flush_brings_what_is_ready(client: RawClient) -> None:
    client.send(parse("select 1"), FLUSH)
    assert client.reader.message().kind == b"1"
    client.send(bind(), execute(), FLUSH)
    assert [client.reader.message().kind for _ in range(3)] == [b"2", b"D", b"C"]
    assert client.ask(SYNC) == "Z:I"


def test_an_error_skips_to_the_sync(client: RawClient) -> None:
    said = [parse("select 1/(count(*) - 1)"), bind(), execute(), parse("select 1"), bind(), execute(), SYNC]
    assert client.ask(*said) == "1 2 E:22012 Z:I"
    client.send(parse("select no_such_column"), FLUSH)
    assert client.reader.message().kind == b"E"
    assert client.ask(bind(), execute(), FLUSH, SYNC) == "Z:I"
    assert client.ask(parse("select 1"), bind(), execute(), SYNC) == "1 2 D C:SELECT Z:I"


def test_an_error_of_the_front_aborts_the_transaction_as_any_other(client: RawClient) -> None:
    assert client.ask(query("begin")) == "C:BEGIN Z:T"
    assert client.ask(parse("select 1; select 2"), bind(), execute(), SYNC) == "E:42601 Z:E"
    assert client.ask(query("select 1")) == "E:25P02 Z:E"
    assert client.ask(query("commit")) == "C:ROLLBACK Z:I"


@pytest.mark.parametrize("bad", ["select 1; select 2", "select no_such_column", "select now() from pg_class, t"])
def test_an_error_is_told_before_the_sync_and_nothing_else_is_answered_until_then(client: RawClient, bad: str) -> None:
    """A client may wait for the error, with a Flush or without; what it sent in between is dropped, a Query too."""
    client.send(parse(bad), FLUSH)
    assert client.reader.message().kind == b"E"
    assert client.ask(FLUSH, parse("select 1"), query("select 1"), SYNC) == "Z:I"
    client.send(parse(bad), bind(), execute(), FLUSH)
    assert client.reader.message().kind == b"E"
    assert client.ask(SYNC) == "Z:I"
    assert client.ask(query("select 1")) == "T D C:SELECT Z:I"


def test_a_query_after_messages_without_their_sync_comes_after_them(client: RawClient) -> None:
    assert client.ask(parse("select 1"), bind(), execute(), query("select 2")) == "1 2 D C:SELECT T D C:SELECT Z:I"


def test_a_long_pipeline_keeps_the_tags_of_its_commands(client: RawClient) -> None:
    made = "create temp table kept as select 'x'::varchar(10) as a"
    filler = [parse("select $1::varchar", "f"), *(bind("x" * 5000, name="f") + execute() for _ in range(30))]
    said = client.ask(*filler, parse(made), bind(), execute(), parse("select 1"), bind(), execute(), SYNC)
    assert said == "1 " + "2 D C:SELECT " * 30 + "1 2 C:SELECT 1 2 D C:SELECT Z:I"


def test_a_pipeline_longer_than_any_buffer_does_not_stall(client: RawClient) -> None:
    pairs = b"".join(bind("x" * 1000) + execute() for _ in range(5000))
    client.send(parse("select $1::varchar"))
    sender = threading.Thread(target=client.send, args=(pairs, SYNC))
    sender.start()
    answers = client.answers()
    sender.join()
    assert sum(kind == b"D" for kind, _ in answers) == 5000


def test_a_great_parameter_and_a_great_row_pass(client: RawClient) -> None:
    great = "y" * (5 << 20)
    client.send(parse("select $1::varchar || '!'"), bind(great), execute(), SYNC)
    [row] = [body for kind, body in client.answers() if kind == b"D"]
    assert row.endswith(b"y!")
    assert len(row) > 5 << 20


def test_a_statement_is_cancelled_with_the_sessions_key(client: RawClient, front: FrontProcess) -> None:
    client.send(_LONG)
    readable: list[socket.socket] = []
    while not readable:  # a request that comes before the statement has begun cancels nothing
        with socket.create_connection(("127.0.0.1", front.port), timeout=10) as sock:
            sock.sendall(struct.pack("!ii", 16, wire.CANCEL_REQUEST) + client.key)
            assert sock.recv(1) == b""
        readable, _, _ = select.select([client.sock], [], [], 0.2)
    assert raw.told(client.answers()).endswith("E:57014 Z:I")


def test_a_client_that_goes_takes_its_statement_and_transaction_with_it(connect: Connect) -> None:
    client, other = connect(), connect()
    name = f"gone_{client.key.hex()}"
    other.ask(query(f"create table {name} (a int)"))
    client.ask(query("begin"))
    client.ask(query(f"insert into {name} values (1)"))
    pid = int.from_bytes(client.key[:4], "big")
    client.send(_LONG, SYNC, TERMINATE)  # more is there to be read: it hung up all the same
    client.sock.close()
    sought = query(f"select 1 from stv_sessions where process = {pid}")
    deadline = time.monotonic() + 10
    while other.ask(sought) != "T C:SELECT Z:I":
        assert time.monotonic() < deadline, "the session lives on"
    assert other.ask(query(f"select * from {name}")) == "T C:SELECT Z:I"
    assert other.ask(query(f"drop table {name}")) == "C:DROP_TABLE Z:I"


def test_a_session_that_the_server_ends_is_told_so(connect: Connect) -> None:
    client, other = connect(), connect()
    pid = int.from_bytes(client.key[:4], "big")
    assert other.ask(query(f"select pg_terminate_backend({pid})")) == "T D C:SELECT Z:I"
    client.send(query("select 1"))
    kind, body = client.reader.message()
    assert (kind, wire.fields(body)["C"], wire.fields(body)["S"]) == (b"E", "57P01", "FATAL")
    with pytest.raises(wire.Closed):
        client.reader.message()


def test_a_client_that_goes_while_an_error_of_the_fronts_is_on_its_way_leaves_nothing(
    connect: Connect, front: FrontProcess
) -> None:
    other = connect()
    before = psutil.Process(front.pid).num_fds()
    for said in ([parse("select 1; select 2")], [parse("copy"), bind(), FLUSH], [query("no such statement")]):
        gone = connect()
        gone.ask(query("begin"))
        gone.send(*said)
        gone.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, as of kill -9
        gone.sock.close()
    deadline = time.monotonic() + 10
    while psutil.Process(front.pid).num_fds() > before:
        assert time.monotonic() < deadline, "descriptors were left"
        time.sleep(0.05)
    assert other.ask(query("select 1")) == "T D C:SELECT Z:I"


def test_a_client_that_goes_in_the_middle_of_a_copy_leaves_no_row_and_no_lock(
    connect: Connect, storage: Storage
) -> None:
    client, other = connect(), connect()
    name = f"middle_{client.key.hex()}"
    many = gzip.compress((b"x" * 1000 + b"\n") * 50_000, 1)
    storage.client.put_object(Bucket=storage.bucket, Key=name, Body=many)
    other.ask(query(f"create table {name} (a varchar(1000))"))
    client.send(query(f"copy {name} from 's3://{storage.bucket}/{name}' iam_role '{storage.iam_role}' gzip"), SYNC)
    deadline = time.monotonic() + 20
    writes = query(f"select 1 from svv_transactions where relation = '{name}'::regclass and lock_mode like 'Row%'")
    while other.ask(writes) == "T C:SELECT Z:I":
        assert time.monotonic() < deadline, "the COPY does not begin"
    client.sock.close()
    locked = other.ask(query(f"begin; lock {name}; select * from {name} limit 1; commit"))
    assert locked == "C:BEGIN C:LOCK_TABLE T C:SELECT C:COMMIT Z:I"
    assert other.ask(query(f"drop table {name}")) == "C:DROP_TABLE Z:I"


@pytest.mark.parametrize(
    "reaching",
    [
        "select pg_read_file('/etc/passwd') from pg_class",
        "select pg_ls_dir('/') from pg_class",
        "select lo_import('/etc/passwd') from pg_class",
        "select lo_export(1, '/tmp/x') from pg_class",
        "select set_config('role', 'rdsdb', false)",
        "select set_config('session_authorization', 'rdsdb', false) from pg_class",
        "select rolpassword from pg_authid",
        "select * from pg_shadow",
        "set role rdsdb",
        "set session authorization rdsdb",
        "alter user rdsdb password 'Own-pass1'",
        "create user other_super with password 'Own-pass1' in group rdsdb",
        "grant rdsdb to admin",
        "copy t from program 'id'",
        "copy t from '/etc/passwd' iam_role default",
        "copy t to '/tmp/x'",
        "create extension dblink",
        "load 'x'",
        "create function f() returns int language sql as 'select 1'",
        "do 'begin end'",
        "drop function rs.cut(text, integer)",
        "drop schema rs cascade",
        "truncate redshift_system.loads",
    ],
)
def test_files_programs_and_the_superuser_are_out_of_reach(client: RawClient, reaching: str) -> None:
    assert client.ask(query(reaching)).split()[-2] in ("E:42501", "E:42601", "E:0A000")


def test_the_superuser_cannot_log_in(front: FrontProcess) -> None:
    for password in ("", front.password):
        with pytest.raises(Exception, match="28000"):
            front.connect(user="rdsdb", password=password)


def test_data_for_a_copy_from_the_client_is_refused(client: RawClient) -> None:
    assert client.ask(query("create temp table t (a int)")) == "C:CREATE_TABLE Z:I"
    assert client.ask(query("copy t from stdin")).startswith("E:")
    assert client.ask(query("select count(*) from t")) == "T D C:SELECT Z:I"


def test_super_has_redshifts_type_number(client: RawClient) -> None:
    client.send(query("select json_parse('{}')"))
    kind, body = client.answers()[0]
    assert kind == b"T"
    assert int.from_bytes(body[-12:-8], "big") == 4000


def test_what_is_not_utf_8_is_an_error_and_the_session_goes_on(client: RawClient) -> None:
    assert client.ask(wire.message(b"Q", b"select '\xff'\0")) == "E:22021 Z:I"
    assert client.ask(wire.message(b"P", b"\0select '\xff'\0\0\0"), SYNC) == "E:22021 Z:I"
    assert client.ask(query("select 1")) == "T D C:SELECT Z:I"


def test_a_message_that_is_cut_short_ends_the_session(client: RawClient) -> None:
    client.send(wire.message(b"P", b"\0select 1\0"))
    kind, body = client.reader.message()
    assert (kind, wire.fields(body)["C"], wire.fields(body)["S"]) == (b"E", "08P01", "FATAL")


def test_a_statement_that_the_front_runs_itself_fits_in_with_others(client: RawClient) -> None:
    """Definitions of keys take several statements of PostgreSQL, TRUNCATE commits."""
    name = f"own_{client.key.hex()}"
    made = f"create table {name} (a int primary key)"
    assert client.ask(query("begin")) == "C:BEGIN Z:T"
    said = [parse(made), describe("S"), bind(), describe("P"), execute(), close("S"), SYNC]
    assert client.ask(*said) == "1 t n 2 n C:CREATE_TABLE 3 Z:T"
    assert client.ask(query("rollback")) == "C:ROLLBACK Z:I"
    assert client.ask(query(f"{made}; insert into {name} values (1), (1)")) == "C:CREATE_TABLE C:INSERT_0_2 Z:I"
    assert client.ask(query(f"begin; delete from {name} where a = 1; rollback")) == "C:BEGIN C:DELETE_2 C:ROLLBACK Z:I"
    assert client.ask(query(f"{made}; insert into {name} values (1)")) == "E:42P07 Z:I"
    assert client.ask(query("begin")) == "C:BEGIN Z:T"
    assert client.ask(query(f"truncate {name}")) == "C:TRUNCATE_TABLE Z:I"
    assert client.ask(query(f"select * from {name}; drop table {name}")) == "T C:SELECT C:DROP_TABLE Z:I"


def test_a_copy_that_fails_among_several_statements_takes_all_with_it(client: RawClient) -> None:
    name = f"copy_{client.key.hex()}"
    copy = f"copy {name} from 's3://nowhere/x' iam_role 'arn:aws:iam::1:role/r' csv"
    said = client.ask(query(f"create table {name} (a int); {copy}; select 1"))
    assert said.startswith("C:CREATE_TABLE E:")
    assert said.endswith("Z:I")
    assert client.ask(query(f"select * from {name}")) == "E:42P01 Z:I"
    assert client.ask(query("begin")) == "C:BEGIN Z:T"
    assert client.ask(parse(f"create temp table {name} (a int)"), bind(), execute(), SYNC) == "1 2 C:CREATE_TABLE Z:T"
    assert client.ask(parse(copy), bind(), execute(), parse("select 1"), SYNC).endswith("Z:E")
    assert client.ask(parse(copy), bind(), execute(), SYNC) == "1 2 E:25P02 Z:E"
    assert client.ask(query("rollback")) == "C:ROLLBACK Z:I"
