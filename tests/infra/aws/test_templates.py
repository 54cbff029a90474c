"""What the templates promise: rights, encryption, retention, the drain hook, scaling."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.aws.grants import GRANTS
from infra.aws.profiles import PROD
from infra.aws.stacks.storefront import HEARTBEAT_S

pytestmark = pytest.mark.integration
Template = dict[str, Any]

# AWS offers no resource for these.
WITHOUT_RESOURCE = {
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "ec2:CreateNetworkInterface",  # as Lambda asks for it
    "ec2:DescribeNetworkInterfaces",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}
OWN = {"kms:Decrypt", "kms:GenerateDataKey"}  # of the keys of what it reaches


def of(template: Template, kind: str) -> dict[str, Any]:
    return {name: each["Properties"] for name, each in template["Resources"].items() if each["Type"] == kind}


def only(template: Template, kind: str) -> Any:
    (found,) = of(template, kind).values()
    return found


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(templates: dict[str, Template]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of every role's policy, with the role's logical id."""
    for template in templates.values():
        for policy in of(template, "AWS::IAM::Policy").values():
            for role in policy["Roles"]:
                for statement in policy["PolicyDocument"]["Statement"]:
                    yield role.get("Ref", ""), statement


def test_no_role_may_do_everything_or_anything_to_everything(prod: dict[str, Template]) -> None:
    seen = 0
    for role, statement in statements(prod):
        seen += 1
        assert statement["Effect"] == "Allow"
        for action in listed(statement["Action"]):
            assert "*" not in action, (role, action)
            if "*" in listed(statement["Resource"]):
                assert action in WITHOUT_RESOURCE, (role, action)
    assert seen > 30


@pytest.mark.parametrize("process", ["live", "cold", "keeper", "operator", "board"])
def test_a_task_may_do_what_its_code_calls_and_no_more(prod: dict[str, Template], process: str) -> None:
    expected = {action for thing, actions in GRANTS[process].items() if thing != "topics" for action in actions} | (
        OWN if GRANTS[process] else set()
    )
    found = {
        action
        for role, statement in statements(prod)
        if role.startswith(f"{process.title()}Role")
        for action in listed(statement["Action"])
    }
    assert found == expected


def test_what_a_role_may_do_is_told_by_this_table() -> None:
    writes = ("Put", "Delete", "Update", "Create")
    table = {
        process: {
            thing: sorted(action.partition(":")[2] for action in actions if action.partition(":")[2].startswith(writes))
            for thing, actions in grants.items()
            if thing != "topics" and any(action.partition(":")[2].startswith(writes) for action in actions)
        }
        for process, grants in GRANTS.items()
    }
    leases = ["DeleteItem", "PutItem", "UpdateItem"]
    objects = ["DeleteObject", "PutObject"]
    assert table == {
        "live": {"live leases": leases, "metrics": ["PutMetricData"]},
        "cold": {"cold leases": leases, "lake": objects, "restricted": objects, "metrics": ["PutMetricData"]},
        "keeper": {
            "streams": ["PutRecords"],
            "keeper lease": leases,
            "lake": objects,
            "restricted letters": objects,
            "catalogue": ["CreateTable", "DeleteTable", "UpdateTable"],
            "metrics": ["PutMetricData"],
        },
        "operator": {
            "streams": ["PutRecords"],
            "live leases": leases,
            "cold leases": leases,
            "lake": objects,
            "restricted letters": objects,
            "catalogue": ["CreateTable", "DeleteTable", "UpdateTable"],
            "identity": ["PutSecretValue"],
        },
        "board": {},
        "function": {},
        "shop": {"streams": ["PutRecords"], "metrics": ["PutMetricData"]},
    }


def test_metrics_are_bounded_to_their_namespace(prod: dict[str, Template]) -> None:
    found = [s for _, s in statements(prod) if "cloudwatch:PutMetricData" in listed(s["Action"])]
    assert len(found) == 4
    assert all("cloudwatch:namespace" in statement["Condition"]["StringEquals"] for statement in found)


