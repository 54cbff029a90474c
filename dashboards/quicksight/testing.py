"""A stand-in for QuickSight behind a real boto3 client, and what is true of any QuickSight that we deploy to.

boto3 checks every request against the service's own model before the stand-in sees it; the stand-in checks what the
model cannot say: that what a request names is there, and that what takes time takes some. It renders nothing.
"""

import copy
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any

from botocore.awsrequest import AWSResponse

from dashboards.quicksight.kinds import KINDS
from dashboards.quicksight.visuals import Json

_LOOKS = 2  # at which a thing is still in progress
_WHEN = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)
_PASCAL = {"data-source": "DataSource", "data-set": "DataSet", "theme": "Theme"} | {
    "analysis": "Analysis",
    "dashboard": "Dashboard",
}
_ARN = {"data-source": "datasource", "data-set": "dataset"}


class Refusal(Exception):
    """An error of the service."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class FakeQuickSight:
    """One account. `fails`: what ends badly the next time, by id, and why. `refuses`: error codes by operation."""

    def __init__(self, region: str = "eu-west-2", *, edition: str = "ENTERPRISE", subscribed: bool = True) -> None:
        self.region, self.edition, self.subscribed = region, edition, subscribed
        self.vpc_connection = "AVAILABLE"
        self.fails: dict[str, str] = {}
        self.refuses: dict[str, str] = {}
        self.calls: list[str] = []  # every operation that was asked for, in order
        self.things: dict[tuple[str, str], Json] = {}
        self.groups: set[str] = set()
        self.tags: dict[str, dict[str, str]] = defaultdict(dict)
        self.schedules: dict[str, dict[str, Json]] = defaultdict(dict)
        self.properties: dict[str, Json] = {}
        self._looks: dict[tuple[str, str], int] = {}
        self._failed: dict[tuple[str, str, int], str] = {}

    def attach(self, client: Any, *, elsewhere: Collection[str] = ()) -> Any:
        """Answer this client's calls. Those `elsewhere` are taken note of, and answered by whoever is behind it."""

        def note(params: Json, context: Json, **_: Any) -> None:
            context["told"] = copy.deepcopy(params)

        def answer(model: Any, context: Json, **_: Any) -> Any:
            self.calls.append(model.name)
            try:
                told = self._answer(model.name, context["told"])
            except Refusal as refusal:
                error = {"Error": {"Code": refusal.code, "Message": str(refusal)}, "ResponseMetadata": {}}
                return AWSResponse("fake", 400, {}, None), error
            if model.name in elsewhere:
                return None
            return AWSResponse("fake", 200, {}, None), {**told, "ResponseMetadata": {}, "RequestId": "fake"}

        client.meta.events.register("before-parameter-build.quicksight", note)
        client.meta.events.register("before-call.quicksight", answer)
        return client

    @property
    def changed(self) -> list[str]:
        """The operations that change something."""
        return [name for name in self.calls if not name.startswith(("Describe", "List"))]

    def _answer(self, operation: str, told: Json) -> Json:
        if operation in self.refuses:
            raise Refusal(self.refuses[operation], f"refused: {operation}")
        handler: Callable[[Json], Json] | None = getattr(self, f"_on_{operation}", None)
        if handler:
            return handler(told)
        for kind, noun in _PASCAL.items():
            verb, _, rest = operation.partition(noun)
            if operation.startswith(f"{verb}{noun}") and verb in {"Create", "Describe", "Update", "Delete"}:
                own = getattr(self, f"_{verb.lower()}{rest.lower()}", None)
                if own:
                    return own(kind, told[KINDS[kind].id_key], told)  # type: ignore[no-any-return]
        raise NotImplementedError(operation)

    # Account and groups
    def _on_DescribeAccountSubscription(self, told: Json) -> Json:
        if not self.subscribed:
            raise Refusal("ResourceNotFoundException", "no subscription")
        return {"AccountInfo": {"AccountSubscriptionStatus": "ACCOUNT_CREATED", "Edition": self.edition}}

    def _on_DescribeVPCConnection(self, told: Json) -> Json:
        if not self.vpc_connection:
            raise Refusal("ResourceNotFoundException", "no such VPC connection")
        return {"VPCConnection": {"AvailabilityStatus": self.vpc_connection}}

    def _on_DescribeGroup(self, told: Json) -> Json:
        if told["GroupName"] not in self.groups:
            raise Refusal("ResourceNotFoundException", "no such group")
        return {"Group": {"GroupName": told["GroupName"]}}

    def _on_CreateGroup(self, told: Json) -> Json:
        self.groups.add(told["GroupName"])
        return {"Group": {"GroupName": told["GroupName"]}}

    def _on_DeleteGroup(self, told: Json) -> Json:
        self.groups.discard(told["GroupName"])
        return {}

    # Tags
    def _on_ListTagsForResource(self, told: Json) -> Json:
        return {"Tags": [{"Key": key, "Value": value} for key, value in self.tags[told["ResourceArn"]].items()]}

    def _on_TagResource(self, told: Json) -> Json:
        self.tags[told["ResourceArn"]] |= {each["Key"]: each["Value"] for each in told["Tags"]}
        return {}

    # Things
    def _create(self, kind: str, name: str, told: Json) -> Json:
        if (kind, name) in self.things:
            raise Refusal("ResourceExistsException", f"{name} exists")
        self._look_at_references(kind, told)
        arn = f"arn:aws:quicksight:{self.region}:{told['AwsAccountId']}:{_ARN.get(kind, kind)}/{name}"
        kept = {key: told[key] for key in told if key not in {"Tags", "Permissions", "AwsAccountId"}}
        thing = {"arn": arn, "versions": [kept], "published": 1, "permissions": told.get("Permissions", [])}
        self.things[kind, name] = thing
        self.tags[arn] = {each["Key"]: each["Value"] for each in told.get("Tags", [])}
        self._begin(kind, name)
        ingestion = {"IngestionId": "i-1"} if kind == "data-set" and told["ImportMode"] == "SPICE" else {}
        return {"Arn": arn, KINDS[kind].id_key: name, "VersionArn": f"{arn}/version/1", **ingestion}

    def _update(self, kind: str, name: str, told: Json) -> Json:
        thing = self._thing(kind, name)
        self._look_at_references(kind, told)
        kept = {key: value for key, value in told.items() if key != "AwsAccountId"}
        thing["versions"].append({**thing["versions"][-1], **kept})
        if kind != "dashboard":
            thing["published"] = len(thing["versions"])
        self._begin(kind, name)
        ingestion = {"IngestionId": f"i-{len(thing['versions'])}"} if kind == "data-set" else {}
        return {"Arn": thing["arn"], "VersionArn": f"{thing['arn']}/version/{len(thing['versions'])}", **ingestion}

    def _describe(self, kind: str, name: str, told: Json) -> Json:
        thing = self._thing(kind, name)
        number = told.get("VersionNumber") or thing["published"]
        kept, status = thing["versions"][number - 1], self._progress(kind, name, number)
        state: Json = {"Status": status}
        if status.endswith("FAILED"):
            error = {
                "Type": "UNKNOWN" if kind == "data-source" else "INTERNAL_FAILURE",
                "Message": self._failed[kind, name, number if kind == "dashboard" else 0],
            }
            state |= {"ErrorInfo": error} if kind == "data-source" else {"Errors": [error]}
        found: Json = {"Arn": thing["arn"], KINDS[kind].id_key: name, "Name": kept["Name"], "CreatedTime": _WHEN}
        if kind == "data-source":
            found |= {key: value for key, value in kept.items() if key != "Credentials"}
            found["SecretArn"] = kept["Credentials"]["SecretArn"]
        elif kind == "data-set":
            found |= kept
            state = {}
        version = {"VersionNumber": number, **state, **({} if kind == "dashboard" else kept)}
        found |= {"Version": version} if KINDS[kind].versions else state
        return {KINDS[kind].answer: found}

    def _describedefinition(self, kind: str, name: str, told: Json) -> Json:
        thing = self._thing(kind, name)
        kept = thing["versions"][thing["published"] - 1]
        return {key: kept[key] for key in KINDS[kind].updated if key in kept}

    def _describepermissions(self, kind: str, name: str, told: Json) -> Json:
        return {"Permissions": self._thing(kind, name)["permissions"]}

    def _updatepermissions(self, kind: str, name: str, told: Json) -> Json:
        thing = self._thing(kind, name)
        now = {each["Principal"]: {*each["Actions"]} for each in thing["permissions"]}
        for each in told.get("GrantPermissions", []):
            now[each["Principal"]] = now.get(each["Principal"], set()) | {*each["Actions"]}
        for each in told.get("RevokePermissions", []):
            now[each["Principal"]] -= {*each["Actions"]}
        thing["permissions"] = [{"Principal": who, "Actions": sorted(may)} for who, may in now.items() if may]
        return {}

    def _delete(self, kind: str, name: str, told: Json) -> Json:
        thing = self._thing(kind, name)
        del self.things[kind, name]
        self.tags.pop(thing["arn"], None)
        self.schedules.pop(name, None)
        self._failed = {key: why for key, why in self._failed.items() if key[:2] != (kind, name)}
        return {}

    def _on_UpdateDashboardPublishedVersion(self, told: Json) -> Json:
        self._thing("dashboard", told["DashboardId"])["published"] = told["VersionNumber"]
        return {}

    def _on_DescribeIngestion(self, told: Json) -> Json:
        name = told["DataSetId"]
        progress = self._progress("data-set", name, 1)
        status = {"CREATION_IN_PROGRESS": "RUNNING", "CREATION_FAILED": "FAILED"}.get(progress, "COMPLETED")
        error = None
        if status == "FAILED":
            error = {"Type": "SQL_EXCEPTION", "Message": self._failed["data-set", name, 0]}
        ingestion: Json = {"Arn": "ingestion", "IngestionStatus": status, "CreatedTime": _WHEN}
        return {"Ingestion": {**ingestion, **({"ErrorInfo": error} if error else {})}}

    # Refreshes
    def _on_PutDataSetRefreshProperties(self, told: Json) -> Json:
        self._thing("data-set", told["DataSetId"])
        self.properties[told["DataSetId"]] = told["DataSetRefreshProperties"]
        return {}

    def _on_ListRefreshSchedules(self, told: Json) -> Json:
        self._thing("data-set", told["DataSetId"])
        return {"RefreshSchedules": [{**each, "Arn": "arn"} for each in self.schedules[told["DataSetId"]].values()]}

    def _on_CreateRefreshSchedule(self, told: Json) -> Json:
        schedule, name = told["Schedule"], told["DataSetId"]
        incremental = schedule["RefreshType"] == "INCREMENTAL_REFRESH"
        if schedule["ScheduleFrequency"]["Interval"].startswith("MINUTE") and not incremental:
            raise Refusal("InvalidParameterValueException", "more often than hourly is for incremental refreshes")
        if incremental and name not in self.properties:
            raise Refusal("PreconditionNotMetException", "an incremental refresh needs refresh properties")
        self.schedules[name][schedule["ScheduleId"]] = schedule
        return {}

    _on_UpdateRefreshSchedule = _on_CreateRefreshSchedule

    def _on_DeleteRefreshSchedule(self, told: Json) -> Json:
        del self.schedules[told["DataSetId"]][told["ScheduleId"]]
        return {}

    def _thing(self, kind: str, name: str) -> Json:
        try:
            return self.things[kind, name]
        except KeyError:
            raise Refusal("ResourceNotFoundException", f"{kind} {name} not found") from None

    def _progress(self, kind: str, name: str, number: int) -> str:
        self._looks[kind, name] += 1
        doing = "CREATION" if number == 1 or kind in {"theme", "dashboard"} else "UPDATE"
        if self._looks[kind, name] <= _LOOKS:
            return f"{doing}_IN_PROGRESS"
        key = (kind, name, number if kind == "dashboard" else 0)
        if self._looks[kind, name] == _LOOKS + 1 and name in self.fails:  # decided once
            self._failed[key] = self.fails.pop(name)
        return f"{doing}_{'FAILED' if key in self._failed else 'SUCCESSFUL'}"

    def _begin(self, kind: str, name: str) -> None:
        self._looks[kind, name] = 0
        self._failed.pop((kind, name, 0), None)

    def _look_at_references(self, kind: str, told: Json) -> None:
        arns = {thing["arn"] for thing in self.things.values()}
        wanted = [each["DataSetArn"] for each in told.get("Definition", {}).get("DataSetIdentifierDeclarations", [])]
        wanted += [each["CustomSql"]["DataSourceArn"] for each in told.get("PhysicalTableMap", {}).values()]
        wanted += [told["ThemeArn"]] if "ThemeArn" in told else []
        wanted += [told["RowLevelPermissionDataSet"]["Arn"]] if "RowLevelPermissionDataSet" in told else []
        for arn in wanted:
            if arn not in arns:
                raise Refusal("ResourceNotFoundException", f"{arn} not found")
        for each in told.get("Permissions", []):
            if each["Principal"].rpartition("/")[2] not in self.groups:
                raise Refusal("InvalidParameterValueException", f"{each['Principal']} not found")
