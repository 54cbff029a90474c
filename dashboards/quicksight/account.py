"""QuickSight's API as `deploy` needs it: one thing at a time, waited for, with errors that say what to do."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from dashboards.quicksight.kinds import KINDS, Kind, only
from dashboards.quicksight.resources import CONTENT_TAG, OWNER_TAG, PREFIX, Resource
from dashboards.quicksight.settings import QuickSightSettings
from dashboards.quicksight.trouble import Failed, code_of, naming
from dashboards.quicksight.visuals import Json
from runtime.clock import Clock
from runtime.errors import ConfigError

_OWNER = {"Key": OWNER_TAG, "Value": PREFIX}
_GONE = "ResourceNotFoundException"


class Account:
    """One account's QuickSight. Every method raises ConfigError and Failed as `trouble.naming` says."""

    def __init__(self, client: Any, settings: QuickSightSettings, clock: Clock, wait: Callable[[float], None]) -> None:
        self._client, self._settings, self._clock, self._wait = client, settings, clock, wait
        self._account = {"AwsAccountId": settings.quicksight.account}

    def require_subscription(self) -> None:
        """Raises ConfigError unless QuickSight is signed up, as Enterprise, and reaches the warehouse's VPC."""
        told = self._maybe("look for a subscription", self._client.describe_account_subscription)
        info = (told or {}).get("AccountInfo", {})
        if info.get("AccountSubscriptionStatus") != "ACCOUNT_CREATED":
            raise ConfigError(
                f"account {self._settings.quicksight.account} has no QuickSight subscription in"
                f" {self._settings.aws.region}; sign up at https://quicksight.aws.amazon.com, edition Enterprise"
            )
        if info.get("Edition") == "STANDARD":
            raise ConfigError("QuickSight is signed up as Standard; upgrade it to Enterprise under Manage account")
        self._require_vpc_connection()

    def _require_vpc_connection(self) -> None:
        arn = self._settings.quicksight.vpc_connection
        found = self._maybe(
            "look for the VPC connection", self._client.describe_vpc_connection, VPCConnectionId=arn.rpartition("/")[2]
        )
        if not found:
            raise ConfigError(f"[quicksight] vpc_connection: there is no {arn}; create it under Manage account")
        connection = found["VPCConnection"]
        if connection.get("AvailabilityStatus") != "AVAILABLE":
            state = connection.get("AvailabilityStatus") or connection.get("Status")
            raise ConfigError(f"[quicksight] vpc_connection: {arn} is {state}, not available; see its security groups")

    def group(self, name: str) -> Json | None:
        """A group, None where there is none."""
        told = {"GroupName": name, "Namespace": self._settings.quicksight.namespace}
        return self._maybe(f"look for group {name}", self._client.describe_group, **told)

    def create_group(self, resource: Resource) -> None:
        """Without members: who belongs to it, somebody else says."""
        told = {"GroupName": resource.id, "Namespace": self._settings.quicksight.namespace}
        self._call(f"create {resource.name}", self._client.create_group, **told, **resource.request)

    def delete_group(self, name: str) -> None:
        """Its members stay users."""
        told = {"GroupName": name, "Namespace": self._settings.quicksight.namespace}
        self._call(f"delete group {name}", self._client.delete_group, **told)

    def describe(self, resource: Resource) -> Json | None:
        """What is there under this id, None where nothing is."""
        kind = KINDS[resource.kind]
        call = getattr(self._client, f"describe_{kind.noun}")
        found = self._maybe(f"look at {resource.name}", call, **{kind.id_key: resource.id})
        if not found or found[kind.answer].get("Status") == "DELETED":
            return None
        return dict(found[kind.answer])

    def tags(self, resource: Resource, described: Json) -> Mapping[str, str]:
        """Of something that is there."""
        with naming(f"look at the tags of {resource.name}"):
            found = self._client.list_tags_for_resource(ResourceArn=described["Arn"])
        return {each["Key"]: each["Value"] for each in found.get("Tags", [])}

    def mark(self, resource: Resource, described: Json, content: str) -> None:
        """Note what it was last brought to: the next deployment compares by it."""
        tags = [_OWNER, {"Key": CONTENT_TAG, "Value": content}]
        with naming(f"tag {resource.name}"):
            self._client.tag_resource(ResourceArn=described["Arn"], Tags=tags)

    def before(self, resource: Resource, described: Json) -> Json:
        """All of it that an update would change, as an update takes it."""
        kind = KINDS[resource.kind]
        told = kind.before(described)
        if kind.definition:
            call = getattr(self._client, f"describe_{kind.noun}_definition")
            told |= self._call(f"read {resource.name}", call, **{kind.id_key: resource.id})
        return only(kind, told)

    def permissions(self, resource: Resource) -> list[Json]:
        """Who may do what with it."""
        kind = KINDS[resource.kind]
        call = getattr(self._client, f"describe_{kind.noun}_permissions")
        told = self._call(f"read the permissions of {resource.name}", call, **{kind.id_key: resource.id})
        return list(told.get("Permissions", []))

    def create(self, resource: Resource) -> None:
        """Make it, and wait until it is."""
        kind = KINDS[resource.kind]
        call = getattr(self._client, f"create_{kind.noun}")
        told = {kind.id_key: resource.id, **resource.request, "Permissions": list(resource.permissions)}
        answer = self._call(f"create {resource.name}", call, **told, Tags=[_OWNER])
        self._settled(resource, answer)

    def update(self, resource: Resource, request: Json) -> None:
        """Change it, and wait until it is. A dashboard's new version is published."""
        kind = KINDS[resource.kind]
        call = getattr(self._client, f"update_{kind.noun}")
        answer = self._call(f"update {resource.name}", call, **{kind.id_key: resource.id}, **only(kind, request))
        version = int(answer["VersionArn"].rpartition("/")[2]) if kind.versions else None
        self._settled(resource, answer, version)
        if resource.kind == "dashboard":
            self.publish(resource, version or 1)

    def publish(self, resource: Resource, version: int) -> None:
        """Make a version of a dashboard the one that readers see."""
        call = self._client.update_dashboard_published_version
        self._call(f"publish {resource.name}", call, DashboardId=resource.id, VersionNumber=version)

    def permit(self, resource: Resource, wanted: Iterable[Json]) -> None:
        """Exactly these permissions, granted before others are revoked."""
        kind = KINDS[resource.kind]
        now = {each["Principal"]: {*each["Actions"]} for each in self.permissions(resource)}
        then = {each["Principal"]: {*each["Actions"]} for each in wanted}
        grant = [_permission(who, then[who]) for who in then if then[who] != now.get(who)]
        revoke = [_permission(who, now[who] - then.get(who, set())) for who in now if now[who] - then.get(who, set())]
        call = getattr(self._client, f"update_{kind.noun}_permissions")
        for name, changes in (("GrantPermissions", grant), ("RevokePermissions", revoke)):
            if changes:
                self._call(f"permit {resource.name}", call, **{kind.id_key: resource.id, name: changes})

    def schedules(self, resource: Resource) -> list[Json]:
        """When a data set is refreshed."""
        told = self._call(
            f"read the schedules of {resource.name}", self._client.list_refresh_schedules, DataSetId=resource.id
        )
        return [
            {key: each[key] for key in ("ScheduleId", "ScheduleFrequency", "RefreshType")}
            for each in told["RefreshSchedules"]
        ]

    def schedule(self, resource: Resource, wanted: Iterable[Json], properties: Json | None) -> None:
        """Exactly these schedules. Properties come first: an incremental schedule needs its window."""
        data_set = {"DataSetId": resource.id}
        if properties:
            call = self._client.put_data_set_refresh_properties
            self._call(f"set the refresh of {resource.name}", call, **data_set, DataSetRefreshProperties=properties)
        now = {each["ScheduleId"]: each for each in self.schedules(resource)}
        then = {each["ScheduleId"]: each for each in wanted}
        for name in now.keys() - then.keys():
            call = self._client.delete_refresh_schedule
            self._call(f"unschedule {resource.name}", call, **data_set, ScheduleId=name)
        for name, each in then.items():
            if each != now.get(name):
                call = self._client.update_refresh_schedule if name in now else self._client.create_refresh_schedule
                self._call(f"schedule {resource.name}", call, **data_set, Schedule=each)

    def delete(self, resource: Resource) -> None:
        """Away with it; it need not be there any more."""
        kind = KINDS[resource.kind]
        call = getattr(self._client, f"delete_{kind.noun}")
        self._maybe(f"delete {resource.name}", call, **{kind.id_key: resource.id}, **(kind.deletion or {}))

    def _settled(self, resource: Resource, answer: Json, version: int | None = None) -> None:
        """Wait for what QuickSight does after it has answered. Raises Failed with its errors, and past the patience."""
        kind = KINDS[resource.kind]
        deadline = self._clock.now() + timedelta(seconds=self._settings.quicksight.patience_s)
        while True:
            status, errors = self._status(kind, resource, answer, version)
            if status.endswith(("SUCCESSFUL", "COMPLETED")):
                return
            if status.endswith(("FAILED", "CANCELLED", "DELETED")):
                told = "; ".join(f"{each.get('Type', '')}: {each.get('Message', '')}" for each in errors)
                raise Failed(f"{resource.name}: {status}: {told or 'QuickSight gave no reason'}")
            if self._clock.now() >= deadline:
                raise Failed(f"{resource.name}: still {status} after {self._settings.quicksight.patience_s:g} s")
            self._wait(self._settings.quicksight.poll_s)

    def _status(self, kind: Kind, resource: Resource, answer: Json, version: int | None) -> tuple[str, list[Json]]:
        name = f"wait for {resource.name}"
        if resource.kind == "data-set":  # made at once; its rows come by an ingestion
            if not answer.get("IngestionId"):
                return "COMPLETED", []
            told = {"DataSetId": resource.id, "IngestionId": answer["IngestionId"]}
            ingestion = self._call(name, self._client.describe_ingestion, **told)["Ingestion"]
            return ingestion["IngestionStatus"], [ingestion["ErrorInfo"]] if ingestion.get("ErrorInfo") else []
        which = {"VersionNumber": version} if version else {}
        found = self._call(name, getattr(self._client, f"describe_{kind.noun}"), **{kind.id_key: resource.id}, **which)
        state = found[kind.answer]["Version"] if kind.versions else found[kind.answer]
        errors = state.get("Errors") or ([state["ErrorInfo"]] if state.get("ErrorInfo") else [])
        return state["Status"], errors

    def _call(self, step: str, call: Callable[..., Json], **told: Any) -> Json:
        with naming(step):
            return call(**self._account, **told)

    def _maybe(self, step: str, call: Callable[..., Json], **told: Any) -> Json | None:
        with naming(step):
            try:
                return call(**self._account, **told)
            except ClientError as error:
                if code_of(error) == _GONE:
                    return None
                raise


def _permission(principal: str, actions: Iterable[str]) -> Json:
    return {"Principal": principal, "Actions": sorted(actions)}
