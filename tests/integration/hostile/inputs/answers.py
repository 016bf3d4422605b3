"""What an upstream's API may answer, and how a load of its rows ends."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field

LOADED, TRANSIENT, PERMANENT, FORBIDDEN = "loaded", "TransientUpstreamError", "PermanentUpstreamError", "Forbidden"
REFUSED = "PublishGateError"
MEGABYTE = 1_000_000
BAIT = 80_000  # characters of a text that a pattern may take quadratic time for


@dataclass(frozen=True)
class Answer:
    """A response of the hostile server.

    Attributes:
        outcome: how a load ends: :data:`LOADED`, or the error's class.
        body: the body; in it and in the headers, ``@internal@`` is the URL of the server with a canary, ``@self@`` that
            of this answer, ``@token@`` the request's Authorization; a function gets the number of the request.
        status: HTTP status.
        headers: headers in addition to Content-Length.
        missing: bytes that Content-Length promises in addition.
        pause: seconds before each byte.
    """

    outcome: str
    body: bytes | Callable[[int], bytes] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    missing: int = 0
    pause: float = 0.0


def page(*rows: object, total: object = None, link: object = None) -> bytes:
    """Return a page in the agreed format."""
    return json.dumps({"total": len(rows) if total is None else total, "next": link, "data": rows}).encode()


def row(text: object = "x", number: int = 1) -> dict[str, object]:
    """Return a valid row."""
    return {"id": number, "text": text, "amount": "1.5"}


def zipped(body: bytes, *, cut: int | None = None) -> bytes:
    """Return a compressed body."""
    return gzip.compress(body)[:cut]


GZIP = {"Content-Encoding": "gzip"}
MARKUP = "<!channel> <https://evil.example|click> *x* {{ conn.canary_default.password }} <script>alert(1)</script>"
REDIRECT = {"Location": "@internal@/list.csv"}

ANSWERS: dict[str, Answer] = {
    "good": Answer(LOADED, page(row())),
    "markup in a value": Answer(LOADED, page(row(MARKUP))),
    "a formula": Answer(LOADED, page(row("=cmd|' /C calc'!A0"))),
    "SQL in a value": Answer(LOADED, page(row("'); DROP TABLE hostile_data; --"))),
    "a COPY's end": Answer(LOADED, page(row("\\.\n\\N\t\\."))),
    # where they lead
    "redirect to an internal server": Answer(FORBIDDEN, status=302, headers=REDIRECT),
    "permanent redirect": Answer(FORBIDDEN, status=308, headers=REDIRECT),
    "redirect in capitals": Answer(FORBIDDEN, status=301, headers={"Location": "HTTP://LOCALHOST:1/"}),
    "redirect to the metadata service": Answer(FORBIDDEN, status=307, headers={"Location": "http://169.254.169.254/"}),
    "redirect to a file": Answer(FORBIDDEN, status=302, headers={"Location": "file:///etc/passwd"}),
    "redirect without scheme": Answer(FORBIDDEN, status=302, headers={"Location": "//127.0.0.2:1/"}),
    "redirect to a user's URL": Answer(FORBIDDEN, status=302, headers={"Location": "http://a:b@127.0.0.1:1/"}),
    "redirect to nonsense": Answer(FORBIDDEN, status=302, headers={"Location": "http://[::1"}),
    "redirect to itself": Answer(PERMANENT, status=302, headers={"Location": "@self@"}),
    "next page on an internal server": Answer(FORBIDDEN, page(row(), total=2, link="@internal@/list.csv")),
    "next page in IPv6": Answer(FORBIDDEN, page(row(), total=2, link="http://[::ffff:127.0.0.1]:1/")),
    "next page in NAT64": Answer(FORBIDDEN, page(row(), total=2, link="http://[64:ff9b::7f00:1]:1/")),
    "next page in a file": Answer(FORBIDDEN, page(row(), total=2, link="file:///etc/passwd")),
    "next page is no URL": Answer(FORBIDDEN, page(row(), total=2, link="http://[")),
    "the same page": Answer(PERMANENT, page(row(), total=9, link="@self@")),
    "endless pages": Answer(PERMANENT, lambda n: page(row(number=n), total=10**6, link=f"?page={n}")),
    "endless empty pages": Answer(PERMANENT, lambda n: page(total=0, link=f"?page={n}")),
    "next page is a number": Answer(PERMANENT, page(row(), link=5)),
    # how large
    "a body without end": Answer(PERMANENT, b" " * (5 * MEGABYTE)),
    "a gzip bomb": Answer(PERMANENT, zipped(b" " * (10 * MEGABYTE)), headers=GZIP),
    "a gzip bomb in an error": Answer(PERMANENT, zipped(b" " * (10 * MEGABYTE)), 400, GZIP),
    "two layers of gzip": Answer(PERMANENT, zipped(zipped(page(row()))), headers={"Content-Encoding": "gzip, gzip"}),
    "another compression": Answer(PERMANENT, page(row()), headers={"Content-Encoding": "br"}),
    "cut gzip": Answer(TRANSIENT, zipped(page(row()), cut=-8), headers=GZIP),
    "not gzip": Answer(TRANSIENT, page(row()), headers=GZIP),
    "a cut body": Answer(TRANSIENT, page(row())[:-5], missing=5),
    "a cut text": Answer(TRANSIENT, page(row())[:-5]),
    "drops": Answer(TRANSIENT, page(row()), pause=0.5),
    "100,000 lists": Answer(PERMANENT, b"[" * 100_000 + b"]" * 100_000),
    "200 objects in a row": Answer(PERMANENT, page(row("x")).replace(b'"x"', b'{"a":' * 200 + b"1" + b"}" * 200)),
    "5000 digits": Answer(REFUSED, page(row()).replace(b'"id": 1', b'"id": ' + b"1" * 5000)),
    "an exponent of 20 digits": Answer(PERMANENT, page(row()).replace(b'"1.5"', b"1e99999999999999999999")),
    "1e400": Answer(LOADED, page(row()).replace(b'"1.5"', b"1e400")),
    "NaN": Answer(REFUSED, page(row()).replace(b'"1.5"', b"NaN")),
    "total of 2**70": Answer(TRANSIENT, page(row(), total=2**70)),
    "total is a text": Answer(PERMANENT, page(row(), total="1; DROP TABLE x")),
    "a column a thousand times": Answer(LOADED, page(row()).replace(b'"id": 1', b'"id": 1, ' * 999 + b'"id": 1')),
    "10,000 unknown columns": Answer(LOADED, page(row() | {f"c{number}": 1 for number in range(10_000)})),
    # which text
    "NUL": Answer(REFUSED, page(row("a\0b"))),
    "half a surrogate pair": Answer(REFUSED, page(row()).replace(b'"x"', rb'"\ud800"')),
    "a surrogate as a name": Answer(LOADED, page(row()).replace(b'"text"', rb'"\udfff"')),
    "latin-1": Answer(PERMANENT, page(row()).replace(b'"x"', b'"caf\xe9"')),
    "UTF-16": Answer(PERMANENT, page(row()).decode().encode("utf-16")),
    "UTF-7 by name": Answer(LOADED, page(row("+ADw-x+AD4-")), headers={"Content-Type": "text/html; charset=utf-7"}),
    "a charset that doesn't exist": Answer(LOADED, page(row()), headers={"Content-Type": "x/y; charset=\xff\xfe"}),
    "byte order mark": Answer(LOADED, b"\xef\xbb\xbf" + page(row())),
    "HTML": Answer(TRANSIENT, b"<html><script>alert(1)</script></html>"),
    "empty": Answer(TRANSIENT, b""),
    "a list": Answer(PERMANENT, b"[]"),
    "null": Answer(PERMANENT, b"null"),
    "rows that aren't objects": Answer(REFUSED, page(1, "a", None, [])),
    # which error
    "markup in an error": Answer(PERMANENT, json.dumps({"error": MARKUP}).encode(), 400),
    "the request's token in an error": Answer(PERMANENT, b'{"message": "no access with @token@"}', 401),
    "an error with status 200": Answer(PERMANENT, b'{"error": {"message": "invalid key @token@"}}'),
    "tags for a pattern": Answer(PERMANENT, b"<" * BAIT, 400),
    "blanks for a pattern": Answer(PERMANENT, b"a " + b" " * BAIT + b"x", 400),
    "quotes for a pattern": Answer(PERMANENT, b'{"message": "' + b"\\\\" * BAIT, 400),
    "passwords for a pattern": Answer(PERMANENT, b'{"message": "%s"}' % (b"password=" * (BAIT // 9)), 403),
    "lines of a log": Answer(PERMANENT, b'{"message": "a\\n::error::x\\r\\u001b[2J"}', 400),
    "wait until 9999": Answer(TRANSIENT, status=429, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}),
    "wait 400 digits": Answer(TRANSIENT, status=503, headers={"Retry-After": "9" * 400}),
    "wait -1": Answer(TRANSIENT, status=503, headers={"Retry-After": "-1"}),
    "wait NaN": Answer(TRANSIENT, status=503, headers={"Retry-After": "nan"}),
    "status 999": Answer(TRANSIENT, status=999),
    "204": Answer(PERMANENT, status=204),
    "a header without end": Answer(TRANSIENT, page(row()), headers={"X": "x" * 200_000}),
    "5000 headers": Answer(LOADED, page(row()), headers={f"X{number}": "x" for number in range(5000)}),
    "a replay of no day": Answer(PERMANENT, page(row()), headers={"X-Replayed-Day": "../../etc"}),
}

FOR_TRIGGERS = ("tags for a pattern", "a gzip bomb in an error", "redirect to an internal server", "100,000 lists")
"""These are read by a trigger, too: one that takes long would stop all others."""
