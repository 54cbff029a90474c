"""What tests of Locust's users ask for."""

import importlib
from types import ModuleType

import pytest


@pytest.fixture
def users(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The users' classes. Locust is imported without its patches: other tests of this process have threads."""
    monkeypatch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
    return importlib.import_module("loadtests.users.locustfile")
