"""QuickSight's settings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from runtime.errors import ConfigError
from runtime.settings import Aws, Seconds, Shop, Warehouse, setting

_ACCOUNT = re.compile(r"\d{12}")
_NAME = re.compile(r"[\w.+@=,/-]+")  # of a group or user
_VPC_CONNECTION = re.compile(r"arn:[\w-]+:quicksight:[\w-]+:\d{12}:vpcConnection/[\w-]+")
_SECRET = re.compile(r"arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:.+")
Days = Annotated[int, msgspec.Meta(ge=2, le=3660)]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickSight:
    """Where it is, and who may see what."""

    account: str = setting("", "AWS account id, 12 digits")
    namespace: str = setting("default", "QuickSight's namespace of groups and users")
    identity_region: str = setting("", "region of QuickSight's groups and users; empty: as [aws] region")
    vpc_connection: str = setting("", "ARN of QuickSight's connection to the VPC of the warehouse")
    secret: str = setting("", "ARN of the secret with `username` and `password` of a reader of the warehouse")
    owners: str = setting("storepulse-owners", "groups that may change everything, with commas between")
    readers: str = setting("storepulse-readers", "groups that see the shop's dashboard and all regions")
    regions: str = setting("", "groups that see some regions: `uk-sales=GB IE; dach=DE AT CH`")
    refresh: Literal["MINUTE15", "MINUTE30", "HOURLY"] = setting(
        "MINUTE15", "how often rows are fetched; each time wakes a warehouse that is at rest"
    )
    sales_days: Days = setting(800, "days of orders held in SPICE: two years and some weeks", unit="days")
    web_days: Days = setting(60, "days of requests held in SPICE, which are many more", unit="days")
    patience_s: Seconds = setting(900.0, "longest wait for one asynchronous step", unit="s")
    poll_s: Seconds = setting(2.0, "between two looks at one", unit="s")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickSightSettings:
    """All that `python -m dashboards quicksight` reads."""

    quicksight: QuickSight = QuickSight()
    aws: Aws = Aws()
    warehouse: Warehouse = Warehouse()
    shop: Shop = Shop()


def check(settings: QuickSightSettings) -> None:
    """Raises ConfigError for what deploys nowhere, before anything is asked of AWS."""
    told = settings.quicksight
    if not _ACCOUNT.fullmatch(told.account):
        raise ConfigError(
            f"[quicksight] account: {told.account!r} is no AWS account id of 12 digits;"
            " `aws sts get-caller-identity` prints yours"
        )
    if not settings.aws.region:
        raise ConfigError("[aws] region: empty; name the region that QuickSight was signed up in, such as eu-west-2")
    if not _VPC_CONNECTION.fullmatch(told.vpc_connection):
        raise ConfigError(
            f"[quicksight] vpc_connection: {told.vpc_connection!r} is no ARN of a VPC connection;"
            " QuickSight has them under Manage account, VPC connections"
        )
    if not _SECRET.fullmatch(told.secret):
        raise ConfigError(f"[quicksight] secret: {told.secret!r} is no ARN of a secret in Secrets Manager")
    settings.shop.zone()
    if not owners(told) or not readers(told):
        raise ConfigError("[quicksight] owners and readers: name at least one group each")
    regions_of(told)


def owners(settings: QuickSight) -> tuple[str, ...]:
    """Names of groups."""
    return _names(settings.owners)


def readers(settings: QuickSight) -> tuple[str, ...]:
    """Names of groups."""
    return _names(settings.readers)


def regions_of(settings: QuickSight) -> Mapping[str, tuple[str, ...]]:
    """Regions by group. Raises ConfigError for text of another form, and for a group that sees all of them, too."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in filter(None, (each.strip() for each in settings.regions.split(";"))):
        group, equals, regions = entry.partition("=")
        wanted, name = tuple(regions.replace(",", " ").split()), group.strip()
        if not equals or not wanted or not _NAME.fullmatch(name) or name in found:
            raise ConfigError(f"[quicksight] regions: {entry!r} is not like `uk-sales=GB IE`, once a group")
        if any(not region.isalnum() for region in wanted):
            raise ConfigError(f"[quicksight] regions: {entry!r} names a region that is none")
        found[name] = wanted
    both = {*found} & {*owners(settings), *readers(settings)}
    if both:
        raise ConfigError(f"[quicksight] regions: {', '.join(sorted(both))} sees all regions as owner or reader")
    return found


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(filter(None, (each.strip() for each in text.split(",")))))
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"[quicksight]: {name!r} is no name of a group")
    return names
