"""The definitions, as botocore, CloudFormation's schema and our own checks read them."""

import copy
import dataclasses
import json
from pathlib import Path

import botocore.session
import jsonschema
import pytest
from botocore.validate import ParamValidator
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from click.testing import CliRunner

from contract import figures
from contract.formula import Age, Count, Is, Known, Sum
from dashboards.__main__ import dashboards
from dashboards.quicksight.checks import problems
from dashboards.quicksight.export import template
from dashboards.quicksight.expression import by_currency, expression
from dashboards.quicksight.fields import FIELDS
from dashboards.quicksight.kinds import KINDS
from dashboards.quicksight.resources import resources

pytestmark = pytest.mark.unit

SHEETS = ["today", "trends", "products", "regions", "customers", "returns", "web", "quality"]


@pytest.fixture(scope="module")
def made(settings):
    return resources(settings)


@pytest.fixture
def broken(made):
    """A copy to break: its definition, and the resources around it."""
    mine = copy.deepcopy(made)
    (dashboard,) = (each for each in mine if each.name == "dashboard storepulse-shop")
    return dashboard.request["Definition"], mine


@pytest.mark.parametrize(
    "name, text",
    [
        ("revenue", "coalesce(sum({revenue_of_row}), 0)"),
        ("sales", "countIf({event_id}, {kind} = 'sale')"),
        ("customers", "distinct_countIf({customer}, {kind} = 'sale')"),
        ("visits_cart", "distinct_countIf({session}, {is_bot} = 0 AND {page} = 'cart')"),
        (
            "guest_share",
            "ifelse(countIf({event_id}, {kind} = 'sale') = 0, NULL,"
            " countIf({event_id}, {kind} = 'sale' AND isNull({customer})) / countIf({event_id}, {kind} = 'sale'))",
        ),
        (
            "warehouse_freshness",
            'dateDiff(maxIf({last_arrived_at}, {last_arrived_at} <= now()), now(), "SS")',
        ),
    ],
)
def test_a_formula_is_a_calculated_field(name, text):
    assert expression(FIELDS[name].formula) == text


def test_other_formulas_are_said_too():
    some = (Is("channel", ("web", "app")), Known("customer"))
    told = "countIf({event_id}, in({channel}, ['web', 'app']) AND isNotNull({customer}))"
    assert expression(Count(source=figures.ORDERS, where=some)) == told
    assert by_currency("sum({x})", money=True) == (
        "ifelse(distinct_count({currency}) = 1, (sum({x})) / max({minor_units}), NULL)"
    )


@pytest.mark.parametrize(
    "formula",
    [
        Count(source=figures.HITS, where=(Is("flags", ("probe",)),)),
        Count(source=figures.ORDERS, where=(Is("channel", ("o'clock",)),)),
        Count(source=figures.ORDERS, where=(Is("channel", ()),)),
        Sum(source=figures.ORDERS, column="channel"),
        Age(source=figures.ORDERS, column="nothing"),
    ],
)
def test_what_quicksight_cannot_say_is_an_error(formula):
    with pytest.raises(ValueError):
        expression(formula)


def test_a_changed_formula_changes_what_is_deployed(settings, made, monkeypatch):
    sales = FIELDS["sales"]
    monkeypatch.setitem(FIELDS, "sales", dataclasses.replace(sales, formula=Count(source=figures.ORDERS)))
    changed = [each.name for each, other in zip(made, resources(settings), strict=True) if each != other]
    assert changed == ["analysis storepulse", "dashboard storepulse-shop", "dashboard storepulse-regions"]


def test_every_sheet_that_was_asked_for_is_there_and_nothing_is_wrong(made):
    (shop,) = (each for each in made if each.name == "dashboard storepulse-shop")
    assert [sheet["SheetId"] for sheet in shop.request["Definition"]["Sheets"]] == SHEETS
    assert problems(made) == []


def test_botocore_takes_every_request(made, settings):
    model = botocore.session.get_session().get_service_model("quicksight")
    for each in made:
        if each.kind == "group":
            continue
        kind = KINDS[each.kind]
        operation = model.operation_model("Create" + kind.noun.title().replace("_", ""))
        told = {"AwsAccountId": settings.quicksight.account, kind.id_key: each.id, **each.request}
        report = ParamValidator().validate(told | {"Permissions": list(each.permissions)}, operation.input_shape)
        assert not report.has_errors(), (each.name, report.generate_report())


