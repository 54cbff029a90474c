"""OpenSearch as the account sees it: the documents themselves, grouped by where they came from.

Origins have doc values and no index. Terms and ranges over doc values alone are answered by looking at the values of
every document of the segments that hold the file, so all files are grouped in one pass, a page at a time, and only
stretches that end inside a file are filtered for, many in one request.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import OpenSearchException, TransportError

from consumers.account.emitted import Stretch, Tally
from consumers.account.stores.store import ACCEPTED, CONFLICT, Foreign, FoundLine, Group, Kind, Torn
from consumers.sinks.opensearch import trouble
from runtime.errors import ConfigError
from runtime.outage import Outage

# Where the documents of a kind are, and what labels them: whatever may become of a line has an entry here.
_DOCUMENTS: dict[Kind, tuple[str, str | None]] = {
    Kind.ORDER: ("orders-*", "currency"),
    Kind.HIT: ("hits-*", None),
    Kind.LETTER: ("letters-*", "reason"),
    Kind.DUPLICATE: ("duplicates", "conflict"),
}
_PATTERNS = {kind: pattern for kind, (pattern, _) in _DOCUMENTS.items()}
_LABELS = {kind: label for kind, (_, label) in _DOCUMENTS.items()}
_PAGE = 2_000  # groups, or documents, in one answer; OpenSearch allows 65,535 buckets and 10,000 documents
_EXACT_LINES = 1 << 21  # a sum of so many crc32 is exact in a double
_SAFE_LINES = 1 << 19  # aimed at where sums are taken in parts: lines may differ in length
_EVERYTHING = 2**63 - 1
_MENDED = {"exists": {"field": "mended_at"}}

Json = dict[str, Any]


class OpenSearchStore:
    """A Store (see `Store`). `client` does not retry by itself."""

    name = "opensearch"
    at_once = 200  # are filtered in 0.1 s, 1,000 in 1.4 s

    def __init__(self, client: OpenSearch) -> None:
        self._client = client

    def groups(self, since: dt.datetime) -> Iterator[Group]:
        self._refresh()
        query = _lines([{"exists": {"field": "origin.file"}}, _arrived(since)])
        for kind in Kind:
            fields = {"file": "origin.file", "label": _LABELS[kind]}
            sources = [{name: {"terms": {"field": field}}} for name, field in fields.items() if field]
            after: Json = {}
            while True:
                pages = {"composite": {"size": _PAGE, "sources": sources, **after}, "aggs": _sums(kind)}
                found = self._ask(_PATTERNS[kind], {"size": 0, "query": query, "aggs": {"groups": pages}})
                answer = found.get("aggregations", {}).get("groups", {})
                for bucket in answer.get("buckets", ()):
                    yield self._group(kind, bucket["key"]["file"], bucket["key"].get("label", ""), bucket, since)
                if "after_key" not in answer:
                    break
                after = {"after": answer["after_key"]}

    def groups_within(self, stretches: Sequence[Stretch], since: dt.datetime) -> Iterator[Group]:
        if not stretches:
            return
        self._refresh()
        query = _lines([{"terms": {"origin.file": [stretch.file_id for stretch in stretches]}}, _arrived(since)])
        each = {str(number): _within(stretch) for number, stretch in enumerate(stretches)}
        for kind in Kind:
            groups = {"filters": {"filters": each}, "aggs": _by_label(kind)}
            found = self._ask(_PATTERNS[kind], {"size": 0, "query": query, "aggs": {"groups": groups}})
            buckets = found.get("aggregations", {}).get("groups", {}).get("buckets", {})
            for number, bucket in buckets.items():
                for group in _of_labels(bucket):
                    file_id = stretches[int(number)].file_id
                    yield self._group(kind, file_id, group.get("key", ""), group, since)

    def foreign(self, since: dt.datetime, before: dt.datetime) -> Foreign:
        self._refresh()
        query = {
            "bool": {"must_not": [{"exists": {"field": "origin.file"}}], "filter": [_arrived(since, before)]},
        }
        currencies = {"terms": {"field": "currency", "size": 500}, "aggs": {"revenue": {"sum": {"field": "revenue"}}}}
        orders = self._ask(_PATTERNS[Kind.ORDER], {"size": 0, "query": query, "aggs": {"currencies": currencies}})
        hits, letters = (
            self._ask(_PATTERNS[kind], {"size": 0, "query": query, "track_total_hits": True})["hits"]["total"]["value"]
            for kind in (Kind.HIT, Kind.LETTER)
        )
        buckets = orders.get("aggregations", {}).get("currencies", {}).get("buckets", ())
        return Foreign(
            orders=sum(bucket["doc_count"] for bucket in buckets),
            hits=hits,
            letters=letters,
            revenue={bucket["key"]: round(bucket["revenue"]["value"]) for bucket in sorted(buckets, key=_key)},
        )

    def torn(self, since: dt.datetime, before: dt.datetime, most: int) -> Iterator[Torn]:
        """None: an order's document holds its lines."""
        return iter(())

    def lines(self, stretch: Stretch, since: dt.datetime) -> Iterator[FoundLine]:
        """By offset, a page at a time."""
        self._refresh()
        body: Json = {
            "size": _PAGE,
            "_source": False,
            "track_total_hits": False,
            "docvalue_fields": ["origin.offset", "origin.bytes", "origin.crc"],
            "query": _lines([_within(stretch), _arrived(since)]),
            "sort": [{"origin.offset": "asc"}, {"_index": "asc"}, {"arrived_at": "asc"}],
        }
        while True:
            hits = self._ask(",".join(_PATTERNS.values()), body)["hits"]["hits"]
            for hit in hits:
                offset, size, crc = (hit["fields"][f"origin.{name}"][0] for name in ("offset", "bytes", "crc"))
                yield FoundLine(offset=offset, bytes=size, crc=crc, kind=_kind_of(hit["_index"]), row_id=hit["_id"])
            if len(hits) < _PAGE:
                return
            body["search_after"] = hits[-1]["sort"]

    def _group(self, kind: Kind, file_id: str, label: object, bucket: Json, since: dt.datetime) -> Group:
        lines, crc = bucket["doc_count"], round(bucket["crc"]["value"])
        first, last = round(bucket["first"]["value"]), round(bucket["last"]["value"])
        if lines > _EXACT_LINES:
            crc = self._sum_in_parts(kind, file_id, label, bucket, since)
        if kind is Kind.DUPLICATE:
            label = CONFLICT if label in (True, 1) else ""
        return Group(
            kind=kind,
            file_id=file_id,
            label=str(label),
            tally=Tally(lines, round(bucket["size"]["value"]), crc),
            first=first,
            last=last,
            revenue=round(bucket["revenue"]["value"]) if kind is Kind.ORDER else 0,
            arrived_at=dt.datetime.fromtimestamp(bucket["arrived_at"]["value"] / 1000, dt.UTC),
            mended=bucket["mended"]["doc_count"] if kind in ACCEPTED else 0,
        )

    def _sum_in_parts(self, kind: Kind, file_id: str, label: object, bucket: Json, since: dt.datetime) -> int:
        """The checksums of one group, in sums that are exact one by one."""
        first, last = round(bucket["first"]["value"]), round(bucket["last"]["value"])
        width = (last - first) * _SAFE_LINES // bucket["doc_count"] + 1
        stretch = Stretch(file_id=file_id, start=first, end=last + 1, emitted=Tally())
        labelled = [{"term": {_LABELS[kind]: label}}] if _LABELS[kind] else []
        only = _lines([_within(stretch), *labelled, _arrived(since)])
        parts = {
            "histogram": {"field": "origin.offset", "interval": width, "min_doc_count": 1},
            "aggs": {"crc": {"sum": {"field": "origin.crc"}}},
        }
        body = {"size": 0, "query": only, "aggs": {"parts": parts}}
        found = self._ask(_PATTERNS[kind], body)
        return sum(round(part["crc"]["value"]) for part in found["aggregations"]["parts"]["buckets"])

    def _refresh(self) -> None:
        """Make everything that was written visible."""
        with_trouble = {"ignore_unavailable": "true", "allow_no_indices": "true"}
        self._call(lambda: self._client.indices.refresh(index=",".join(_PATTERNS.values()), params=with_trouble))

    def _ask(self, pattern: str, body: Json) -> Json:
        params = {
            "ignore_unavailable": "true",
            "allow_no_indices": "true",
            "allow_partial_search_results": "false",  # an error rather than a sum that lacks a shard
        }
        answer: Json = self._call(lambda: self._client.search(index=pattern, body=body, params=params))
        return answer

    def _call(self, request: Any) -> Any:
        try:
            return request()
        except TransportError as error:
            if trouble.passes(error):
                raise Outage(f"OpenSearch: {error.status_code} {trouble.kind_of(error)}") from error
            raise ConfigError(
                f"OpenSearch refuses a search ({error.status_code} {trouble.kind_of(error)}): check [opensearch] url"
                " and the role's rights"
            ) from error
        except OpenSearchException as error:
            raise Outage(f"OpenSearch: {type(error).__name__}") from error


