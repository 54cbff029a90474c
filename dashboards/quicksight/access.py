"""Who may do what: owners change everything, readers look at dashboards. Nobody else has any of it."""

from collections.abc import Mapping, Sequence

from dashboards.quicksight.settings import QuickSightSettings, owners
from dashboards.quicksight.visuals import Json

# https://docs.aws.amazon.com/quicksight/latest/APIReference/qs-api-overview.html: the sets that its console grants.
_LOOK = {
    "dashboard": ("DescribeDashboard", "ListDashboardVersions", "QueryDashboard"),
    "theme": ("DescribeTheme", "DescribeThemeAlias", "ListThemeAliases", "ListThemeVersions"),
}
_CHANGE = {
    "data-source": (
        *("DescribeDataSource", "DescribeDataSourcePermissions", "PassDataSource"),
        *("UpdateDataSource", "DeleteDataSource", "UpdateDataSourcePermissions"),
    ),
    "data-set": (
        *("DescribeDataSet", "DescribeDataSetPermissions", "PassDataSet", "DescribeIngestion", "ListIngestions"),
        *("UpdateDataSet", "DeleteDataSet", "CreateIngestion", "CancelIngestion", "UpdateDataSetPermissions"),
    ),
    "theme": (
        *(*_LOOK["theme"], "UpdateTheme", "DeleteTheme", "CreateThemeAlias", "DeleteThemeAlias"),
        *("UpdateThemeAlias", "UpdateThemePermissions", "DescribeThemePermissions"),
    ),
    "analysis": (
        *("DescribeAnalysis", "DescribeAnalysisPermissions", "QueryAnalysis", "UpdateAnalysis"),
        *("DeleteAnalysis", "RestoreAnalysis", "UpdateAnalysisPermissions"),
    ),
    "dashboard": (
        *(*_LOOK["dashboard"], "UpdateDashboardPermissions", "DescribeDashboardPermissions"),
        *("UpdateDashboard", "DeleteDashboard", "UpdateDashboardPublishedVersion"),
    ),
}


def access(settings: QuickSightSettings, kind: str, viewers: Sequence[str] = ()) -> list[Json]:
    """Permissions of one thing: `viewers` are groups that look at it, owners change it."""
    may: Mapping[str, Sequence[str]] = {
        **(dict.fromkeys(viewers, _LOOK[kind]) if viewers else {}),
        **dict.fromkeys(owners(settings.quicksight), _CHANGE[kind]),
    }
    return [
        {"Principal": principal(settings, group), "Actions": [f"quicksight:{action}" for action in actions]}
        for group, actions in may.items()
    ]


def principal(settings: QuickSightSettings, group: str) -> str:
    """A group's ARN."""
    told = settings.quicksight
    region = told.identity_region or settings.aws.region
    return f"arn:{partition(region)}:quicksight:{region}:{told.account}:group/{told.namespace}/{group}"


def partition(region: str) -> str:
    """The part of AWS that a region belongs to, as ARNs begin with it."""
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