def test_everything_that_keeps_data_is_encrypted_and_outlives_its_stack(prod: dict[str, Template]) -> None:
    data = prod["data"]
    for stream in of(data, "AWS::Kinesis::Stream").values():
        assert stream["StreamEncryption"]["EncryptionType"] == "KMS"
        assert stream["RetentionPeriodHours"] == 168
    for template in prod.values():
        for name, bucket in of(template, "AWS::S3::Bucket").items():
            (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            wanted = "AES256" if name.startswith("AccessLogs") else "aws:kms"
            assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == wanted
            assert all(bucket["PublicAccessBlockConfiguration"].values())
    domain = only(prod["search"], "AWS::OpenSearchService::Domain")
    assert domain["AdvancedSecurityOptions"]["Enabled"] and domain["EncryptionAtRestOptions"]["Enabled"]
    assert domain["NodeToNodeEncryptionOptions"]["Enabled"] and domain["DomainEndpointOptions"]["EnforceHTTPS"]
    kept = ("AWS::Kinesis::Stream", "AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::Glue::Database",
            "AWS::OpenSearchService::Domain", "AWS::RedshiftServerless::Namespace")  # fmt: skip
    found = [each for t in prod.values() for each in t["Resources"].values() if each["Type"] in kept]
    assert len(found) > 18 and {each["DeletionPolicy"] for each in found} == {"RetainExceptOnCreate"}


def test_originals_go_after_thirty_days_and_are_under_keys_of_their_own(prod: dict[str, Template]) -> None:
    data, backup = prod["data"], prod["backup"]
    restricted = of(data, "AWS::S3::Bucket")[next(n for n in data["Resources"] if n.startswith("BucketRestricted"))]
    lake = of(data, "AWS::S3::Bucket")[next(n for n in data["Resources"] if n.startswith("BucketLake"))]
    for bucket in (restricted, only(backup, "AWS::S3::Bucket")):
        assert 30 in [rule.get("ExpirationInDays") for rule in bucket["LifecycleConfiguration"]["Rules"]]
        assert "VersioningConfiguration" not in bucket
    keys = [b["BucketEncryption"]["ServerSideEncryptionConfiguration"][0] for b in (restricted, lake)]
    assert keys[0] != keys[1]


def test_the_lake_grows_cold_and_sheds_what_served_once(prod: dict[str, Template]) -> None:
    data = prod["data"]
    lake = of(data, "AWS::S3::Bucket")[next(n for n in data["Resources"] if n.startswith("BucketLake"))]
    rules = {rule["Id"]: rule for rule in lake["LifecycleConfiguration"]["Rules"]}
    assert (rules["copy"]["Prefix"], rules["copy"]["ExpirationInDays"]) == ("copy/", 2)
    assert rules["cold"]["Prefix"] == "data/"
    assert rules["cold"]["Transitions"] == [{"StorageClass": "GLACIER_IR", "TransitionInDays": 90}]


def test_tables_can_be_set_back_and_are_not_deleted_by_mistake(prod: dict[str, Template]) -> None:
    tables = of(prod["data"], "AWS::DynamoDB::Table").values()
    assert len(tables) == 5
    for table in tables:
        assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        assert table["DeletionProtectionEnabled"] and table["BillingMode"] == "PAY_PER_REQUEST"


def test_hosts_are_replaced_one_after_the_other_with_time_to_become_ready(prod: dict[str, Template]) -> None:
    (group,) = [
        each
        for each in prod["storefront"]["Resources"].values()
        if each["Type"] == "AWS::AutoScaling::AutoScalingGroup"
    ]
    rolling = group["UpdatePolicy"]["AutoScalingRollingUpdate"]
    assert (rolling["MaxBatchSize"], rolling["PauseTime"]) == (1, "PT6M")


def test_a_deployment_leaves_the_tasks_that_a_sale_day_has_brought(prod: dict[str, Template]) -> None:
    services = of(prod["services"], "AWS::ECS::Service").values()
    assert {each["ServiceName"]: each.get("DesiredCount") for each in services} == {
        "live": None,
        "cold": None,
        "keeper": 1,
        "board": 2,
    }


def test_processes_are_replaced_in_the_order_in_which_they_understand_each_other(prod: dict[str, Template]) -> None:
    services = {
        name: each for name, each in prod["services"]["Resources"].items() if each["Type"] == "AWS::ECS::Service"
    }
    ids = {each["Properties"]["ServiceName"]: name for name, each in services.items()}
    for earlier, later in (("keeper", "cold"), ("cold", "live"), ("live", "board")):
        assert ids[earlier] in services[ids[later]]["DependsOn"]


def test_a_role_that_redshift_takes_serves_this_account_alone(prod: dict[str, Template]) -> None:
    trusts = [
        statement
        for role in of(prod["warehouse"], "AWS::IAM::Role").values()
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
        if "redshift" in str(statement["Principal"])
    ]
    services = {service for statement in trusts for service in listed(statement["Principal"]["Service"])}
    assert services == {"redshift-serverless.amazonaws.com", "redshift.amazonaws.com"}
    assert all("aws:SourceAccount" in statement["Condition"]["StringEquals"] for statement in trusts)


def test_a_host_goes_only_when_its_disk_is_empty(prod: dict[str, Template]) -> None:
    shop = prod["storefront"]
    hook = only(shop, "AWS::AutoScaling::LifecycleHook")
    assert hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING"
    assert hook["HeartbeatTimeout"] == HEARTBEAT_S
    host = only(shop, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    assert host["MetadataOptions"]["HttpTokens"] == "required"
    assert host["BlockDeviceMappings"][0]["Ebs"]["Encrypted"]
    script = "".join(part for part in host["UserData"]["Fn::Base64"]["Fn::Join"][1] if isinstance(part, str))
    assert len(script) < 15_000  # EC2 takes 16 KiB, and names are put in
    files = [base64.b64decode(line).decode() for line in script.splitlines() if len(line) > 200 and " " not in line]
    drain = next(text for text in files if "complete-lifecycle-action" in text)
    order = ["systemctl stop nginx", "producers drain --timeout 100", "systemctl stop storepulse-agent"]
    places = [drain.index(step) for step in [*order, "complete-lifecycle-action --lifecycle"]]
    assert places == sorted(places)
    assert any("ExecStart=/opt/storepulse/producers --name storepulse-agent agent" in text for text in files)
    assert f"HOOK={hook['LifecycleHookName']}" in script


def test_live_and_cold_grow_with_their_lag(prod: dict[str, Template]) -> None:
    services = prod["services"]
    targets = of(services, "AWS::ApplicationAutoScaling::ScalableTarget").values()
    assert sorted((t["MinCapacity"], t["MaxCapacity"]) for t in targets) == [(2, 8), (2, 16)]
    alarms = of(services, "AWS::CloudWatch::Alarm").values()
    assert {(alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) for alarm in alarms} == {
        ("Storepulse/Fleet", "Lag", "Maximum")
    }
    lag_ms = PROD.lag_s * 1000
    assert {each["Value"]: alarm["Threshold"] for alarm in alarms for each in alarm["Dimensions"]} == {
        "storepulse-live-transactions": lag_ms,
        "storepulse-live-access": lag_ms,
        "storepulse-cold-transactions": 6 * lag_ms,
        "storepulse-cold-access": 6 * lag_ms,
    }


def test_the_warehouse_has_a_limit_a_day(prod: dict[str, Template]) -> None:
    limit = only(prod["warehouse"], "Custom::AWS")
    parts = limit["Create"]["Fn::Join"][1]
    text = "".join(part for part in parts if isinstance(part, str))
    assert '"usageType":"serverless-compute"' in text and f'"amount":{PROD.warehouse_rpu_hours_day}' in text
    assert only(prod["warehouse"], "AWS::RedshiftServerless::Workgroup")["BaseCapacity"] == PROD.warehouse_rpu


def test_the_function_gives_nothing_up(prod: dict[str, Template]) -> None:
    mapping = only(prod["function"], "AWS::Lambda::EventSourceMapping")
    assert mapping["BisectBatchOnFunctionError"] and mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["MaximumRetryAttempts"] == mapping["MaximumRecordAgeInSeconds"] == -1
    assert "FilterCriteria" not in mapping and mapping["DestinationConfig"]["OnFailure"]


def test_athena_reads_so_much_and_no_more(prod: dict[str, Template]) -> None:
    settings = only(prod["analytics"], "AWS::Athena::WorkGroup")["WorkGroupConfiguration"]
    assert settings["BytesScannedCutoffPerQuery"] == PROD.athena_gib << 30
    assert settings["EnforceWorkGroupConfiguration"]
    queries = of(prod["analytics"], "AWS::Athena::NamedQuery").values()
    assert all(query["QueryString"].startswith("CREATE OR REPLACE VIEW storepulse.") for query in queries)


def test_no_secret_is_in_a_template(prod: dict[str, Template]) -> None:
    for secret in of(prod["search"], "AWS::SecretsManager::Secret").values():
        written = json.dumps(secret.get("SecretString", ""))
        assert not secret.get("SecretString") or "{{resolve:secretsmanager:" in written
    assert "SecretString" not in only(prod["data"], "AWS::SecretsManager::Secret")
