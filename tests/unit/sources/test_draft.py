"""The YAML that is drafted from a file: it accepts the file, and says what isn't sure."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path

import pytest

from devstack.state import REPOSITORY
from include.core.errors import UnreadableError
from include.core.formats.judge import judge
from include.core.sources.contract import contract_of
from include.core.sources.draft import draft
from include.core.sources.files import parse_source
from include.core.sources.scaffold import new_source_from

DAY = dt.date(2024, 6, 1)
HEADER = "Order ID,zip,amount,paid,placedAt,e-mail,note,ship date,class\n"
ROWS = "".join(
    f"{number},{number:05},{number}.50,true,2024-06-01T08:00:{number % 60:02},a@b,{'' if number % 9 else 'x'},"
    f"2024-06-0{number % 9 + 1},1\n"
    for number in range(1, 2000)
)


def drafted(content: str, name: str = "orders_2024-06-01.csv") -> str:
    return draft("orders", io.BytesIO(content.encode()), name)


def test_types_come_from_all_rows_and_doubts_are_comments() -> None:
    yaml = drafted(HEADER + ROWS + "n/a,02000,2000,false,2024-06-01 09:00:00,,,2024-06-02,2\n")
    for line in (
        'files: {folder: orders, name: "orders_{day}.csv"}',
        "key: [order_id]  # also unique: zip",
        "day_column: placed_at",
        '  order_id: {type: text, from: "Order ID"}  # 1 of 2000 values aren\'t of type integer',
        "  zip: {type: text}",
        "  amount: {type: decimal}",
        "  paid: {type: boolean}",
        '  placed_at: {type: timestamp, from: "placedAt"}',
        '  e_mail: {type: text, from: "e-mail", nullable: true}  # 1 of 2000 are empty; personal data? then pii: true',
        "  note: {type: text, nullable: true}",
        '  ship_date: {type: date, from: "ship date"}',
        "  class: {type: integer}",
    ):
        assert line in yaml, yaml
    source = parse_source(yaml, Path("orders.yaml"))
    content = HEADER + ROWS
    verdict = judge(contract_of(source), io.BytesIO(content.encode()), "orders.csv", DAY)
    assert (verdict.refused, verdict.rows.accepted) == (None, 1999)


@pytest.mark.parametrize(
    ("content", "key"),
    [("a,b\n1,1\n1,2\n2,1\n", "key: [a, b]"), ("a,b\n1,1\n1,1\n", "key: [line]  # no field, and no pair, is unique")],
)
def test_a_pair_may_be_the_key_or_the_line(content: str, key: str) -> None:
    yaml = drafted(content)
    assert key in yaml
    parse_source(yaml, Path("orders.yaml"))


def test_json_keeps_its_types() -> None:
    yaml = drafted(
        '[{"id": 1, "code": "A1", "v": "1.5", "ok": true}, {"id": 2, "code": "A2", "day": "2024-02-30"}]', "a.json"
    )
    for line in (
        "  id: {type: integer}",
        "  code: {type: text}",
        "  v: {type: decimal, nullable: true}",
        "  ok: {type: boolean",
    ):
        assert line in yaml
    assert "  day_2: {type: text" in yaml
    assert 'name: "orders_{day}.json"' in yaml


@pytest.mark.parametrize("content", ["", "a,b\n", "a\n1\n", "a,b\n1\n", "a,b\n\xff", '[{"a": 1}, 2]'])
def test_what_is_no_table_is_refused(content: str) -> None:
    with pytest.raises(UnreadableError):
        draft("orders", io.BytesIO(content.encode("latin-1")), "a.json" if content.startswith("[") else "a.csv")


RECORDED = ["retail/online_retail_2010-12-20.csv", "titanic/train.csv", "wine_quality/winequality-red.csv"]


@pytest.mark.parametrize("name", [name for name in RECORDED if (REPOSITORY / "include/data" / name).exists()])
def test_recorded_files_are_accepted_by_their_drafts(name: str, tmp_path: Path) -> None:
    (tmp_path / "include/domains/sources").mkdir(parents=True)
    file = REPOSITORY / "include/data" / name
    [config] = new_source_from("trial", file, tmp_path)
    source = parse_source(config.read_text(), config)
    with file.open("rb") as content:
        verdict = judge(
            contract_of(source), content, file.name, DAY if not source.day_column else dt.date(2010, 12, 20)
        )
    assert (verdict.refused, verdict.rejected) == (None, [])
    with pytest.raises(FileExistsError):
        new_source_from("trial", file, tmp_path)
