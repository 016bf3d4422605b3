"""A pattern accepts the same texts in DuckDB, which validates rows, and in PostgreSQL, which audits them."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devstack.postgres import Postgres
from include.core.warehouse.patterns import portable

Engines = tuple[psycopg.Connection, duckdb.DuckDBPyConnection]

CHARACTERS = "ab1_-. \n\u00a0é\v]^"
ATOMS = (
    *("a", "b", "é", "_", " ", ".", r"\.", r"\-", r"\n", r"\\", "()", "(?:)"),
    *(r"\d", r"\D", r"\w", r"\W", r"\s", r"\S"),
    *("[ab]", "[^a]", r"[^\n]", "[a-é]", r"[\w-]", "[-.]", r"[^\s_]", r"[\]\^]", r"[^\^]"),
)
REPEATS = ("", "*", "+", "?", "{2}", "{0,2}", "{1,}", "{0}")
PATTERNS = st.recursive(
    st.tuples(st.sampled_from(ATOMS), st.sampled_from(REPEATS)).map("".join),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.lists(inner, min_size=1, max_size=3).map("|".join),
        st.tuples(inner, st.sampled_from(REPEATS)).map(lambda pair: f"({pair[0]}){pair[1]}"),
    ),
    max_leaves=6,
)
PREFIXES = ("", "^", "(?s)")


@pytest.fixture(scope="module")
def engines(postgres: Postgres) -> Iterator[Engines]:
    """PostgreSQL and DuckDB."""
    with psycopg.connect(postgres.uri()) as session, duckdb.connect() as engine:
        yield session, engine


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prefix=st.sampled_from(PREFIXES),
    pattern=PATTERNS,
    texts=st.lists(st.text(CHARACTERS, max_size=6), min_size=20, max_size=20),
)
def test_both_accept_the_same_texts(engines: Engines, prefix: str, pattern: str, texts: list[str]) -> None:
    postgres, engine = engines
    written = portable(prefix + pattern)
    judge = "SELECT list_transform($1, lambda x: regexp_full_match(x, $2))"
    expected = engine.execute(judge, [texts, prefix + pattern]).fetchone()
    assert engine.execute(judge, [texts, written]).fetchone() == expected
    audited = postgres.execute(
        "SELECT array_agg(x COLLATE \"C\" ~ ('^(?:' || %s || ')$') ORDER BY n)"
        " FROM unnest(%s::text[]) WITH ORDINALITY AS t (x, n)",
        [written, texts],
    ).fetchone()
    assert audited == expected
