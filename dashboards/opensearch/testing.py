"""A stand-in for Dashboards' API of saved objects, and visualisations as the searches that Dashboards makes of them."""

import datetime as dt
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from dashboards.opensearch.saved import Json, read_ndjson


class StandIn:
    """Keeps objects in memory. It refuses what lacks `osd-xsrf`, and objects whose references are nowhere."""

    def __init__(self) -> None:
        self.url = ""
        self.objects: dict[tuple[str, str], Json] = {}
        self.asked: list[tuple[str, Mapping[str, str]]] = []  # path and headers
        self.status = 200  # of every answer, where it is another one

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        """Status and JSON."""
        self.asked.append((path, headers))
        if self.status != 200:
            return self.status, {"statusCode": self.status, "message": "no"}
        if "osd-xsrf" not in headers:
            return 400, {"statusCode": 400, "message": "Request must contain a osd-xsrf header."}
        if path == "/api/saved_objects/_import?overwrite=true":
            return self._import(_file_of(headers["content-type"], body))
        if path == "/api/saved_objects/_bulk_get":
            return 200, {"saved_objects": [self._get(each) for each in msgspec.json.decode(body)]}
        return 404, {"statusCode": 404, "message": "Not Found"}

    def _import(self, content: bytes) -> tuple[int, Any]:
        objects = read_ndjson(content)
        there = self.objects.keys() | {(each["type"], each["id"]) for each in objects}
        errors, taken = [], 0
        for each in objects:
            missing = [r for r in each["references"] if (r["type"], r["id"]) not in there]
            if missing:
                told = {"type": "missing_references", "references": missing}
                errors.append({"type": each["type"], "id": each["id"], "error": told})
                continue
            self.objects[each["type"], each["id"]] = each
            taken += 1
        told_of = {"errors": errors} if errors else {}
        return 200, {"success": not errors, "successCount": taken, **told_of}

    def _get(self, wanted: Json) -> Json:
        found = self.objects.get((wanted["type"], wanted["id"]))
        return found or {**wanted, "error": {"statusCode": 404, "message": "Not found"}}


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """One that listens on 127.0.0.1."""
    server = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, told = server.answer(self.path, headers, body)
            content = msgspec.json.encode(told)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_port}"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def classic_search(each: Json, *, time: str, start: dt.datetime, end: dt.datetime) -> Json:
    """What Dashboards asks for a classic visualisation: one metric `1`, in buckets `2` where there are any."""
    state = msgspec.json.decode(each["attributes"]["visState"])
    search = msgspec.json.decode(each["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    aggregations: Json = {}
    for aggregation in sorted(
        state["aggs"], key=lambda each: bool(each["schema"] == "segment")
    ):  # the metric is inside
        params, kind = aggregation["params"], aggregation["type"]
        if kind == "terms":
            own = {"field": params["field"], "size": params["size"]}
            if not any(other["type"] == "count" for other in state["aggs"]):
                own["order"] = {params["orderBy"]: params["order"]}
            if params["missingBucket"]:
                own["missing"] = "__missing__"
        elif kind == "date_histogram":
            own = {"field": params["field"], "fixed_interval": "1h", "min_doc_count": params["min_doc_count"]}
        elif kind == "count":
            continue
        else:
            own = {"field": params["field"], **msgspec.json.decode(params.get("json", "{}"))}
        inner = aggregations if aggregation["schema"] == "segment" else {}
        made = {kind: own, **({"aggs": inner} if inner else {})}
        aggregations = (
            {aggregation["id"]: made}
            if aggregation["schema"] == "segment"
            else {**aggregations, aggregation["id"]: made}
        )
    bounds = {"range": {time: {"gte": start.isoformat(), "lt": end.isoformat()}}}
    filters = [bounds, *(one["query"] for one in search["filter"])]
    return {"size": 0, "track_total_hits": True, "query": {"bool": {"filter": filters}}, "aggs": aggregations}


def vega_search(spec: Json, *, start: dt.datetime, end: dt.datetime) -> Json:
    """What Dashboards asks for a Vega visualisation, with its time and interval filled in."""

    def filled(value: Any) -> Any:
        if value == {"%timefilter%": True}:
            return {"gte": start.isoformat(), "lt": end.isoformat()}
        if value == {"%autointerval%": True}:
            return "1h"
        if isinstance(value, dict):
            return {key: filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [filled(each) for each in value if not str(each).startswith("%dashboard_context")]
        return value

    found: Json = filled(spec["data"]["url"]["body"])
    return found


def _file_of(kind: str, body: bytes) -> bytes:
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    content = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    assert len(content) == 1 and isinstance(content[0], bytes)
    return content[0]
