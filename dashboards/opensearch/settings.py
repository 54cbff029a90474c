"""How to reach OpenSearch Dashboards."""

from dataclasses import dataclass
from typing import Literal

from runtime.settings import Aws, Seconds, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSearchDashboards:
    """`[opensearch_dashboards]`: where saved objects are imported."""

    url: str = setting(
        "http://127.0.0.1:5601", "its address; on OpenSearch Service the domain's, with /_dashboards at the end"
    )
    login: Literal["none", "basic", "sigv4"] = setting(
        "none", "`basic`: user and password; `sigv4`: signed by the role under [aws], as OpenSearch Service takes it"
    )
    user: str = setting("", "of `basic`")
    password: str = setting("", "goes with user", secret=True)
    tenant: str = setting("", "tenant of the security plugin; empty: the user's own choice, `global` is everybody's")
    timeout_s: Seconds = setting(30.0, "longest wait for one answer", unit="s")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSearchDashboardsSettings:
    """All that `python -m dashboards opensearch` reads."""

    aws: Aws = Aws()
    opensearch_dashboards: OpenSearchDashboards = OpenSearchDashboards()
