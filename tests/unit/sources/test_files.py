"""A source's file: what is accepted, and how each fault is named without affecting other sources."""

from __future__ import annotations

import copy
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from include.core.sources import model
from include.core.sources.dataset import dataset_of
from include.core.sources.errors import SourceError, SourcesError
from include.core.sources.files import load_source, load_sources, parse_source, require_sources
from include.core.sources.model import Source
from include.core.sources.scaffold import SCHEMA, schema_text
from include.core.warehouse.history_settings import History, Recurring
from include.domains.sources import FOLDER
from tests.unit.sources.conftest import GOOD

PATH = Path("sources/orders.yaml")
CONTENT = yaml.safe_load(GOOD)

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["", " ", "0 6 * *", "61 * * * *", "../x", "//evil", "http://evil/", "Mars/Olympus"]),
    st.lists(st.text(max_size=5), max_size=2),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


def places(node: Any, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every value in a source."""
    own = [place] if place else []
    if isinstance(node, dict):
        return own + [nested for key, value in node.items() for nested in places(value, (*place, key))]
    return own


def changed(place: tuple[str | int, ...], value: object) -> str:
    content = copy.deepcopy(CONTENT)
    parent = content
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = value
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_sources_are_valid(path: Path) -> None:
    source = load_source(path)
    assert source.dag_id == f"process_{path.stem}_data"
    assert f"$schema={SCHEMA}" in path.read_text().splitlines()[0]


def test_the_history_of_a_source_is_that_of_its_dataset() -> None:
    history = "history: {recurring: [{column: id, by: [state]}], limit: 9.0, days: 90, ignored: [email], off: moved}\n"
    dataset = dataset_of(parse_source(GOOD.replace("key: [id]", "key: [line]") + history, PATH))
    assert dataset.history == History((Recurring("id", ("state",)),), 9.0, 90, ("email", "line"), "moved")


def test_the_articles_schedules() -> None:
    schedules = {"sales.yaml": "0 0 * * *", "marketing.yaml": "0 12 * * *", "support.yaml": "0 6 * * *"}
    assert {file: load_source(FOLDER / file).schedule for file in schedules} == schedules


def test_the_schema_for_editors_matches_the_model() -> None:
    assert (FOLDER / SCHEMA).read_text() == schema_text(), "run: .venv/bin/python -m devstack.sources schema"
    assert set(json.loads(schema_text())["properties"]) == set(Source.model_fields)


@settings(max_examples=150, deadline=None)
@given(place=st.sampled_from(places(CONTENT)), value=JUNK)
def test_any_change_of_any_field_is_accepted_or_named(place: tuple[str | int, ...], value: object) -> None:
    text = changed(place, value)
    try:
        source = parse_source(text, PATH)
    except SourceError as error:
        message = str(error)
        assert re.match(r"sources/orders\.yaml(:\d+)?: ", message), message
        assert len(message) < 4000
        names = [str(step) for step in place]
        assert any(name in message for name in names) or "YAML" in message or "tag" in message, message
    else:
        assert source.name == "orders"


@pytest.mark.parametrize("place", places(CONTENT), ids=".".join)
def test_a_value_of_the_wrong_type_is_named_with_its_line(place: tuple[str, ...]) -> None:
    text = changed(place, {"surprise": [1]})
    with pytest.raises(SourceError) as caught:
        parse_source(text, PATH)
    lines = text.splitlines()
    numbers = [int(n) for n in re.findall(r"orders\.yaml:(\d+): ", str(caught.value))]
    assert numbers
    assert any(place[-1] in lines[n - 1] or "surprise" in lines[n - 1] for n in numbers), str(caught.value)
    assert ".".join(place) in str(caught.value)


@pytest.mark.parametrize("name", [name for name, field in Source.model_fields.items() if field.is_required()])
def test_a_missing_field_is_named(name: str) -> None:
    content = {key: value for key, value in CONTENT.items() if key != name}
    with pytest.raises(SourceError, match=rf"{name}: is missing; add it"):
        parse_source(yaml.safe_dump(content), PATH)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schedule: ", "shedule: ", r"orders.yaml:4: shedule: unknown field; allowed: name, description, owner"),
        ("minimum: 1", "minium: 1", r"orders.yaml:14: columns.id.minium: unknown field; allowed: type, from, null"),
        ("rows: 1000", "row: 1000", r"orders.yaml:18: limits.row: unknown field; allowed: page_size, rows"),
        ('"0 6 * * *"', '"0 6 * *"', r"orders.yaml:4: schedule: must be a cron expression of five fields.*got '0 6"),
        ('"0 6 * * *"', '"0 0 31 2 *"', r"orders.yaml:4: schedule: must be a cron expression of five fields"),
        ('"0 6 * * *"', '"R 6 * * *"', r"orders.yaml:4: schedule: must be a cron expression with fixed times: R and H"),
        ('"0 6 * * *"', '"0 h(1-5)/2 * * *"', r"orders.yaml:4: schedule: must be a cron expression with fixed times"),
        ('"0 6 * * *"', '"0 25 * * *"', r"orders.yaml:4: schedule: must be a cron expression of five fields"),
        ("Europe/Berlin", "Berlin", r"orders.yaml:8: timezone: must be a time zone of the IANA database.*got 'Berlin'"),
        ("sources_default", "salesforce", r"orders.yaml:6: connection: allowed: .*sources_default.*got 'salesforce'"),
        ("limits: {", "history: {limit: 2}\nlimits: {", r"orders.yaml:18: history.limit: .*greater than or equal to 3"),
        ("limits: {", "history: {ignored: [city]}\nlimits: {", r"history: 'city' isn't one of the columns"),
        ("limits: {", "history: {recurring: [{column: state, by: [id]}]}\nlimits: {", r"history: 'state' must be"),
        ("limits: {", "history: {recurring: [{column: id, by: [id]}]}\nlimits: {", r"history: 'id' must be a number"),
        ("limits: {", "history: {recurring: [{column: id, by: []}]}\nlimits: {", r"history.recurring.0.by: "),
        ("path: /orders", "path: /a/../b", r"orders.yaml:7: path: must be a path below the connection's host"),
        ("path: /orders", "path: //evil.net/x", r"orders.yaml:7: path: must be a path below the connection's host"),
        ("path: /orders", "path: http://evil.net/", r"orders.yaml:7: path: String should match pattern"),
        ("name: orders", "name: ../orders", r"orders.yaml:1: name: String should match pattern.*got '../orders'"),
        ("name: orders", "name: invoices", r"orders.yaml:1: name: 'invoices' isn't the file's name"),
        ("key: [id]", "key: [number]", r"key: 'number' isn't one of the columns: id, ordered_at, state, email, line"),
        ("key: [id]", "key: [email]", r"key: 'email' may not be nullable"),
        ("key: [id]", "key: [id, id]", r"key: a column is repeated"),
        ("day_column: ordered_at", "day_column: id", r"day_column: 'id' must be a date or a timestamp"),
        ("day_column: ordered_at", "day_column: when", r"day_column: 'when' isn't one of the columns"),
        ("id: {type: integer", "id: {type: int", r"orders.yaml:14: columns.id.type: Input should be 'text', 'integer'"),
        ("maximum: 999999", "maximum: 0", r"orders.yaml:14: columns.id: minimum 1 is larger than maximum 0"),
        ("  state: {type: text", "  state: {type: date", r"allowed and pattern are for the type text, not for date"),
        ('pattern: ".+@.+"', 'pattern: "a{99999999999}"', r"columns.email.pattern: .* it has '{999', which isn't"),
        ('pattern: ".+@.+"', 'pattern: "["', r"orders.yaml:17: columns.email.pattern: must be a regular expression"),
        ("  state:", "  load_id:", r"columns: load_id is reserved"),
        ("max_bad_share: 0.1", "freshness: 0", r"orders.yaml:11: freshness: Input should be greater than 0"),
        ("max_bad_share: 0.1", "freshness: 30h", r"orders.yaml:11: freshness: Input should be a valid number"),
        ("max_bad_share: 0.1", "max_bad_share: 1.5", r"orders.yaml:11: max_bad_share: Input should be less than 1"),
        ("name: orders\n", "name: orders\nname: orders\n", r"orders.yaml:2: the key 'name' is repeated"),
        ("owner: shop", "owner: !!python/object:os.system x", r"orders.yaml:3: the tag .*python/object"),
        ("owner: shop", "owner: !!python/name:os.system", r"orders.yaml:3: the tag .* isn't allowed"),
        ("owner: shop", "owner: &a shop", r"orders.yaml:3: anchors and aliases"),
        ("owner: shop", "owner: [", r"orders.yaml:\d+: isn't valid YAML"),
        ("owner: shop", "owner: " + "[" * 30 + "]" * 30, r"orders.yaml:3: is nested more than 10 levels deep"),
        ("owner: shop", "? [a]\n: b\nowner: shop", r"orders.yaml:3: a key must be a word"),
        ("owner: shop", 'owner: "a\\0b"', r"orders.yaml:3: the control character '\\x00' isn't allowed in a text"),
        ("owner: shop", '"\\e": x', r"orders.yaml:3: the control character '\\x1b' isn't allowed in a text"),
        ("start_date: 2024-01-01", "start_date: 9999-12-31", r"orders.yaml:5: start_date: .*from 1900 to 2199"),
        ("minimum_rows: 0", "minimum_rows: 99999999", r"orders.yaml:12: minimum_rows: .*equal to 10000000"),
        ("name: orders", f"name: 0x{'f' * 60_000}", r"orders.yaml:1: name: String should match .*\(got '0xf{76}…\)$"),
        ("name: orders", f"? {'x' * 60_000}\n: 1\nname: orders", r"orders.yaml:1: x{79}…: unknown field; allowed: "),
        ("owner: shop", "owner: 7", r"orders.yaml:3: owner: Input should be a valid string \(got 7\)"),
        ("start_date: 2024-01-01", "start_date: soon", r"orders.yaml:5: start_date: .*got 'soon'"),
    ],
)  # fmt: skip
def test_each_fault_is_named(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(SourceError, match=message):
        parse_source(GOOD.replace(old, new, 1), PATH, ["sources_default"])


def test_all_problems_of_a_file_are_reported_at_once() -> None:
    text = GOOD.replace('"0 6 * * *"', '"x"').replace("Europe/Berlin", "Berlin")
    with pytest.raises(SourceError) as caught:
        parse_source(text, PATH)
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == ["schedule", "timezone"]


def test_many_problems_are_counted() -> None:
    with pytest.raises(SourceError, match=r"k19: unknown field.*\nand 5980 more$") as caught:
        parse_source("".join(f"k{number}: 1\n" for number in range(6000)) + GOOD, PATH)
    assert len(str(caught.value)) < 10_000


def test_an_unexpected_error_of_a_library_is_that_of_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "odd.yaml").write_text(GOOD.replace("name: orders", "name: odd").replace("0 6", "7 7"))

    def parse(expression: str, _: object) -> croniter:
        return croniter(expression) if expression.startswith("0 6") else croniter(None)  # type: ignore[arg-type]

    monkeypatch.setattr(model, "croniter", parse)
    sources, [error] = load_sources(folder)
    assert list(sources) == ["orders"]
    assert str(error).startswith("sources/odd.yaml: can't be used: AttributeError: ")


def bomb() -> bytes:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]" for i in range(20)]
    return "\n".join(lines).encode()


BAD_FILES = {
    "anchors": (bomb(), "anchors and aliases"),
    "empty": (b"", "is empty"),
    "comment": (b"# nothing\n", "is empty"),
    "scalar": (b"just a word", "isn't a mapping"),
    "items": (b"- a\n- b\n", "isn't a mapping"),
    "binary": (bytes(range(256)), "isn't UTF-8"),
    "huge": (b"name: " + b"x" * 100_000, "is larger than 65536 bytes"),
    "nul": (b"name: a\0b", "isn't valid YAML"),
    "two": (b"a: 1\n---\nb: 2\n", "isn't valid YAML"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_affects_no_other(folder: Path, name: str) -> None:
    content, message = BAD_FILES[name]
    (folder / f"{name}.yaml").write_bytes(content)
    started = time.process_time()
    sources, [error] = load_sources(folder)
    assert time.process_time() - started < 1
    assert list(sources) == ["orders"]
    assert str(error).startswith(f"sources/{name}.yaml")
    assert message in str(error)
    with pytest.raises(SourcesError, match=re.escape(message)):
        require_sources(folder)


def test_an_unreadable_file_affects_no_other(folder: Path) -> None:
    (folder / "folder.yaml").mkdir()
    (folder / "dangling.yaml").symlink_to(folder / "nowhere")
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    os.mkfifo(folder / "pipe.yaml")
    sources, errors = load_sources(folder)
    assert list(sources) == ["orders"]
    assert [str(error).split(":")[0] for error in errors] == [
        "sources/dangling.yaml", "sources/folder.yaml", "sources/loop.yaml", "sources/pipe.yaml",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["copy.yaml", "orders.yml", "Orders.yaml"])
def test_a_name_cannot_be_used_twice(folder: Path, name: str) -> None:
    (folder / name).write_text(GOOD)
    sources, [error] = load_sources(folder)
    assert list(sources) == ["orders"]
    assert f"sources/{name}:1: name: 'orders' isn't the file's name" in str(error)
