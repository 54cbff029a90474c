"""The exported template as cfn-lint reads it: every rule, in every detail."""

import json

import pytest
from cfnlint.api import lint

from dashboards.quicksight.export import template
from dashboards.quicksight.resources import resources

pytestmark = pytest.mark.soak  # a minute on a busy machine


def test_cfn_lint_finds_nothing(settings):
    told = template(resources(settings), settings.quicksight.account)
    assert [str(found) for found in lint(json.dumps(told), regions=["eu-west-2"])] == []


def test_cfn_lint_finds_a_word_that_is_none_of_an_enumeration(settings):
    told = template(resources(settings), settings.quicksight.account)
    told["Resources"]["StorepulseOrdersDataSet"]["Properties"]["ImportMode"] = "SPICY"
    told["Resources"] = {"Orders": {**told["Resources"]["StorepulseOrdersDataSet"], "DependsOn": []}}
    (found,) = lint(json.dumps(told), regions=["eu-west-2"])
    assert found.rule.id == "E3030"
