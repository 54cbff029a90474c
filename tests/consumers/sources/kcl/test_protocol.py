"""Lines as the MultiLangDaemon writes them (2.5.4, 3.1.3), and lines that it does not write."""

from datetime import UTC, datetime

import pytest

from consumers.delivery import Position
from consumers.sources.kcl.protocol import (
    Checkpointed,
    Conversation,
    Initialize,
    LeaseLost,
    ProcessRecords,
    ProtocolError,
    ShardEnded,
    ShutdownRequested,
    State,
    checkpoint,
    records_of,
    status,
)

pytestmark = pytest.mark.unit

INITIALIZE = (
    b'{"action":"initialize","shardId":"shardId-000000000001","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}\n'
)
RECORDS = (
    b'{"action":"processRecords","records":[{"action":"record","data":"YWJj","partitionKey":"k","sequenceNumber":'
    b'"49590338271490256608559692538361571095921575989136588898","approximateArrivalTimestamp":1795766400123,'
    b'"subSequenceNumber":7}],"millisBehindLatest":250}\n'
)
EMPTY = b'{"action":"processRecords","records":[],"millisBehindLatest":null}\n'
STOPPING, LOST, ENDED = (
    f'{{"action":"{name}"}}\n'.encode() for name in ("shutdownRequested", "leaseLost", "shardEnded")
)
ANSWER = b'{"action":"checkpoint","sequenceNumber":"12","subSequenceNumber":0,"error":null}\n'


def reading() -> Conversation:
    conversation = Conversation()
    conversation.action(INITIALIZE)
    return conversation


def test_a_whole_conversation() -> None:
    conversation = Conversation()
    assert conversation.action(INITIALIZE) == Initialize(
        shard_id="shardId-000000000001", sequence_number="TRIM_HORIZON", sub_sequence_number=0
    )
    kinds = [type(conversation.action(line)) for line in (RECORDS, EMPTY, STOPPING, LOST)]
    assert kinds == [ProcessRecords, ProcessRecords, ShutdownRequested, LeaseLost]
    assert conversation.state is State.OVER


def test_a_record_keeps_its_place_inside_the_aggregate_and_its_arrival() -> None:
    action = reading().action(RECORDS)
    assert isinstance(action, ProcessRecords)
    (record,) = records_of(action)
    assert record.position == Position(49590338271490256608559692538361571095921575989136588898, 7)
    assert record.arrived_at == datetime(2026, 11, 27, 8, 0, 0, 123000, tzinfo=UTC)
    assert record.data == b"abc"


def test_a_record_without_sub_sequence_or_data_is_one_all_the_same() -> None:
    line = b'{"action":"processRecords","records":[{"data":null,"sequenceNumber":"5","subSequenceNumber":null}]}\n'
    action = reading().action(line)
    assert isinstance(action, ProcessRecords)
    assert [(record.position, record.data) for record in records_of(action)] == [(Position(5, 0), b"")]


def test_lines_to_the_daemon() -> None:
    assert status(ShardEnded()) == b'{"action":"status","responseFor":"shardEnded"}\n'
    assert checkpoint(Position(12, 3)) == b'{"action":"checkpoint","sequenceNumber":"12","subSequenceNumber":3}\n'
    assert checkpoint(None) == b'{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}\n'


def test_the_answer_to_a_checkpoint_names_its_error() -> None:
    line = b'{"action":"checkpoint","sequenceNumber":"12","subSequenceNumber":0,"error":"ThrottlingException"}\n'
    answer = reading().checkpointed(line)
    assert answer == Checkpointed(sequence_number="12", sub_sequence_number=0, error="ThrottlingException")


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"INFO a line of a log\n",
        b"[]\n",
        b'{"action":"processRecords","records":[\n',
        b'{"records":[]}\n',
        b'{"action":"shutdown","reason":"ZOMBIE"}\n',
        b'{"action":"processRecords"}\n',
        b'{"action":"processRecords","records":[{"data":"YQ=="}]}\n',
        b'{"action":"processRecords","records":[{"data":"!","sequenceNumber":"1"}]}\n',
        b'{"action":"processRecords","records":[{"data":"YQ==","sequenceNumber":1}]}\n',
        b"\xff\xfe\n",
    ],
)
def test_what_is_no_message_is_an_error_and_changes_nothing(line: bytes) -> None:
    conversation = reading()
    with pytest.raises(ProtocolError):
        conversation.action(line)
    assert conversation.state is State.READING


@pytest.mark.parametrize("number", ["", "-1", "1e3", "٣", "LATEST"])
def test_a_sequence_number_that_is_none(number: str) -> None:
    line = f'{{"action":"processRecords","records":[{{"data":"YQ==","sequenceNumber":"{number}"}}]}}'.encode()
    action = reading().action(line)
    assert isinstance(action, ProcessRecords)
    with pytest.raises(ProtocolError):
        records_of(action)


def test_an_error_never_quotes_a_record() -> None:
    with pytest.raises(ProtocolError) as caught:
        reading().action(b'{"action":"processRecords","records":[{"data":"Jane Doe, 12 High Street"}]}')
    assert "Jane" not in str(caught.value)


@pytest.mark.parametrize(
    ("before", "line"),
    [
        ([], EMPTY),
        ([], LOST),
        ([], ANSWER),
        ([INITIALIZE], INITIALIZE),
        ([INITIALIZE], ANSWER),
        ([INITIALIZE, STOPPING], EMPTY),
        ([INITIALIZE, STOPPING], STOPPING),
        ([INITIALIZE, LOST], LOST),
        ([INITIALIZE, ENDED], EMPTY),
    ],
)
def test_a_message_out_of_turn_is_an_error_and_changes_nothing(before: list[bytes], line: bytes) -> None:
    conversation = Conversation()
    for earlier in before:
        conversation.action(earlier)
    state = conversation.state
    with pytest.raises(ProtocolError):
        conversation.action(line)
    assert conversation.state is state


def test_an_action_in_place_of_a_checkpoints_answer_is_an_error() -> None:
    with pytest.raises(ProtocolError):
        reading().checkpointed(EMPTY)
