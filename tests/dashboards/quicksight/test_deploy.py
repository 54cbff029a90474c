"""Deploying: all of it or none, and nothing the second time."""

import dataclasses

import pytest
from moto import mock_aws

from dashboards.quicksight.account import Account
from dashboards.quicksight.deploy import deploy, plan
from dashboards.quicksight.resources import CONTENT_TAG, OWNER_TAG, resources
from dashboards.quicksight.settings import QuickSight, check
from dashboards.quicksight.testing import FakeQuickSight
from dashboards.quicksight.trouble import Failed
from runtime.errors import ConfigError
from runtime.testing import ManualClock

pytestmark = pytest.mark.unit

# What moto 5.2 has of QuickSight, as far as a deployment asks for it.
MOTO = {
    *("CreateGroup", "DescribeGroup", "DeleteGroup", "CreateDataSource", "DescribeDataSource", "UpdateDataSource"),
    *("DeleteDataSource", "CreateDataSet", "CreateDashboard", "DescribeDashboard", "TagResource"),
    "ListTagsForResource",
}


@pytest.fixture(scope="module")
def wanted(settings):
    return resources(settings)


@pytest.fixture(params=["stand-in", "moto"])
def quicksight(request, session, settings, fake):
    """An account on the stand-in alone, or on moto wherever moto has the call."""
    clock = ManualClock()
    if request.param == "moto":
        with mock_aws():
            client = fake.attach(session.client("quicksight"), elsewhere=MOTO)
            yield Account(client, settings, clock, clock.advance)
    else:
        yield Account(fake.attach(session.client("quicksight")), settings, clock, clock.advance)


def quiet(text):
    pass


def state(fake):
    """All that a reader or an owner could notice, apart from versions that nobody sees."""
    seen = {
        key: (
            thing["versions"][thing["published"] - 1],
            {each["Principal"]: sorted(each["Actions"]) for each in thing["permissions"]},
        )
        for key, thing in fake.things.items()
    }
    return seen, {*fake.groups}, {name: dict(each) for name, each in fake.schedules.items() if each}


def renamed(wanted, resource_id):
    """The same resources, one of them with another name."""
    return [
        dataclasses.replace(each, request={**each.request, "Name": "another"}) if each.id == resource_id else each
        for each in wanted
    ]


def test_a_second_deployment_changes_nothing(quicksight, fake, wanted):
    assert deploy(quicksight, wanted, quiet) == len(wanted)
    fake.calls.clear()
    assert deploy(quicksight, wanted, quiet) == 0
    assert fake.changed == []


def test_one_changed_definition_changes_one_thing_and_is_named(account, fake, wanted):
    deploy(account, wanted, quiet)
    (change,) = plan(account, renamed(wanted, "storepulse-shop"))
    assert (change.action, change.resource.id, change.paths) == ("update", "storepulse-shop", ("Name",))
    assert deploy(account, renamed(wanted, "storepulse-shop"), quiet) == 1
    thing = fake.things["dashboard", "storepulse-shop"]
    assert thing["versions"][thing["published"] - 1]["Name"] == "another"
    assert plan(account, renamed(wanted, "storepulse-shop")) == []


@pytest.mark.parametrize("failing", ["storepulse-warehouse", "storepulse-orders", "storepulse", "storepulse-regions"])
def test_a_first_deployment_that_fails_leaves_nothing(account, fake, wanted, failing):
    fake.fails[failing] = "the cluster said no"
    with pytest.raises(Failed, match=f"{failing}: .*FAILED: .*the cluster said no"):
        deploy(account, wanted, quiet)
    assert state(fake) == ({}, set(), {})
    assert deploy(account, wanted, quiet) == len(wanted)


@pytest.mark.parametrize("failing", ["storepulse-orders", "storepulse-shop", "storepulse-regions"])
def test_a_later_deployment_that_fails_puts_back_what_was_there(account, fake, wanted, failing):
    deploy(account, wanted, quiet)
    before = state(fake)
    every = [
        dataclasses.replace(each, request={**each.request, "Name": "new"}) for each in wanted if each.kind != "group"
    ]
    every = [
        dataclasses.replace(each, permissions=each.permissions[:1], schedules=each.schedules[:1]) for each in every
    ]

    fake.fails[failing] = "no"
    undone = []
    with pytest.raises(Failed, match=f"{failing}: .*FAILED: .*no"):
        deploy(account, every, undone.append)
    assert state(fake) == before
    assert "undone: put data-source storepulse-warehouse back" in undone
    assert plan(account, wanted) == []


