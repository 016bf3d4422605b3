"""A server that speaks the part of Elasticsearch's API that task logs use: templates, bulk indexing and search.

It maps fields as Elasticsearch does, and refuses a document whose value doesn't fit the field's type. It doesn't delay
new documents, and keeps them in memory.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

MOST_HITS = 10_000
DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
SCALARS = (str, int, float)


class RefusedError(Exception):
    """A request that Elasticsearch would refuse.

    Attributes:
        status: of the response.
        kind: Elasticsearch's name of the error.
    """

    def __init__(self, status: HTTPStatus, kind: str, reason: str) -> None:
        self.status, self.kind = status, kind
        super().__init__(reason)

    @property
    def body(self) -> dict[str, Any]:
        return {"error": {"type": self.kind, "reason": str(self), "root_cause": []}, "status": self.status}


@dataclass
class Index:
    """Documents, the types of their fields by path, and the fields whose malformed values are kept unindexed."""

    dynamic: bool = True
    types: dict[str, str] = field(default_factory=dict)
    tolerant: set[str] = field(default_factory=set)
    documents: list[dict[str, Any]] = field(default_factory=list)

    def add(self, document: dict[str, Any]) -> None:
        """Map and keep a document.

        Raises:
            RefusedError: if a value doesn't fit its field's type.
        """
        added: dict[str, str] = {}
        self._map("", document, added)
        self.types |= added
        self.documents.append(document)

    def _map(self, path: str, value: Any, added: dict[str, str]) -> None:
        known = self.types.get(path) or added.get(path)
        if isinstance(value, list):
            for item in value:
                self._map(path, item, added)
        elif isinstance(value, dict):
            if path and known not in {None, "object"}:
                raise refused_value(path, known, value)
            if path and self.dynamic:
                added[path] = "object"
            for name, item in value.items():
                self._map(f"{path}.{name}" if path else name, item, added)
        elif value is not None and known and not fits(value, known):
            if path not in self.tolerant:
                raise refused_value(path, known, value)
        elif value is not None and not known and self.dynamic:
            added[path] = type_of(value)

    def matches(self, query: dict[str, Any], document: dict[str, Any]) -> bool:
        """Evaluate a query of bool, range and match_phrase."""
        [(kind, content)] = query.items()
        if kind == "bool":
            assert content.keys() <= {"filter", "must"}
            return all(self.matches(part, document) for parts in content.values() for part in parts)
        [(path, wanted)] = content.items()
        value = document.get(path)
        if kind == "range":
            assert wanted.keys() == {"gt"}
            return value is not None and value > wanted["gt"]
        assert kind == "match_phrase"
        if path not in self.types:
            return False
        if self.types[path] == "keyword":
            return bool(value == wanted)
        have, want = words(str(value)), words(wanted)
        return any(have[start : start + len(want)] == want for start in range(len(have)))


def type_of(value: object) -> str:
    """Return the type that a new field gets."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "long" if isinstance(value, int) else "float"
    return "date" if DATE.fullmatch(str(value)) else "text"


def fits(value: object, kind: str) -> bool:
    """Return whether a value can be stored in a field."""
    if kind in {"text", "keyword"}:
        return isinstance(value, SCALARS)
    if kind == "boolean":
        return value in {True, False, "true", "false"} and not isinstance(value, float)
    if kind == "date":
        return isinstance(value, int) or bool(DATE.fullmatch(str(value)))
    return kind != "object" and not isinstance(value, bool) and bool(re.fullmatch(r"-?\d+(\.\d+)?", str(value)))


def words(text: str) -> list[str]:
    """Split as the standard analyser does."""
    return re.findall(r"\w+", text.lower())


def refused_value(path: str, kind: str | None, value: object) -> RefusedError:
    return RefusedError(
        HTTPStatus.BAD_REQUEST,
        "document_parsing_exception",
        f"failed to parse field [{path}] of type [{kind}]: {str(value)[:80]}",
    )


class Elasticsearch:
    """Indices and templates."""

    def __init__(self) -> None:
        self.indices: dict[str, Index] = {}
        self.templates: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def answer(self, method: str, url: str, body: bytes) -> dict[str, Any]:
        """Return the response to a request.

        Raises:
            RefusedError: if it is refused.
        """
        path, parameters = urlsplit(url).path.strip("/"), parse_qs(urlsplit(url).query)
        with self._lock:
            if not path:
                return {"name": "double", "version": {"number": "9.5.2"}, "tagline": "You Know, for Search"}
            if path == "_bulk":
                return self._bulk([json.loads(line) for line in body.splitlines()])
            if method == "PUT" and path.startswith("_index_template/"):
                self.templates[path.partition("/")[2]] = json.loads(body)
                return {"acknowledged": True}
            if path.endswith("/_search"):
                return self._search(path.removesuffix("/_search"), parameters, json.loads(body))
        raise RefusedError(HTTPStatus.BAD_REQUEST, "illegal_argument_exception", f"no handler for {method} /{path}")

    def _bulk(self, lines: list[dict[str, Any]]) -> dict[str, Any]:
        items = []
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            name = action["index"]["_index"]
            if name not in self.indices:
                self.indices[name] = self._create(name)
            item: dict[str, Any] = {"_index": name, "status": HTTPStatus.CREATED}
            try:
                self.indices[name].add(document)
            except RefusedError as error:
                item |= error.body
            items.append({"index": item})
        return {"errors": any("error" in item["index"] for item in items), "items": items, "took": 1}

    def _create(self, name: str) -> Index:
        for template in self.templates.values():
            if any(fnmatch(name, pattern) for pattern in template["index_patterns"]):
                mappings = template["template"]["mappings"]
                fields = mappings["properties"]
                types = {path: declared["type"] for path, declared in fields.items()}
                tolerant = {path for path, declared in fields.items() if declared.get("ignore_malformed")}
                return Index(mappings["dynamic"], types, tolerant)
        return Index()

    def _search(self, pattern: str, parameters: dict[str, list[str]], body: dict[str, Any]) -> dict[str, Any]:
        indices = [index for name, index in self.indices.items() if fnmatch(name, pattern)]
        if not indices and "*" not in pattern:
            raise RefusedError(HTTPStatus.NOT_FOUND, "index_not_found_exception", f"no such index [{pattern}]")
        if body["from"] + body["size"] > MOST_HITS:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "search_phase_execution_exception", "Result window is too large")
        [order] = body["sort"]
        found = [item for index in indices for item in index.documents if index.matches(body["query"], item)]
        found.sort(key=lambda document: document[order])
        shown = set(",".join(parameters["_source_includes"]).split(","))
        hits = [
            {"_index": pattern, "_id": str(number), "_source": {name: item[name] for name in item.keys() & shown}}
            for number, item in enumerate(found[body["from"] : body["from"] + body["size"]])
        ]
        return {"took": 1, "timed_out": False, "hits": {"total": {"value": len(found)}, "hits": hits}}


@contextmanager
def serve(elasticsearch: Elasticsearch) -> Iterator[str]:
    """Serve on a free port; yield the URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status = HTTPStatus.OK
            try:
                answer = elasticsearch.answer(self.command, self.path, body)
            except RefusedError as error:
                status, answer = error.status, error.body
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Type", "application/vnd.elasticsearch+json;compatible-with=9")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = respond  # noqa: N815  # http.server calls them

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