def test_cloudformations_schema_takes_every_resource(made, settings):
    told = json.loads(json.dumps(template(made, settings.quicksight.account)))
    assert {entry["Type"].rpartition("::")[2] for entry in told["Resources"].values()} == {
        *("DataSource", "DataSet", "RefreshSchedule", "Theme", "Analysis", "Dashboard")
    }
    for name, entry in told["Resources"].items():
        wrong = list(_validator(entry["Type"]).iter_errors(entry["Properties"]))
        assert not wrong, (name, wrong[0].message, list(wrong[0].absolute_path))


def test_the_schema_finds_what_botocore_does_not(made, settings):
    told = template(copy.deepcopy(made), settings.quicksight.account)
    (entry,) = (each for each in told["Resources"].values() if each["Type"].endswith("Theme"))
    entry["Properties"]["Permissions"][0]["Actions"] = []
    assert list(_validator(entry["Type"]).iter_errors(entry["Properties"]))


def _validator(kind):
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    return jsonschema.Draft7Validator({key: value for key, value in schema.items() if key != "typeName"})


@pytest.mark.parametrize(
    "breaking, says",
    [
        (lambda told: told["Sheets"][0]["Layouts"][0]["Configuration"]["GridLayout"]["Elements"].pop(), "has no place"),
        (lambda told: told["Sheets"][0]["Visuals"].pop(), "which is not there"),
        (lambda told: told["CalculatedFields"].pop(0), "which has none"),
        (lambda told: told["ParameterDeclarations"].pop(0), "used and not declared"),
        (lambda told: told["Sheets"].append(told["Sheets"][0]), "twice"),
        (lambda told: told["CalculatedFields"][0].update(Expression="sum({nothing})"), "computed from nothing"),
        (lambda told: told["CalculatedFields"][0].update(Name="Channel"), "hides a column"),
        (lambda told: _element(told, 1).update(ColumnSpan=36), "lies over"),
        (lambda told: _element(told, 1).update(ColumnIndex=30), "ends past column 36"),
    ],
)
def test_our_own_checks_find_a_broken_definition(broken, breaking, says):
    definition, mine = broken
    breaking(definition)
    assert any(says in text for text in problems(mine))


def _element(told, place):
    return told["Sheets"][0]["Layouts"][0]["Configuration"]["GridLayout"]["Elements"][place]


def test_a_full_refresh_every_quarter_of_an_hour_is_found(made):
    mine = copy.deepcopy(made)
    (letters,) = (each for each in mine if each.id == "storepulse-letters")
    letters.schedules[0]["ScheduleFrequency"]["Interval"] = "MINUTE15"
    (found,) = problems(mine)
    assert found.startswith("data-set storepulse-letters: schedule storepulse-often: more often than hourly")


def test_rows_with_a_region_are_guarded_and_readers_of_some_see_nothing_else(made, settings):
    guarded = {each.id for each in made if "RowLevelPermissionDataSet" in each.request}
    assert guarded == {f"storepulse-{n}" for n in ("orders", "lines", "purchases", "region_hours", "unseen_orders")}
    (regional,) = (each for each in made if each.name == "dashboard storepulse-regions")
    used = {
        each["DataSetArn"].rpartition("/")[2]
        for each in regional.request["Definition"]["DataSetIdentifierDeclarations"]
    }
    assert used <= guarded
    (shop,) = (each for each in made if each.name == "dashboard storepulse-shop")
    assert not any("uk-sales" in each["Principal"] for each in shop.permissions)


def test_export_writes_both_files_and_needs_an_account(tmp_path, settings):
    told = settings.quicksight
    file = tmp_path / "settings.toml"
    file.write_text(
        f'[quicksight]\naccount = "{told.account}"\nsecret = "{told.secret}"\n'
        f'vpc_connection = "{told.vpc_connection}"\n'
    )
    command = ["quicksight", "export", "--settings", str(file), "--out", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(dashboards, command)
    assert done.exit_code == 0
    for path in json.loads(done.output)["files"]:
        assert json.loads(Path(path).read_text())
    file.write_text("")
    refused = CliRunner().invoke(dashboards, command)
    assert "[quicksight] account" in str(refused.exception)