def test_what_cannot_be_undone_is_said_and_mended_by_the_next_deployment(account, fake, wanted):
    deploy(account, wanted, quiet)
    before = state(fake)
    every = [
        dataclasses.replace(each, request={**each.request, "Name": "new"}) for each in wanted if each.kind != "group"
    ]
    fake.refuses["UpdateDashboardPublishedVersion"] = "InternalFailureException"
    with pytest.raises(Failed, match=r"InternalFailureException.*half undone: put dashboard storepulse-shop back"):
        deploy(account, every, quiet)
    fake.refuses.clear()
    deploy(account, wanted, quiet)
    assert state(fake) == before


def test_an_interrupt_is_undone_too(account, fake, wanted):
    def interrupt(text):
        if text.startswith("create dashboard"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy(account, wanted, interrupt)
    assert state(fake) == ({}, set(), {})


def test_what_takes_longer_than_the_patience_is_undone(session, settings, fake, wanted):
    clock = ManualClock()
    slow = Account(fake.attach(session.client("quicksight")), settings, clock, lambda s: clock.advance(1000))
    fake._progress = lambda *_: "CREATION_IN_PROGRESS"
    with pytest.raises(Failed, match="still CREATION_IN_PROGRESS after 60 s"):
        deploy(slow, wanted, quiet)
    assert state(fake) == ({}, set(), {})


def test_what_a_killed_deployment_left_behind_is_made_anew(account, fake, wanted):
    deploy(account, wanted, quiet)
    thing = fake.things["analysis", "storepulse"]
    fake.tags[thing["arn"]].pop(CONTENT_TAG)  # killed before it was marked
    fake._failed["data-source", "storepulse-warehouse", 0] = "gone wrong"
    assert [(each.action, each.resource.name) for each in plan(account, wanted)] == [
        ("create anew", "data-source storepulse-warehouse"),
        ("update", "analysis storepulse"),
    ]


def test_a_name_that_is_not_ours_is_left_alone(account, fake, wanted):
    deploy(account, wanted, quiet)
    fake.tags[fake.things["theme", "storepulse"]["arn"]].pop(OWNER_TAG)
    fake.calls.clear()
    with pytest.raises(ConfigError, match=r"theme storepulse is there and is not ours.*rename or delete it"):
        deploy(account, renamed(wanted, "storepulse-orders"), quiet)
    assert fake.changed == []


@pytest.mark.parametrize(
    "more, refused, says",
    [
        ({"subscribed": False}, {}, "has no QuickSight subscription in eu-west-2; sign up"),
        ({"edition": "STANDARD"}, {}, "upgrade it to Enterprise"),
        ({}, {"DescribeAccountSubscription": "ExpiredTokenException"}, "expired; log in again"),
        ({}, {"DescribeAccountSubscription": "UnrecognizedClientException"}, "does not know these credentials"),
        ({}, {"CreateDataSource": "AccessDeniedException"}, "access denied.*policy"),
        ({}, {"CreateTheme": "ResourceExistsException"}, "the name is taken"),
        ({}, {"CreateDataSet": "UnsupportedUserEditionException"}, "need Enterprise"),
        ({}, {"CreateDataSet": "LimitExceededException"}, "more SPICE"),
    ],
)
def test_what_the_operator_has_to_change_is_said(session, settings, wanted, more, refused, says):
    fake, clock = FakeQuickSight(**more), ManualClock()
    fake.refuses = refused
    account = Account(fake.attach(session.client("quicksight")), settings, clock, clock.advance)
    with pytest.raises(ConfigError, match=says):
        deploy(account, wanted, quiet)
    assert state(fake) == ({}, set(), {})


@pytest.mark.parametrize(
    "connection, says", [("", "there is no arn"), ("UNAVAILABLE", "is UNAVAILABLE, not available")]
)
def test_a_vpc_connection_that_leads_nowhere_is_said(account, fake, wanted, connection, says):
    fake.vpc_connection = connection
    with pytest.raises(ConfigError, match=says):
        deploy(account, wanted, quiet)


@pytest.mark.parametrize(
    "changed, says",
    [
        ({"account": ""}, "account: '' is no AWS account id"),
        ({"vpc_connection": "vpc-1"}, "vpc_connection"),
        ({"secret": "hunter2"}, "secret"),
        ({"readers": " , "}, "at least one group"),
        ({"regions": "uk-sales"}, "not like `uk-sales=GB IE`"),
        ({"regions": "uk-sales=G'B"}, "region that is none"),
        ({"regions": "storepulse-readers=GB"}, "sees all regions"),
        ({"owners": "a'b"}, "no name of a group"),
    ],
)
def test_settings_that_deploy_nowhere_are_refused_before_anything_is_asked(settings, changed, says):
    told: QuickSight = dataclasses.replace(settings.quicksight, **changed)
    with pytest.raises(ConfigError, match=says):
        check(dataclasses.replace(settings, quicksight=told))
