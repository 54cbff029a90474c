"""Everything that `deploy` makes, in order, as the requests that make it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from contract.formula_sql import literal
from contract.tables import Kind
from dashboards.quicksight.access import access, partition, principal
from dashboards.quicksight.datasets import LOOKBACK_DAYS, RULES, SETS, DataSet, sql
from dashboards.quicksight.definition import definition
from dashboards.quicksight.settings import QuickSightSettings, owners, readers, regions_of
from dashboards.quicksight.sheets import region_sheets, shop_sheets
from dashboards.quicksight.theme import THEME
from dashboards.quicksight.visuals import Json

PREFIX = "storepulse"
OWNER_TAG, CONTENT_TAG = "storepulse:owner", "storepulse:content"
_TYPES = {
    Kind.TEXT: "STRING",
    Kind.INTEGER: "INTEGER",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.DATE: "DATETIME",
    Kind.TIME: "DATETIME",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One thing in QuickSight. `request`: what creates it, account, permissions and tags apart."""

    kind: str  # as in its ARN: data-source, data-set, theme, analysis, dashboard; or group
    id: str
    request: Json
    permissions: Sequence[Json] = ()
    properties: Json | None = None  # of a data set's refresh
    schedules: Sequence[Json] = field(default=())

    @property
    def name(self) -> str:
        """As people read it in messages."""
        return f"{self.kind} {self.id}"

    @property
    def content(self) -> str:
        """Tells whether anything of it changed."""
        told = [self.request, self.permissions, self.properties, self.schedules]
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def resources(settings: QuickSightSettings) -> list[Resource]:
    """What each needs comes before it. Raises ConfigError for settings that make no sense."""
    arns = {name: _arn(settings, "dataset", f"{PREFIX}-{name}") for name in (each.name for each in SETS)}
    theme = _arn(settings, "theme", PREFIX)
    look = {"ThemeArn": theme}
    told = settings.quicksight
    every = [*readers(told), *regions_of(told)]
    groups = dict.fromkeys([*owners(told), *readers(told), *regions_of(told)])
    shop = definition(shop_sheets(settings.shop.currency), arns, settings.shop.currency)
    made = [
        *(_group(name) for name in groups),
        _data_source(settings),
        _rules(settings),
        *(_data_set(each, settings) for each in SETS),
        Resource(
            kind="theme",
            id=PREFIX,
            request={"Name": "storepulse", **THEME},
            permissions=access(settings, "theme", every),
        ),
        Resource(
            kind="analysis",
            id=PREFIX,
            request={"Name": "storepulse", "Definition": shop, **look},
            permissions=access(settings, "analysis"),
        ),
        Resource(
            kind="dashboard",
            id=f"{PREFIX}-shop",
            request={"Name": "storepulse", "Definition": shop, **look, **_publishing()},
            permissions=access(settings, "dashboard", readers(told)),
        ),
    ]
    if regions_of(told):
        regional = definition(region_sheets(settings.shop.currency), arns, settings.shop.currency)
        made.append(
            Resource(
                kind="dashboard",
                id=f"{PREFIX}-regions",
                request={"Name": "storepulse by region", "Definition": regional, **look, **_publishing()},
                permissions=access(settings, "dashboard", every),
            )
        )
    return made


def _arn(settings: QuickSightSettings, kind: str, name: str) -> str:
    region = settings.aws.region
    return f"arn:{partition(region)}:quicksight:{region}:{settings.quicksight.account}:{kind}/{name}"


def _group(name: str) -> Resource:
    return Resource(kind="group", id=name, request={"Description": "storepulse"})


def _data_source(settings: QuickSightSettings) -> Resource:
    warehouse = settings.warehouse
    reached = {"Host": warehouse.host, "Port": warehouse.port, "Database": warehouse.database}
    request = {
        "Name": "storepulse warehouse",
        "Type": "REDSHIFT",
        "DataSourceParameters": {"RedshiftParameters": reached},
        "Credentials": {"SecretArn": settings.quicksight.secret},
        "VpcConnectionProperties": {"VpcConnectionArn": settings.quicksight.vpc_connection},
        "SslProperties": {"DisableSsl": not warehouse.tls},
    }
    return Resource(
        kind="data-source", id=f"{PREFIX}-warehouse", request=request, permissions=access(settings, "data-source")
    )


