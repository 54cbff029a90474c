"""How each kind of thing is created, looked at, changed and deleted: where the calls of QuickSight's API differ."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.quicksight.visuals import Json

_DASHBOARD = ("Name", "Definition", "ThemeArn", "DashboardPublishOptions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind. `noun` is in the names of its calls, `answer` holds what describing it returns."""

    noun: str
    id_key: str
    answer: str
    updated: tuple[str, ...]  # keys of a request that an update takes; the rest cannot change
    definition: bool = False  # described by a call of its own
    versions: bool = False  # its status is its newest version's
    deletion: Mapping[str, object] | None = None
    before: Callable[[Json], Json] = dict  # a description as what an update takes


def _data_source(described: Json) -> Json:
    secret = described.get("SecretArn")
    return {**described, **({"Credentials": {"SecretArn": secret}} if secret else {})}


def _theme(described: Json) -> Json:
    version = described.get("Version", {})
    return {**described, **{key: version[key] for key in ("BaseThemeId", "Configuration") if key in version}}


KINDS: Mapping[str, Kind] = {
    "data-source": Kind(
        noun="data_source",
        id_key="DataSourceId",
        answer="DataSource",
        updated=("Name", "DataSourceParameters", "Credentials", "VpcConnectionProperties", "SslProperties"),
        before=_data_source,
    ),
    "data-set": Kind(
        noun="data_set",
        id_key="DataSetId",
        answer="DataSet",
        updated=("Name", "PhysicalTableMap", "LogicalTableMap", "ImportMode", "RowLevelPermissionDataSet"),
    ),
    "theme": Kind(
        noun="theme",
        id_key="ThemeId",
        answer="Theme",
        updated=("Name", "BaseThemeId", "Configuration"),
        versions=True,
        before=_theme,
    ),
    "analysis": Kind(
        noun="analysis",
        id_key="AnalysisId",
        answer="Analysis",
        updated=("Name", "Definition", "ThemeArn"),
        definition=True,
        deletion={"ForceDeleteWithoutRecovery": True},
    ),
    "dashboard": Kind(
        noun="dashboard",
        id_key="DashboardId",
        answer="Dashboard",
        updated=_DASHBOARD,
        definition=True,
        versions=True,
    ),
}


def only(kind: Kind, told: Mapping[str, Any]) -> Json:
    """Of a request or a description, what an update takes."""
    return {key: told[key] for key in kind.updated if told.get(key) is not None}
