"""Users and policies are put as they are meant, and again without a change."""

from typing import Any

import pytest

from infra.aws.search_setup.handler import put_policies, put_users
from infra.resources import index_policies

pytestmark = pytest.mark.unit


class Store:
    """An ISM that adds members of its own, as OpenSearch does."""

    def __init__(self) -> None:
        self.puts: list[str] = []
        self._held: dict[str, Any] = {}

    def __call__(self, method: str, path: str, body: Any) -> Any:
        place = path.partition("?")[0]
        if method == "GET":
            return self._held.get(place)
        self.puts.append(path)
        policy = {**body.get("policy", {}), "last_updated_time": 1, "schema_version": 21}
        self._held[place] = {"_seq_no": len(self.puts), "_primary_term": 1, "policy": policy}
        return {}


def test_a_policy_is_put_once_and_a_changed_one_by_the_version_that_was_seen() -> None:
    store, wanted = Store(), index_policies()
    put_policies(store, wanted)
    put_policies(store, wanted)
    assert store.puts == [f"/_plugins/_ism/policies/{name}" for name in wanted]
    changed = {"storepulse-hits": {"policy": {**wanted["storepulse-hits"]["policy"], "default_state": "delete"}}}
    put_policies(store, changed)
    assert store.puts[-1] == "/_plugins/_ism/policies/storepulse-hits?if_seq_no=2&if_primary_term=1"


def test_a_user_has_the_role_of_its_name() -> None:
    asked: list[tuple[str, Any]] = []
    put_users(lambda method, path, body: asked.append((path, body)), {"a": {"cluster_permissions": []}}, {"a": "word"})
    assert [path for path, _ in asked] == [
        f"/_plugins/_security/api/{kind}/a" for kind in ("roles", "internalusers", "rolesmapping")
    ]
    assert asked[2][1] == {"users": ["a"]}
