"""Import and comparison over HTTP, against a stand-in of Dashboards' API."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dashboards.__main__ import dashboards
from dashboards.opensearch.objects import saved_objects
from dashboards.opensearch.saved import ndjson, read_ndjson
from dashboards.opensearch.service import Service
from dashboards.opensearch.settings import OpenSearchDashboards
from dashboards.opensearch.testing import StandIn, stand_in
from runtime.errors import ConfigError
from runtime.outage import Outage
from runtime.settings import Aws

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def listening() -> Iterator[StandIn]:
    with stand_in() as server:
        yield server


@pytest.fixture
def server(listening: StandIn) -> StandIn:
    listening.objects.clear()
    listening.asked.clear()
    listening.status = 200
    return listening


def run(server: StandIn, *arguments: str) -> Result:
    environ = {"STOREPULSE_OPENSEARCH_DASHBOARDS_URL": server.url, "STOREPULSE_SETTINGS": None}
    return CliRunner().invoke(dashboards, ["opensearch", *arguments], env=environ)


def test_what_is_imported_is_there_and_again_changes_nothing(server: StandIn) -> None:
    count = len(saved_objects())
    missing = run(server, "diff")
    assert (missing.exit_code, missing.output.count("missing")) == (1, count)
    for _ in range(2):
        done = run(server, "import")
        assert (done.exit_code, done.output) == (0, f"{count} of {count} objects imported\n")
        assert len(server.objects) == count
    assert run(server, "diff").exit_code == 0


def test_what_was_changed_by_hand_is_named(server: StandIn) -> None:
    run(server, "import")
    changed = dict(server.objects["dashboard", "storepulse-dashboard-sales"])
    server.objects["dashboard", "storepulse-dashboard-sales"] = {
        **changed,
        "attributes": {**changed["attributes"], "timeFrom": "now-1y"},
    }
    told = run(server, "diff")
    assert (told.exit_code, told.output) == (1, "dashboard storepulse-dashboard-sales: differs: timeFrom\n")


def test_each_object_that_is_refused_is_named_with_the_reason(server: StandIn) -> None:
    service = Service(OpenSearchDashboards(url=server.url), Aws())
    wanted = saved_objects()
    without = [each for each in wanted if each.id != "storepulse-index-duplicates"]
    refused = service.put(without)
    assert [each.what for each in refused] == [
        "visualization storepulse-duplicates-number",
        "visualization storepulse-duplicates-time",
    ]
    assert all(each.why == "missing_references index-pattern storepulse-index-duplicates" for each in refused[:1])
    assert len(server.objects) == len(without) - len(refused)


def test_requests_carry_what_the_server_asks_for(server: StandIn) -> None:
    basic = OpenSearchDashboards(url=server.url, login="basic", user="ann", password="s", tenant="global")
    Service(basic, Aws()).put(saved_objects())
    signed = OpenSearchDashboards(url=f"{server.url}/", login="sigv4")
    Service(signed, Aws(access_key_id="123456789012", secret_access_key="local")).put(saved_objects())
    (path, first), (_, second) = server.asked
    assert path == "/api/saved_objects/_import?overwrite=true"
    assert first["authorization"] == "Basic " + base64.b64encode(b"ann:s").decode()
    assert (first["osd-xsrf"], first["securitytenant"]) == ("true", "global")
    assert "/eu-west-2/es/aws4_request" in second["authorization"] and "x-amz-date" in second


@pytest.mark.parametrize(("status", "error"), [(503, Outage), (429, Outage), (401, ConfigError), (400, ConfigError)])
def test_trouble_is_named_for_the_reaction(server: StandIn, status: int, error: type[Exception]) -> None:
    server.status = status
    with pytest.raises(error):
        Service(OpenSearchDashboards(url=server.url), Aws()).put(saved_objects())


def test_operators_mistakes_exit_with_2_and_a_server_that_is_away_with_3(server: StandIn) -> None:
    with pytest.raises(ConfigError, match="no URL such as"):
        Service(OpenSearchDashboards(url="localhost:5601"), Aws())
    with pytest.raises(ConfigError, match="wants user and password"):
        Service(OpenSearchDashboards(login="basic"), Aws())
    server.status = 503
    assert run(server, "import").exit_code == 3


def test_the_file_is_what_is_imported(server: StandIn, tmp_path: Path) -> None:
    done = run(server, "export", str(tmp_path / "all.ndjson"))
    assert done.exit_code == 0
    content = (tmp_path / "all.ndjson").read_bytes()
    assert content == ndjson(saved_objects())
    run(server, "import")
    assert list(server.objects.values()) == read_ndjson(content)
