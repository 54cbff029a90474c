"""What the driver's errors become."""

import socket
import ssl
import struct

import pytest
from redshift_connector.error import InterfaceError, OperationalError, ProgrammingError

from consumers.warehouse.connection import connect
from consumers.warehouse.trouble import Refused, naming_trouble
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.settings import Warehouse

pytestmark = pytest.mark.unit


def named(error):
    try:
        with naming_trouble("Redshift at there:5439", "add orders"):
            raise error
    except Exception as found:
        assert "\n" not in str(found)
        return type(found), str(found)


def answer(state, message, **more):
    return ProgrammingError({"S": "ERROR", "C": state, "M": message, **more})


@pytest.mark.parametrize(
    "error",
    [
        InterfaceError("communication error", ConnectionRefusedError(111, "Connection refused")),
        OperationalError("connection time out", TimeoutError()),
        InterfaceError("BrokenPipe: server socket closed."),
        InterfaceError("connection is closed"),
        ConnectionResetError(104, "Connection reset by peer"),
        TimeoutError("timed out"),
        socket.gaierror(-3, "Temporary failure in name resolution"),
        struct.error("unpack requires a buffer of 5 bytes"),
        ValueError("write to closed file"),
        answer("57P01", "terminating connection due to administrator command"),
        answer("57014", "canceling statement due to statement timeout"),
        answer("40P01", "deadlock detected"),
        answer("53300", "too many connections"),
        answer("XX000", "1023\nDETAIL: Serializable isolation violation on table - 1"),
        answer("XX000", "S3ServiceException:Please reduce your request rate.,Status 503,Error SlowDown"),
    ],
    ids=repr,
)
def test_what_passes_is_an_outage(error):
    kind, text = named(error)
    assert kind is Outage
    assert text.startswith("Redshift at there:5439: ")


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (InterfaceError({"S": "FATAL", "C": "28000", "M": "password authentication failed for user x"}), "password"),
        (answer("28P01", "password authentication failed"), "password"),
        (answer("3D000", 'database "x" does not exist'), "database"),
        (answer("42501", "permission denied for relation ledger"), "user"),
        (answer("XX000", "S3ServiceException:Access Denied,Status 403,Error AccessDenied"), "iam_role"),
        (answer("XX000", "User arn:aws:redshift:... is not authorized to assume IAM Role"), "iam_role"),
        (InterfaceError("Server refuses SSL"), "tls"),
        (InterfaceError("communication error", ssl.SSLCertVerificationError(1, "certificate verify failed")), "tls"),
    ],
    ids=str,
)
def test_what_the_operator_must_change_names_the_setting(error, key):
    kind, text = named(error)
    assert kind is ConfigError
    assert "[warehouse]" in text
    assert key in text


def test_a_refused_statement_is_named_with_the_databases_words_and_detail_on_one_line():
    kind, text = named(answer("XX000", "Spectrum Scan Error", D="code: 15007\n context: x.parquet has 3 columns"))
    assert kind is Refused
    assert text == "add orders: Spectrum Scan Error code: 15007 context: x.parquet has 3 columns (XX000)"


def test_an_error_of_ours_is_left_alone():
    assert named(ValueError("month must be in 1..12"))[0] is ValueError


def test_nobody_there_is_an_outage_without_the_password():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        port = taken.getsockname()[1]
        with pytest.raises(Outage, match="Connection refused") as caught:
            connect(Warehouse(port=port, password="hush", tls=False))
    assert "hush" not in f"{caught.value} {caught.value.__cause__!r}"
