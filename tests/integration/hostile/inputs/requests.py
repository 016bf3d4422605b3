"""Requests of strangers: logins, tokens, paths and queries of the API server, requests to the model server."""

from __future__ import annotations

import json

LOGINS: dict[str, bytes] = {
    name: value if isinstance(value, bytes) else json.dumps(value).encode()
    for name, value in {
        "wrong": {"username": "admin", "password": "wrong"},  # pragma: allowlist secret
        "SQL": {"username": "admin' --", "password": "' OR 1=1 --"},
        "NUL": {"username": "a\0", "password": "\0"},
        "surrogate": {"username": "\ud800", "password": "\udfff"},
        "lists": {"username": ["admin"], "password": [""]},
        "objects": {"username": {"$ne": ""}, "password": {"$gt": ""}},
        "numbers": {"username": 0, "password": 10**30},
        "long": {"username": "a" * 1_000_000, "password": "a"},
        "markup": {"username": "<!channel>{{ 7 * 7 }}", "password": "${jndi:ldap://127.0.0.1/a}"},
        "lines": {"username": "a\n2024-01-01 [info] admin logged in", "password": "x"},
        "deep": b"[" * 100_000,
        "empty": b"",
        "not UTF-8": b"\xff\xfe",
    }.items()
}
"""Bodies of a request for a token; none gets one."""

PATHS: tuple[str, ...] = (
    "/api/v2/../../etc/passwd",
    "/static/..%2f..%2f..%2f..%2fetc/passwd",
    "/static/%2e%2e/%2e%2e/airflow.cfg",
    "/api/v2/dagSources/..%2f..%2fairflow.cfg",
    "/api/v2/dagSources/%00",
    "/api/v2/dags/%F0%9F/details",
    "/api/v2/dags/hostile_echo/dagRuns/..%2f..%2f..",
    "/api/v2/dags/hostile_echo/dagRuns/x/taskInstances/..%2f..%2fetc%2fpasswd/logs/1",
    "/api/v2/dags/hostile_echo/dagRuns/x/taskInstances/echo/logs/99999999999999999999",
    "/api/v2/dags/hostile_echo/dagRuns/x/taskInstances/echo/logs/1?token=eyJ4Ijox",
    "/api/v2/dags?limit=-1",
    "/api/v2/dags?limit=99999999999999999999999",
    "/api/v2/dags?offset=abc",
    "/api/v2/dags?order_by=password;DROP%20TABLE%20dag",
    "/api/v2/dags?dag_id_pattern=%25%25%25%27%3B--",
    "/api/v2/dags?dag_run_start_date_gte=9999999-01-01",
    "/api/v2/variables/%7B%7B%20x%20%7D%7D",
    "/api/v2/connections/canary_default",
    "/api/v2/config",
    "/api/v2/config/section/database/option/sql_alchemy_conn",
    "/execution/connections/canary_default",
    "/execution/variables/canary",
)
"""Paths that are requested with the administrator's token; whatever is answered, it contains no canary."""

HOSTS: tuple[str, ...] = ("evil.example", "localhost.evil.example", "", "[::1", "a" * 5000)
"""Values of the header Host that the model server refuses."""

PREDICTIONS: dict[str, bytes] = {
    "NaN": b'{"passengers": [{"Age": NaN}]}',
    "Infinity": b'{"passengers": [{"Age": Infinity}]}',
    "1e999": b'{"passengers": [{"Age": 1e999}]}',
    "100,000 digits": b'{"passengers": [{"Age": %s}]}' % (b"9" * 100_000),
    "half a surrogate pair": rb'{"passengers": [{"Name": "\ud800"}]}',
    "a surrogate as a name": rb'{"passengers": [{"\udfff": "x"}]}',
    "NUL": rb'{"passengers": [{"Name": "a\u0000b"}]}',
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 500 + b"1" + b"}" * 500,
    "cut": b'{"passengers": [',
    "not UTF-8": b'{"passengers": [{"Name": "Jos\xe9"}]}',
    "UTF-16": '{"passengers": []}'.encode("utf-16"),
    "a list": b"[1]",
    "empty": b"",
    "50,000 rows": b'{"passengers": [%s{}]}' % (b"{}," * 50_000),
    "a name twice": b'{"passengers": [{"Name": "a", "Name": "b"}]}',
    "true as a number": b'{"passengers": [{"Age": true}]}',
    "50,000 fields": json.dumps({f"field {number}": 1 for number in range(50_000)}).encode(),
    "10 MB": b" " * 10_000_000,
    "markup": b'{"<!channel>": "{{ conn.canary_default.password }}"}',
}
"""Bodies that the model server refuses."""

HALF: tuple[bytes, ...] = (
    b"",
    b"POST /predictions HTTP/1.1\r\nHost: loc",
    b"POST /predictions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
    b"POST /predictions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
)
"""Requests that are begun only; their connections stay open while everything else is sent."""
