"""The definitions as files: what boto3 takes, and the same as a CloudFormation template."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from dashboards.quicksight.kinds import KINDS
from dashboards.quicksight.resources import OWNER_TAG, PREFIX, Resource, document
from dashboards.quicksight.visuals import Json

_TYPES = {
    "data-source": "DataSource",
    "data-set": "DataSet",
    "theme": "Theme",
    "analysis": "Analysis",
    "dashboard": "Dashboard",
}
_BOTO3, _TEMPLATE = "quicksight.boto3.json", "quicksight.template.json"


def export(made: Sequence[Resource], account: str, folder: Path) -> list[Path]:
    """Write both files, whole or not at all each. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in ((_BOTO3, document(made)), (_TEMPLATE, template(made, account))):
        path = folder / name
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(content, indent=1) + "\n")
        draft.replace(path)
        written.append(path)
    return written


def template(made: Sequence[Resource], account: str) -> Json:
    """A CloudFormation template. Groups are left out: it has none; they have to be there before."""
    resources: Json = {}
    before = ""
    for each in made:
        if each.kind == "group":
            continue
        told = {"AwsAccountId": account, KINDS[each.kind].id_key: each.id, **each.request}
        told |= {"Permissions": list(each.permissions), "Tags": [{"Key": OWNER_TAG, "Value": PREFIX}]}
        if each.properties:
            told["DataSetRefreshProperties"] = each.properties
        resources[_logical(each.id, each.kind)] = _entry(f"AWS::QuickSight::{_TYPES[each.kind]}", told, before)
        before = _logical(each.id, each.kind)  # one after the other, as `deploy` does: each names others by ARN only
        for schedule in each.schedules:
            own = {"AwsAccountId": account, "DataSetId": each.id, "Schedule": _schedule(schedule)}
            name = _logical(each.id, schedule["ScheduleId"])
            resources[name] = _entry("AWS::QuickSight::RefreshSchedule", own, before)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "storepulse in QuickSight",
        "Resources": resources,
    }


def _schedule(schedule: Json) -> Json:
    frequency = dict(schedule["ScheduleFrequency"])
    zone = frequency.pop("Timezone")
    return {**schedule, "ScheduleFrequency": {**frequency, "TimeZone": zone}}


def _entry(kind: str, told: Json, before: str) -> Json:
    return {"Type": kind, "Properties": told, **({"DependsOn": [before]} if before else {})}


def _logical(*parts: str) -> str:
    return "".join(word.capitalize() for part in parts for word in re.split(r"[^A-Za-z0-9]+", part))
