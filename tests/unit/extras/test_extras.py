"""Extras of a connection: each error names connection, extra, value and what is allowed."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.sdk import Connection

from include.core.errors import ConfigurationError
from include.core.extras import Extras


def extras(**values: Any) -> Extras:
    return Extras.of(Connection(conn_id="api", extra=json.dumps(values)))


@pytest.mark.parametrize("value", [None, ""])
def test_none_and_empty_count_as_missing(value: str | None) -> None:
    for parsed in (extras(), extras(name=value)):
        assert parsed.text("name") == ""
        assert parsed.texts("name") == []
        assert parsed.positive_number("name", 2.5) == 2.5


def test_values() -> None:
    assert extras(host="https://a.test").text("host") == "https://a.test"
    assert extras(hosts=["a", "b"]).texts("hosts") == ["a", "b"]
    assert [extras(n=value).positive_number("n", 1) for value in (3, "0.5")] == [3, 0.5]


@pytest.mark.parametrize("value", [0, -1, "soon", [3], {}, "nan", "inf"])
def test_a_wrong_number_is_named(value: object) -> None:
    with pytest.raises(ConfigurationError) as refused:
        extras(deadline=value).positive_number("deadline", 1, "seconds")
    assert str(refused.value) == f"connection 'api': extra.deadline: {value!r} isn't a positive number of seconds"


def test_a_wrong_text_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^connection 'api': extra.host: 5 isn't a string$"):
        extras(host=5).text("host")
    for wrong in ("x", ["x", 1]):
        with pytest.raises(ConfigurationError, match=r"extra.hosts: .* isn't a list of URLs$"):
            extras(hosts=wrong).texts("hosts", "URLs")


@pytest.mark.parametrize("text", ['["sesame"]', '{"token": "sesame"', '"sesame"'])
def test_what_is_not_an_object_is_refused_and_not_shown(text: str) -> None:
    connection = Connection(conn_id="api", extra=text)
    query = urlsplit(Connection(conn_id="api", conn_type="x", host="h", extra=text).get_uri()).query
    message = r"^connection 'api': extra: not a JSON object; (?!.*sesame)"
    with pytest.raises(ConfigurationError, match=message):
        Extras.of(connection)
    with pytest.raises(ConfigurationError, match=message):
        Extras.of_query("connection 'api'", query)


@pytest.mark.parametrize("values", [{}, {"a": "b"}, {"a": "", "b": "c d&e"}, {"a": 3, "b": {"c": ["d"]}}])
def test_the_uri_has_the_extras_of_the_connection(values: dict[str, Any]) -> None:
    connection = Connection(conn_id="api", conn_type="x", host="h", extra=json.dumps(values))
    assert Extras.of_query("api", urlsplit(connection.get_uri()).query).values == Extras.of(connection).values == values


def test_values_are_not_in_the_repr() -> None:
    assert "sesame" not in repr(extras(token="sesame"))
