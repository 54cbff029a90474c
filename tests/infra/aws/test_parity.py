"""The local stack has what the templates make, by name and shape, and nothing beside it."""

from typing import Any

import msgspec
import pytest

from consumers.sinks.opensearch.connection import connect as connect_search
from consumers.sinks.opensearch.templates import ensure_templates
from consumers.warehouse.connection import connect
from infra.aws.inputs import Inputs
from infra.local.endpoints import Endpoints
from infra.resources import resources
from runtime.aws import client

pytestmark = pytest.mark.integration
Template = dict[str, Any]
SUFFIX = "-corner-shop"  # of every bucket of the templates

# On AWS alone, each for what is not there on one machine.
BESIDE = {
    "storepulse-access-logs": "of S3 itself",
    "storepulse-athena": "answers of Athena",
    "storepulse-backup": "Firehose's",
}


def properties(templates: dict[str, Template], kind: str) -> list[dict[str, Any]]:
    every = (each for template in templates.values() for each in template["Resources"].values())
    return [each["Properties"] for each in every if each["Type"] == kind]


def test_streams(prod: dict[str, Template], stack: Endpoints) -> None:
    kinesis = client("kinesis", stack.aws)
    wanted = {
        each["Name"]: (each["StreamModeDetails"]["StreamMode"], each["RetentionPeriodHours"])
        for each in properties(prod, "AWS::Kinesis::Stream")
    }
    found = {}
    for name in kinesis.list_streams()["StreamNames"]:
        if name.startswith("storepulse-"):
            about = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
            found[name] = (about["StreamModeDetails"]["StreamMode"], about["RetentionPeriodHours"])
    assert found == wanted


def test_lease_tables(prod: dict[str, Template], stack: Endpoints) -> None:
    dynamodb = client("dynamodb", stack.aws)
    wanted = {
        each["TableName"]: (each["KeySchema"], each["AttributeDefinitions"], each["BillingMode"])
        for each in properties(prod, "AWS::DynamoDB::Table")
    }
    found = {}
    for name in table_names(dynamodb):
        about = dynamodb.describe_table(TableName=name)["Table"]
        mode = about.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        found[name] = (about["KeySchema"], about["AttributeDefinitions"], mode)
        ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"]
        assert ttl == "DISABLED"
    assert found == wanted


def table_names(dynamodb: Any) -> list[str]:
    pages = dynamodb.get_paginator("list_tables").paginate()
    return [name for page in pages for name in page["TableNames"] if name.startswith("storepulse-")]


def test_buckets(prod: dict[str, Template], stack: Endpoints) -> None:
    wanted = {each["BucketName"].removesuffix(SUFFIX) for each in properties(prod, "AWS::S3::Bucket")}
    found = {each["Name"] for each in client("s3", stack.aws).list_buckets()["Buckets"]}
    found = {name for name in found if name.startswith("storepulse-")}
    assert found == wanted - BESIDE.keys()
    assert BESIDE.keys() <= wanted


def test_queues_and_topics(prod: dict[str, Template], stack: Endpoints) -> None:
    sqs, sns = client("sqs", stack.aws), client("sns", stack.aws)
    found = {}
    for url in sqs.list_queues(QueueNamePrefix="storepulse-").get("QueueUrls", []):
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["MessageRetentionPeriod"])
        found[url.rpartition("/")[2]] = int(answer["Attributes"]["MessageRetentionPeriod"])
    assert found == {each["QueueName"]: each["MessageRetentionPeriod"] for each in properties(prod, "AWS::SQS::Queue")}
    topics = {each["TopicArn"].rpartition(":")[2] for each in sns.list_topics()["Topics"]}
    wanted = {each["TopicName"] for each in properties(prod, "AWS::SNS::Topic")}
    assert {name for name in topics if name.startswith("storepulse-")} == wanted


def test_the_catalogue(prod: dict[str, Template], stack: Endpoints) -> None:
    (wanted,) = properties(prod, "AWS::Glue::Database")
    glue = client("glue", stack.aws)
    assert glue.get_database(Name=wanted["DatabaseInput"]["Name"])["Database"]["Name"] == resources().database


def test_the_warehouse(prod: dict[str, Template], stack: Endpoints) -> None:
    (wanted,) = properties(prod, "AWS::RedshiftServerless::Namespace")
    assert (wanted["DbName"], wanted["AdminUsername"]) == (stack.warehouse.database, stack.warehouse.user)
    with connect(stack.warehouse) as session:
        rows = session.query(
            "tables", "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
        )
    assert {*resources().warehouse_tables} <= {row["name"] for row in rows}


def test_index_templates_and_policies_are_about_the_same_indices(prod: dict[str, Template], stack: Endpoints) -> None:
    """Templates are live's to put in either place. A stock node without plugins knows no policies: there an index stays
    until it is deleted by hand."""
    known = resources()
    search = connect_search(stack.opensearch)
    ensure_templates(search, known.index_templates)
    found = search.indices.get_index_template(name="storepulse-*")["index_templates"]
    assert {each["name"] for each in found} == {*known.index_templates}
    (prepared,) = properties(prod, "Custom::StorepulseSearch")
    policies = msgspec.json.decode(prepared["Policies"])
    assert policies == known.index_policies
    templates = {pattern for each in known.index_templates.values() for pattern in each["index_patterns"]}
    for policy in policies.values():
        (rule,) = policy["policy"]["ism_template"]
        (pattern,) = rule["index_patterns"]
        assert pattern.replace("-2*", "-*") in templates


def test_bucket_names_end_with_the_suffix_alone() -> None:
    inputs = Inputs(account="1", region="eu-west-1", suffix="x")
    assert {inputs.bucket(each.holds).removesuffix("-x") for each in resources().buckets} == {
        each.name for each in resources().buckets
    }
