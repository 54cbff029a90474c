"""Puts users, their roles and index policies into an OpenSearch domain. Runs as a Lambda function inside its network.

The event is a custom resource's: Endpoint, Master (ARN of the master user's password), Passwords (ARN by user), Roles
and Policies (JSON texts by name). Putting the same again changes nothing. Deleting puts nothing away: the domain goes
with its stack, or is kept with all that is in it. Needs nothing but the standard library and boto3, which Lambda has.
"""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

Put = Callable[[str, str, Any], Any]  # method, path, body; raises RuntimeError, or returns None for 404


def handler(event: Mapping[str, Any], context: Any) -> None:
    """What Lambda calls. CloudFormation is told the outcome by a PUT to the address that it has sent; without one it
    would wait for an hour."""
    try:
        prepare(event)
    except Exception as error:
        print(f"failed: {error!r}")
        tell(event, context, "FAILED", f"{type(error).__name__}: {error}")
    else:
        tell(event, context, "SUCCESS", "")


def prepare(event: Mapping[str, Any]) -> None:
    """Do what the event asks for. Raises whatever hinders it."""
    if event["RequestType"] == "Delete":
        return
    import boto3

    manager = boto3.client("secretsmanager")

    def secret(arn: str) -> str:
        return str(manager.get_secret_value(SecretId=arn)["SecretString"])

    wanted = event["ResourceProperties"]
    request = requests_to(wanted["Endpoint"], "storepulse-master", secret(wanted["Master"]))
    put_users(request, json.loads(wanted["Roles"]), {user: secret(arn) for user, arn in wanted["Passwords"].items()})
    put_policies(request, json.loads(wanted["Policies"]))


def tell(event: Mapping[str, Any], context: Any, status: str, reason: str) -> None:
    """The answer to CloudFormation."""
    answer = {
        "Status": status,
        "Reason": reason or "done",
        "PhysicalResourceId": "storepulse-search",
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    body = json.dumps(answer).encode()
    # Signed without a content type.
    put = urllib.request.Request(event["ResponseURL"], data=body, headers={"Content-Type": ""}, method="PUT")
    with urllib.request.urlopen(put, timeout=30):
        pass


def requests_to(endpoint: str, user: str, password: str) -> Put:
    """Requests as that user. An answer of 4xx or 5xx but 404 raises RuntimeError with the path and the status."""
    token = base64.b64encode(f"{user}:{password}".encode()).decode()

    def request(method: str, path: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        asked = urllib.request.Request(endpoint + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise RuntimeError(f"OpenSearch answers {method} {path} with {error.code}") from error

    return request


def put_users(request: Put, roles: Mapping[str, Any], passwords: Mapping[str, str]) -> None:
    """A role and a user of the same name each."""
    for name, role in roles.items():
        request("PUT", f"/_plugins/_security/api/roles/{name}", role)
        request("PUT", f"/_plugins/_security/api/internalusers/{name}", {"password": passwords[name]})
        request("PUT", f"/_plugins/_security/api/rolesmapping/{name}", {"users": [name]})


def put_policies(request: Put, policies: Mapping[str, Any]) -> None:
    """Index policies. One that is there is replaced by the numbers of the version that was seen."""
    for name, policy in policies.items():
        path = f"/_plugins/_ism/policies/{name}"
        there = request("GET", path, None)
        if there is None:
            request("PUT", path, policy)
        elif _without_defaults(there["policy"], policy["policy"]) != policy["policy"]:
            request("PUT", f"{path}?if_seq_no={there['_seq_no']}&if_primary_term={there['_primary_term']}", policy)


def _without_defaults(there: Any, wanted: Any) -> Any:
    """`there` with only the members that `wanted` has: the store adds times, versions and retries of its own."""
    if isinstance(there, dict) and isinstance(wanted, dict):
        return {key: _without_defaults(there[key], wanted[key]) for key in there if key in wanted}
    if isinstance(there, list) and isinstance(wanted, list) and len(there) == len(wanted):
        return [_without_defaults(one, other) for one, other in zip(there, wanted, strict=True)]
    return there
