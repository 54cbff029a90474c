import boto3
import pytest

from dashboards.quicksight.account import Account
from dashboards.quicksight.settings import QuickSight, QuickSightSettings
from dashboards.quicksight.testing import FakeQuickSight
from runtime.testing import ManualClock

ACCOUNT = "123456789012"


@pytest.fixture(scope="session")
def settings():
    told = QuickSight(
        account=ACCOUNT,
        vpc_connection=f"arn:aws:quicksight:eu-west-2:{ACCOUNT}:vpcConnection/warehouse",
        secret=f"arn:aws:secretsmanager:eu-west-2:{ACCOUNT}:secret:reader",
        regions="uk-sales=GB IE; dach=DE AT",
        patience_s=60.0,
    )
    return QuickSightSettings(quicksight=told)


@pytest.fixture(scope="session")
def session():
    return boto3.Session(aws_access_key_id="id", aws_secret_access_key="key", region_name="eu-west-2")


@pytest.fixture
def fake():
    return FakeQuickSight()


@pytest.fixture
def account(session, settings, fake):
    """Waits move the clock on."""
    clock = ManualClock()
    return Account(fake.attach(session.client("quicksight")), settings, clock, clock.advance)