def _sums(kind: Kind) -> Json:
    sums: Json = {
        "size": {"sum": {"field": "origin.bytes"}},
        "crc": {"sum": {"field": "origin.crc"}},
        "first": {"min": {"field": "origin.offset"}},
        "last": {"max": {"field": "origin.offset"}},
        "arrived_at": {"min": {"field": "arrived_at"}},
        "mended": {"filter": {"range": {"origin.attempt": {"gt": 0}}}},
    }
    return sums | ({"revenue": {"sum": {"field": "revenue"}}} if kind is Kind.ORDER else {})


def _by_label(kind: Kind) -> Json:
    if _LABELS[kind] is None:
        return _sums(kind)
    return {"labels": {"terms": {"field": _LABELS[kind], "size": 500}, "aggs": _sums(kind)}}


def _of_labels(bucket: Json) -> Sequence[Json]:
    """The groups of an answer to `_by_label`."""
    if "labels" in bucket:
        labelled: Sequence[Json] = bucket["labels"]["buckets"]
        return labelled
    return [bucket] if bucket["doc_count"] else []


def _within(stretch: Stretch) -> Json:
    offsets = {"gte": stretch.start, "lt": min(stretch.end, _EVERYTHING)}
    return _lines([{"term": {"origin.file": stretch.file_id}}, {"range": {"origin.offset": offsets}}])


def _lines(only: list[Json]) -> Json:
    """A refused heartbeat is no line of its file, and a mended letter's line has another row."""
    return {"bool": {"filter": only, "must_not": [{"term": {"event_type": "heartbeat"}}, _MENDED]}}


def _arrived(since: dt.datetime, before: dt.datetime | None = None) -> Json:
    return {"range": {"arrived_at": {"gte": since.isoformat()} | ({"lt": before.isoformat()} if before else {})}}


def _kind_of(index: str) -> Kind:
    return next((kind for kind, pattern in _PATTERNS.items() if index.startswith(pattern.rstrip("*"))), Kind.ORDER)


def _key(bucket: Json) -> str:
    return str(bucket["key"])
