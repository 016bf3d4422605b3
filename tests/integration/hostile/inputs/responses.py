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
class Response:
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

RESPONSES: dict[str, Response] = {
    "good": Response(LOADED, page(row())),
    "markup in a value": Response(LOADED, page(row(MARKUP))),
    "a formula": Response(LOADED, page(row("=cmd|' /C calc'!A0"))),
    "SQL in a value": Response(LOADED, page(row("'); DROP TABLE hostile_data; --"))),
    "a COPY's end": Response(LOADED, page(row("\\.\n\\N\t\\."))),
    # where they lead
    "redirect to an internal server": Response(FORBIDDEN, status=302, headers=REDIRECT),
    "permanent redirect": Response(FORBIDDEN, status=308, headers=REDIRECT),
    "redirect in capitals": Response(FORBIDDEN, status=301, headers={"Location": "HTTP://LOCALHOST:1/"}),
    "redirect to the metadata service": Response(
        FORBIDDEN, status=307, headers={"Location": "http://169.254.169.254/"}
    ),
    "redirect to a file": Response(FORBIDDEN, status=302, headers={"Location": "file:///etc/passwd"}),
    "redirect without scheme": Response(FORBIDDEN, status=302, headers={"Location": "//127.0.0.2:1/"}),
    "redirect to a user's URL": Response(FORBIDDEN, status=302, headers={"Location": "http://a:b@127.0.0.1:1/"}),
    "redirect to nonsense": Response(FORBIDDEN, status=302, headers={"Location": "http://[::1"}),
    "redirect to itself": Response(PERMANENT, status=302, headers={"Location": "@self@"}),
    "next page on an internal server": Response(FORBIDDEN, page(row(), total=2, link="@internal@/list.csv")),
    "next page in IPv6": Response(FORBIDDEN, page(row(), total=2, link="http://[::ffff:127.0.0.1]:1/")),
    "next page in NAT64": Response(FORBIDDEN, page(row(), total=2, link="http://[64:ff9b::7f00:1]:1/")),
    "next page in a file": Response(FORBIDDEN, page(row(), total=2, link="file:///etc/passwd")),
    "next page is no URL": Response(FORBIDDEN, page(row(), total=2, link="http://[")),
    "the same page": Response(PERMANENT, page(row(), total=9, link="@self@")),
    "endless pages": Response(PERMANENT, lambda n: page(row(number=n), total=10**6, link=f"?page={n}")),
    "endless empty pages": Response(PERMANENT, lambda n: page(total=0, link=f"?page={n}")),
    "next page is a number": Response(PERMANENT, page(row(), link=5)),
    # how large
    "a body without end": Response(PERMANENT, b" " * (5 * MEGABYTE)),
    "a gzip bomb": Response(PERMANENT, zipped(b" " * (10 * MEGABYTE)), headers=GZIP),
    "a gzip bomb in an error": Response(PERMANENT, zipped(b" " * (10 * MEGABYTE)), 400, GZIP),
    "two layers of gzip": Response(PERMANENT, zipped(zipped(page(row()))), headers={"Content-Encoding": "gzip, gzip"}),
    "another compression": Response(PERMANENT, page(row()), headers={"Content-Encoding": "br"}),
    "cut gzip": Response(TRANSIENT, zipped(page(row()), cut=-8), headers=GZIP),
    "not gzip": Response(TRANSIENT, page(row()), headers=GZIP),
    "a cut body": Response(TRANSIENT, page(row())[:-5], missing=5),
    "a cut text": Response(TRANSIENT, page(row())[:-5]),
    "drops": Response(TRANSIENT, page(row()), pause=0.5),
    "100,000 lists": Response(PERMANENT, b"[" * 100_000 + b"]" * 100_000),
    "200 objects in a row": Response(PERMANENT, page(row("x")).replace(b'"x"', b'{"a":' * 200 + b"1" + b"}" * 200)),
    "5000 digits": Response(REFUSED, page(row()).replace(b'"id": 1', b'"id": ' + b"1" * 5000)),
    "an exponent of 20 digits": Response(PERMANENT, page(row()).replace(b'"1.5"', b"1e99999999999999999999")),
    "1e400": Response(LOADED, page(row()).replace(b'"1.5"', b"1e400")),
    "NaN": Response(REFUSED, page(row()).replace(b'"1.5"', b"NaN")),
    "total of 2**70": Response(TRANSIENT, page(row(), total=2**70)),
    "total is a text": Response(PERMANENT, page(row(), total="1; DROP TABLE x")),
    "a column a thousand times": Response(LOADED, page(row()).replace(b'"id": 1', b'"id": 1, ' * 999 + b'"id": 1')),
    "10,000 unknown columns": Response(LOADED, page(row() | {f"c{number}": 1 for number in range(10_000)})),
    # which text
    "NUL": Response(REFUSED, page(row("a\0b"))),
    "half a surrogate pair": Response(REFUSED, page(row()).replace(b'"x"', rb'"\ud800"')),
    "a surrogate as a name": Response(LOADED, page(row()).replace(b'"text"', rb'"\udfff"')),
    "latin-1": Response(PERMANENT, page(row()).replace(b'"x"', b'"caf\xe9"')),
    "UTF-16": Response(PERMANENT, page(row()).decode().encode("utf-16")),
    "UTF-7 by name": Response(LOADED, page(row("+ADw-x+AD4-")), headers={"Content-Type": "text/html; charset=utf-7"}),
    "a charset that doesn't exist": Response(LOADED, page(row()), headers={"Content-Type": "x/y; charset=\xff\xfe"}),
    "byte order mark": Response(LOADED, b"\xef\xbb\xbf" + page(row())),
    "HTML": Response(TRANSIENT, b"<html><script>alert(1)</script></html>"),
    "empty": Response(TRANSIENT, b""),
    "a list": Response(PERMANENT, b"[]"),
    "null": Response(PERMANENT, b"null"),
    "rows that aren't objects": Response(REFUSED, page(1, "a", None, [])),
    # which error
    "markup in an error": Response(PERMANENT, json.dumps({"error": MARKUP}).encode(), 400),
    "the request's token in an error": Response(PERMANENT, b'{"message": "no access with @token@"}', 401),
    "an error with status 200": Response(PERMANENT, b'{"error": {"message": "invalid key @token@"}}'),
    "tags for a pattern": Response(PERMANENT, b"<" * BAIT, 400),
    "blanks for a pattern": Response(PERMANENT, b"a " + b" " * BAIT + b"x", 400),
    "quotes for a pattern": Response(PERMANENT, b'{"message": "' + b"\\\\" * BAIT, 400),
    "passwords for a pattern": Response(PERMANENT, b'{"message": "%s"}' % (b"password=" * (BAIT // 9)), 403),
    "lines of a log": Response(PERMANENT, b'{"message": "a\\n::error::x\\r\\u001b[2J"}', 400),
    "wait until 9999": Response(TRANSIENT, status=429, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}),
    "wait 400 digits": Response(TRANSIENT, status=503, headers={"Retry-After": "9" * 400}),
    "wait -1": Response(TRANSIENT, status=503, headers={"Retry-After": "-1"}),
    "wait NaN": Response(TRANSIENT, status=503, headers={"Retry-After": "nan"}),
    "status 999": Response(TRANSIENT, status=999),
    "204": Response(PERMANENT, status=204),
    "a header without end": Response(TRANSIENT, page(row()), headers={"X": "x" * 200_000}),
    "5000 headers": Response(LOADED, page(row()), headers={f"X{number}": "x" for number in range(5000)}),
    "a replay of no day": Response(PERMANENT, page(row()), headers={"X-Replayed-Day": "../../etc"}),
}

FOR_TRIGGERS = ("tags for a pattern", "a gzip bomb in an error", "redirect to an internal server", "100,000 lists")
"""These are read by a trigger, too: one that takes long would stop all others."""