def _data_set(data_set: DataSet, settings: QuickSightSettings) -> Resource:
    columns = [{"Name": each.name, "Type": _TYPES[each.kind]} for each in data_set.columns(settings.shop.time_zone)]
    request = _fetched(settings, data_set.name, data_set.title, sql(data_set, settings), columns)
    if data_set.by_region:
        # A country is known by its ISO 3166 code; a map needs to be told that it is one.
        tag = {"ColumnName": "region", "Tags": [{"ColumnGeographicRole": "COUNTRY"}]}
        request["LogicalTableMap"]["rows"]["DataTransforms"] = [{"TagColumnOperation": tag}]
        request["RowLevelPermissionDataSet"] = {
            "Arn": _arn(settings, "dataset", f"{PREFIX}-{RULES}"),
            "PermissionPolicy": "GRANT_ACCESS",
            "FormatVersion": "VERSION_2",
            "Status": "ENABLED",
        }
    every = settings.quicksight.refresh
    nightly = _schedule(settings, "nightly", {"Interval": "DAILY", "TimeOfTheDay": "04:00"}, "FULL_REFRESH")
    if data_set.incremental and every != "HOURLY":
        schedules = [_schedule(settings, "often", {"Interval": every}, "INCREMENTAL_REFRESH"), nightly]
    elif data_set.incremental:
        schedules = [_schedule(settings, "often", {"Interval": "HOURLY"}, "INCREMENTAL_REFRESH"), nightly]
    else:  # Quarters of an hour are for incremental refreshes alone.
        schedules = [_schedule(settings, "often", {"Interval": "HOURLY"}, "FULL_REFRESH")]
    window = {"ColumnName": data_set.source.time, "Size": LOOKBACK_DAYS, "SizeUnit": "DAY"}
    newest = {"RefreshConfiguration": {"IncrementalRefresh": {"LookbackWindow": window}}}
    return Resource(
        kind="data-set",
        id=f"{PREFIX}-{data_set.name}",
        request=request,
        permissions=access(settings, "data-set"),
        properties=newest if data_set.incremental else None,
        schedules=schedules,
    )


def _rules(settings: QuickSightSettings) -> Resource:
    """Who sees which regions. An empty region is all of them; who has no rule sees nothing."""
    told = settings.quicksight
    everything = [(group, "") for group in dict.fromkeys([*owners(told), *readers(told)])]
    some = [(group, ",".join(regions)) for group, regions in regions_of(told).items()]
    rows = [
        f"SELECT CAST(NULL AS VARCHAR(512)) AS userarn, CAST({literal(principal(settings, group))} AS VARCHAR(512))"
        f" AS grouparn, CAST({literal(regions) if regions else 'NULL'} AS VARCHAR(1024)) AS region"
        for group, regions in [*everything, *some]
    ]
    columns = [{"Name": name, "Type": "STRING"} for name in ("userarn", "grouparn", "region")]
    request = _fetched(settings, RULES, "Who sees which regions", " UNION ALL ".join(rows), columns)
    renames = {"userarn": "UserARN", "grouparn": "GroupARN"}  # Redshift folds names; QuickSight wants these
    request["LogicalTableMap"]["rows"]["DataTransforms"] = [
        {"RenameColumnOperation": {"ColumnName": old, "NewColumnName": new}} for old, new in renames.items()
    ]
    request["UseAs"] = "RLS_RULES"
    return Resource(kind="data-set", id=f"{PREFIX}-{RULES}", request=request, permissions=access(settings, "data-set"))


def _fetched(settings: QuickSightSettings, name: str, title: str, query: str, columns: list[Json]) -> Json:
    custom = {
        "DataSourceArn": _arn(settings, "datasource", f"{PREFIX}-warehouse"),
        "Name": name,
        "SqlQuery": query,
        "Columns": columns,
    }
    return {
        "Name": f"storepulse: {title}",
        "PhysicalTableMap": {"fetched": {"CustomSql": custom}},
        "LogicalTableMap": {"rows": {"Alias": name, "Source": {"PhysicalTableId": "fetched"}}},
        "ImportMode": "SPICE",
    }


def _schedule(settings: QuickSightSettings, name: str, frequency: Json, kind: str) -> Json:
    zone = {"Timezone": settings.shop.time_zone}
    return {"ScheduleId": f"{PREFIX}-{name}", "ScheduleFrequency": {**frequency, **zone}, "RefreshType": kind}


def _publishing() -> Json:
    return {
        "DashboardPublishOptions": {
            "AdHocFilteringOption": {"AvailabilityStatus": "ENABLED"},
            "ExportToCSVOption": {"AvailabilityStatus": "ENABLED"},
            "SheetControlsOption": {"VisibilityState": "EXPANDED"},
        }
    }


def document(made: Sequence[Resource]) -> list[dict[str, Any]]:
    """For files: what boto3's create calls take, in order."""
    told = []
    for each in made:
        entry: dict[str, Any] = {"kind": each.kind, "id": each.id, "request": each.request}
        extra = {"permissions": each.permissions, "properties": each.properties, "schedules": each.schedules}
        told.append(entry | {name: value for name, value in extra.items() if value})
    return told
