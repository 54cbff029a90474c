import pytest

from consumers.warehouse.testing_duckdb import DuckWarehouse


@pytest.fixture(scope="session")
def warehouse() -> DuckWarehouse:
    """Tables that a test fills before it asks."""
    return DuckWarehouse()
