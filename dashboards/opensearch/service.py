"""OpenSearch Dashboards' API of saved objects: import, and what is there.

https://docs.opensearch.org/latest/dashboards/management/saved-objects-api/
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import boto3
import msgspec
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from urllib3.exceptions import HTTPError

from dashboards.opensearch.saved import Json, Saved, ndjson
from dashboards.opensearch.settings import OpenSearchDashboards
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.settings import Aws, masked

_FILE = "storepulse.ndjson"
_MOST_ERRORS = 20


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """An object that was not imported."""

    what: str  # type and id
    why: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """An object that is not as in the list."""

    what: str
    how: str  # missing, or differs
    details: list[str] = []  # the attributes that differ


class Service:
    """One server. Every method raises Outage while it is away, and ConfigError where it refuses."""

    def __init__(self, settings: OpenSearchDashboards, aws: Aws) -> None:
        """Raises ConfigError."""
        if urlsplit(settings.url).scheme not in ("http", "https"):
            raise ConfigError(
                f"[opensearch_dashboards] url {masked(settings.url)!r} is no URL such as http://127.0.0.1:5601"
            )
        if settings.login == "basic" and not settings.user:
            raise ConfigError('[opensearch_dashboards] login = "basic" wants user and password')
        self._settings = settings
        self._aws = aws
        self._http = urllib3.PoolManager(timeout=settings.timeout_s, retries=False)

    def put(self, objects: Sequence[Saved]) -> list[Refused]:
        """Import them over what is there; returns those that were refused, the others are there."""
        body, kind = urllib3.encode_multipart_formdata({"file": (_FILE, ndjson(objects), "application/ndjson")})
        answer = self._ask("/api/saved_objects/_import?overwrite=true", body, kind)
        errors = answer.get("errors", [])
        refused = [Refused(what=f"{each.get('type')} {each.get('id')}", why=_why(each)) for each in errors]
        count = answer.get("successCount", 0)
        if not refused and (not answer.get("success") or count != len(objects)):
            raise ConfigError(f"OpenSearch Dashboards took {count} of {len(objects)} objects and does not say why")
        return refused

    def differences(self, objects: Sequence[Saved]) -> list[Difference]:
        """Those that are missing, or have other attributes or references."""
        asked = [{"type": each.type, "id": each.id} for each in objects]
        body = msgspec.json.encode(asked)
        answer = self._ask("/api/saved_objects/_bulk_get", body, "application/json")
        there = {(each.get("type"), each.get("id")): each for each in answer.get("saved_objects", [])}
        return [found for each in objects if (found := _compare(each, there.get((each.type, each.id)))) is not None]

    def _ask(self, path: str, body: bytes, kind: str) -> Json:
        url = self._settings.url.rstrip("/") + path
        headers = {"osd-xsrf": "true", "Content-Type": kind, **self._login(url, body, kind)}
        if self._settings.tenant:
            headers["securitytenant"] = self._settings.tenant
        try:
            answer = self._http.request("POST", url, body=body, headers=headers)
        except HTTPError as error:
            raise Outage(f"OpenSearch Dashboards: {type(error).__name__}") from error
        if answer.status == 429 or answer.status >= 500:
            raise Outage(f"OpenSearch Dashboards: {answer.status}")
        if answer.status in (401, 403):
            raise ConfigError(
                f"OpenSearch Dashboards refuses ({answer.status}): check [opensearch_dashboards] login, user, tenant"
                " and the role's rights"
            )
        try:
            decoded = msgspec.json.decode(answer.data, type=dict[str, Any])
        except (msgspec.DecodeError, msgspec.ValidationError):
            raise ConfigError(
                f"{masked(url)} is no OpenSearch Dashboards ({answer.status}): check [opensearch_dashboards] url, which"
                " ends in /_dashboards on OpenSearch Service"
            ) from None
        if answer.status != 200:
            raise ConfigError(f"OpenSearch Dashboards refuses ({answer.status}): {decoded.get('message', 'no reason')}")
        return decoded

    def _login(self, url: str, body: bytes, kind: str) -> Mapping[str, str]:
        told = self._settings
        if told.login == "basic":
            return urllib3.make_headers(basic_auth=f"{told.user}:{told.password}")
        if told.login != "sigv4":
            return {}
        aws = self._aws
        try:
            session = boto3.Session(aws.access_key_id or None, aws.secret_access_key or None, region_name=aws.region)
            credentials = session.get_credentials()
        except BotoCoreError as error:
            raise ConfigError(f"no AWS credentials: {error}; see [aws]") from error
        if credentials is None:
            raise ConfigError("no AWS credentials: set [aws] access_key_id or give the host a role")
        request = AWSRequest("POST", url, data=body, headers={"Content-Type": kind})
        SigV4Auth(credentials, "es", aws.region).add_auth(request)
        return {name: value for name, value in request.headers.items() if name.lower() != "content-type"}


def _compare(wanted: Saved, there: Json | None) -> Difference | None:
    what = f"{wanted.type} {wanted.id}"
    if there is None or there.get("error"):
        return Difference(what=what, how="missing")
    attributes = there.get("attributes", {})
    details = sorted(key for key, value in wanted.attributes.items() if attributes.get(key) != value)
    references = [msgspec.to_builtins(each) for each in wanted.references]
    if references != there.get("references", []):
        details.append("references")
    return Difference(what=what, how="differs", details=details) if details else None


def _why(error: Json) -> str:
    """The server's reason, and what it is about."""
    told = error.get("error", {})
    missing = [f"{each.get('type')} {each.get('id')}" for each in told.get("references", [])][:_MOST_ERRORS]
    words = (str(told.get("type", "unknown")), str(told.get("message", "")), ", ".join(missing))
    return " ".join(word for word in words if word)
