"""What a person can send to Airflow's REST API to start a run."""

from __future__ import annotations

VALUES: dict[str, str] = {
    "2**63": "9223372036854775808",
    "2**64": "18446744073709551616",
    "-2**63 - 1": "-9223372036854775809",
    "2**200": str(2**200),
    "5000 digits": "1" * 5000,
    "1e19": "1e19",
    "-1e19": "-1e19",
    "1e30": "1e30",
    "1e308": "1e308",
    "1e400": "1e400",
    "exponent of 20 digits": "1e99999999999999999999",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "NUL": r'"a\u0000b"',
    "NUL in a name": r'{"a\u0000b": 1}',
    "high surrogate": r'"\ud800"',
    "low surrogate": r'"\udfff"',
    "surrogate in a name": r'{"\ud800": 1}',
    "40 lists": "[" * 40 + "]" * 40,
    "40 objects": '{"a":' * 40 + "1" + "}" * 40,
    "100,000 lists": "[" * 100_000 + "]" * 100_000,
    "70 kB": f'"{"x" * 70_000}"',
    "3 MB": f'"{"x" * 3_000_000}"',
}
"""JSON values that are refused wherever they are stored with a run: they would stop another component."""

BODIES: dict[str, bytes] = {
    "empty": b"",
    "cut": b'{"conf": {"a": ',
    "not UTF-8": b'{"conf": {"a": "\xff\xfe"}}',
    "a list": b"[]",
    "null": b"null",
    "conf is a list": b'{"logical_date": null, "conf": [1]}',
    "conf is a text": b'{"logical_date": null, "conf": "{}"}',
    "an unknown field": b'{"logical_date": null, "run_type": "scheduled", "state": "success"}',
    "no date": b'{"logical_date": "2024-13-45T99:00:00Z"}',
    "a date without zone": b'{"logical_date": "9999-12-31T23:59:59"}',
    "half an interval": b'{"logical_date": null, "data_interval_start": "2024-01-01T00:00:00Z"}',
    "XML": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>',
}
"""Bodies of a request for a run that are refused."""

RUN_IDS: dict[str, bool] = {
    "x:y": True,
    "x-y": True,
    "x--y": True,
    ".": True,
    "..": False,
    "~": True,
    "CON": True,
    "../up": False,
    "a/b": False,
    r"a\b": False,
    "%2e%2e%2fup": False,
    "a b": False,
    "a\nb": False,
    "é": False,
    "{{ ds }}": False,
    "a;b": False,
    "a'--": False,
    "$(id)": False,
    "<b>": False,
    "a" * 300: False,
}
"""Ids of runs, and whether Airflow accepts each; the runs of accepted ones keep their files apart."""

LOST = "."
"""An accepted id that Airflow's workers lose in the URL of an XCom: its run fails, and affects no other."""

TEXTS: dict[str, str] = {
    "Slack: everybody": "<!channel> <!here> <!everyone>",
    "Slack: a link": "<https://evil.example/|click>",
    "Slack: a user": "<@U024BE7LH> <#C024BE7LR>",
    "Slack: a fence": "``` *bold* _it_ ~gone~ :fire: &lt;",
    "HTML": "<img src=x onerror=alert(1)><script>alert(1)</script>",
    "mail header": "a\r\nBcc: all@example.org\r\n\r\nbody",
    "Jinja: connection": "{{ conn.canary_default.password }} {{ conn.postgres_default.get_uri() }}",
    "Jinja: variable": "{{ var.value.canary }}",
    "Jinja: code": "{{ ''.__class__.__mro__[1].__subclasses__() }} {% for _ in range(10**9) %}{% endfor %}",
    "Jinja: file": "{% include '/etc/passwd' %} ../../etc/passwd.sql script.sh",
    "SQL": "'; DROP TABLE quarantine; --",
    "SQL: dollars": "$$; SELECT pg_sleep(1000); $$ %s %(a)s {}",
    "shell": "$(touch hostile) `touch hostile` ; touch hostile | cat",
    "log lines": "a\n[2024-01-01T00:00:00Z] {x.py:1} ERROR - forged\n::group::x\n\x1b[2J\x1b]0;x\x07",
    "format": "%n%s%x {0.__globals__} ${jndi:ldap://127.0.0.1/a}",
    "formula": '=HYPERLINK("http://evil.example")',
    "direction": "\u202egnp.exe \u2066\u2028\ufeff\ufffe",
    "emoji": "\U0001f9d9" * 500,
    "JSON": '{"__type": "datetime", "__var": 1, "__classname__": "os.system", "__data__": ["id"], "__version__": 1}',
    "largest integer as text": str(2**64),
    "16 kB for patterns": "password=" * 900 + "a:" * 4000,
    "30 kB of slashes": "/" * 30_000,
}
"""Texts that are accepted in a run's conf; they come out as they went in, and nothing else happens."""

IN_ALERTS = ("Slack: everybody", "Slack: a link", "HTML", "mail header", "16 kB for patterns")
"""These are the errors of failed runs, too."""

PARAMS: dict[str, dict[str, tuple[str, ...]]] = {
    "weather_data_pipeline": {
        "cities": (
            "[]",
            "null",
            "5",
            '["Atlantis"]',
            '["../../etc/passwd"]',
            '[{"name": "x", "latitude": 91, "longitude": 0}]',
            '[{"name": "x", "latitude": "0 OR 1=1", "longitude": 0}]',
            '[{"name": "", "latitude": 0, "longitude": 0}]',
            '[{"name": "x", "latitude": 0, "longitude": 0, "url": "http://127.0.0.1/"}]',
        ),
        "accept": ('""', r'"a\nb reason"', f'"{"x" * 10_000}"', "1"),
        "preview": ('"yes"', "1", "null"),
    },
    "titanic_ml_pipeline": {
        "passengers": ("1", "[]", '["/etc/passwd"]', '{"url": "/etc/passwd"}', f'"{"x" * 3000}"', "true"),
        "models": ("[]", '["os.system"]', '"soft_vote"', "[1e18]"),
        "repeats": ("0", "-1", "51", "9223372036854775807", "1.5", '"1"', "null"),
        "on_refusal": ('"exec"', "null"),
    },
    "large_data_handoff": {"rows": ("0", "-5", "100000001", "9223372036854775807", "0.5", '"1"')},
    "process_source_data": {
        "day": ('"../../etc"', '"2024-13-01"', '"2024-02-30"', '"2024-06-01T00:00"', "20240601", '"{{ ds }}"'),
    },
}
"""JSON values of params that their schemas refuse; `process_source_data` stands for the first source's DAG."""
