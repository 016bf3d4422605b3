"""The verdict on a file, as the command prints it: its schema, its exit status, and never a traceback."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devstack.state import REPOSITORY
from include import contracts as contracts_module
from include.command import main
from include.contracts import contract, contracts
from include.core.errors import ConfigurationError
from include.core.formats.contract import FileContract
from include.core.formats.judge import judge as judged
from include.core.sources.errors import SourceError
from include.core.warehouse.dataset import HIDDEN, Column, Dataset
from include.core.warehouse.preview.model import Preview

SCHEMA = json.loads((REPOSITORY / "docs" / "preview.schema.json").read_text())
YAML = """
name: orders
description: Orders of a shop, one row each.
owner: me
schedule: "0 6 * * *"
start_date: 2024-01-01
path: /orders
key: [id]
day_column: at
timezone: Europe/London
max_bad_share: 0.5
rules: [amount >= 0 unless note starts with A]
columns:
  id: {type: integer, from: ID}
  amount: {type: decimal}
  note: {type: text, nullable: true}
  phone: {type: text, nullable: true, pii: true, pattern: "[0-9]+"}
  at: {type: timestamp}
"""
GOOD = """ID,amount,note,phone,at
1,1.50,"a, b",555,2024-06-01T09:00:00
9007199254740993,12345678901234567890.10,,,2024-06-01 10:00:00
"""
ACCEPTED = [
    {
        "day": "2024-06-01",
        "id": "1",
        "amount": "1.50",
        "note": "a, b",
        "phone": HIDDEN,
        "at": "2024-06-01T08:00:00+00:00",
    },
    {
        "day": "2024-06-01",
        "id": "9007199254740993",
        "amount": "12345678901234567890.10",
        "note": None,
        "phone": None,
        "at": "2024-06-01T09:00:00+00:00",
    },
]


def without_bytes(value: object) -> str | None:
    """Ids of parameters without their bytes: a compressed file has the time in it."""
    return "" if isinstance(value, bytes) else None


class Judge:
    """Runs the command in this process."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.yaml = folder / "orders.yaml"
        self.yaml.write_text(YAML)

    def __call__(self, content: bytes | str, name: str = "orders_2024-06-01.csv", *options: str) -> tuple[int, Any]:
        file = self.folder / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self.run("--source", str(self.yaml), "--file", str(file), *options)

    def run(self, *options: str) -> tuple[int, Any]:
        """Return the status and the printed object; check both against the documentation."""
        self.capsys.readouterr()
        try:
            status = main(["preview", "--json", *options])
        except SystemExit as exit_:
            status = int(exit_.code or 0)
        printed = self.capsys.readouterr()
        assert "Traceback" not in printed.err
        if status == 1:
            assert printed.out == ""
            return status, printed.err
        assert status in {0, 3, 4}
        verdict = json.loads(printed.out)
        jsonschema.validate(verdict, SCHEMA)
        rows = verdict["rows"]
        assert rows["read"] == rows["accepted"] + rows["rejected"]
        assert (status == 4) == (verdict["refused"] is not None)
        assert status == 4 or (status == 3) == (rows["rejected"] > 0)
        return status, verdict


@pytest.fixture
def judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Judge:
    return Judge(tmp_path, capsys)


def test_the_documented_schema_is_that_of_the_model() -> None:
    assert Preview.model_json_schema(mode="serialization") == SCHEMA


def zstd(content: bytes) -> bytes:
    target = pa.BufferOutputStream()
    with pa.CompressedOutputStream(target, "zstd") as stream:
        stream.write(content)
    return bytes(target.getvalue())


def json_rows() -> list[str]:
    return [
        '{"ID": 1, "amount": 1.50, "note": "a, b", "phone": "555", "at": "2024-06-01T09:00:00"}',
        '{"ID": 9007199254740993, "amount": 12345678901234567890.10, "at": "2024-06-01T10:00:00"}',
    ]


def parquet(**values: object) -> bytes:
    rows = [
        json.loads(row, parse_float=str) | {"amount": amount} | values
        for row, amount in zip(json_rows(), ("1.50", "12345678901234567890.10"), strict=True)
    ]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("name", contracts())
def test_an_empty_file_of_an_unknown_day_is_refused(name: str) -> None:
    assert judged(contract(name), io.BytesIO(), "file.csv", None, "").refused


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (GOOD.encode(), ".csv"),
        (GOOD.replace("\n", "\r\n").encode("utf-8-sig"), ".csv"),
        (GOOD.encode("utf-16"), ".csv"),
        (gzip.compress(GOOD.encode()), ".csv.gz"),
        (zstd(GOOD.encode()), ".csv.zst"),
        (gzip.compress(GOOD.encode()), ".csv"),
        ("\n".join(json_rows()).encode(), ".jsonl"),
        (f"[{','.join(json_rows())}]".encode(), ".json"),
        (f'{{"total": 2, "next": null, "data": [{",".join(json_rows())}]}}'.encode(), ".json"),
        (parquet(), ".parquet"),
        (parquet(), ""),
        (zstd("\n".join(json_rows()).encode()), ""),
    ],
    ids=without_bytes,
)
def test_a_good_file_is_accepted_in_every_format(judge: Judge, content: bytes, suffix: str) -> None:
    status, verdict = judge(content, f"orders_2024-06-01{suffix}")
    assert (status, verdict["sample"], verdict["changes"]) == (0, ACCEPTED, None), verdict
    assert verdict["dataset"] == "orders_data"


def test_rejected_rows_name_line_field_value_and_rule(judge: Judge) -> None:
    bad = "x,1,,,2024-06-01\n5,-1,B,call me,2024-06-01\n6,-1,A1,,2024-06-01\n7,1,,,2024-06-02 09:00:00\n"
    status, verdict = judge(GOOD + bad + "8,1,,,2024-06-01\n9,1,,,2024-06-01\n")
    assert status == 3
    assert verdict["rows"] == {"read": 8, "accepted": 5, "rejected": 3}
    file = str(judge.folder / "orders_2024-06-01.csv")
    rejected = [(row["line"], row["field"], row["value"], row["rule"]) for row in verdict["rejected"]]
    assert rejected == [
        (4, "id", "x", "must be a finite number"),
        (5, "phone", None, "must match [0-9]+"),
        (7, "at", "2024-06-02 09:00:00", "must lie on 2024-06-01, the requested day"),
    ]
    assert {row["file"] for row in verdict["rejected"]} == {file}
    assert "call me" not in json.dumps(verdict)
    assert "555" not in json.dumps(verdict)


def test_rows_that_belong_together_are_rejected_together(judge: Judge) -> None:
    (judge.folder / "orders.yaml").write_text(YAML.replace("key: [id]", "key: [id]\ntogether: [note]"))
    rows = "5,-1,B,,2024-06-01\n6,1,B,,2024-06-01\n7,1,C,,2024-06-01\n"
    status, verdict = judge(GOOD + rows)
    assert (status, verdict["rows"]) == (3, {"read": 5, "accepted": 3, "rejected": 2})
    assert [row["id"] for row in verdict["sample"]] == ["1", "9007199254740993", "7"]
    assert [(row["line"], row["field"], row["value"], row["rule"]) for row in verdict["rejected"]] == [
        (4, "amount", "-1", "must be at least 0 unless note starts with A"),
        (5, "note", "B", "its group has a rejected row"),
    ]


def test_a_repeated_key_refuses_the_file_if_it_refuses_the_load() -> None:
    dataset = Dataset("numbers", (Column("id", "bigint"),), key=("id",))
    file = io.BytesIO(b"id,other\n1,x\n2,x\n2,x\n3,x\n")
    for declared in (dataset, replace(dataset, duplicates="reject")):
        preview = judged(FileContract(declared, max_bad_share=0.9), file, "numbers.csv", None)
        assert (preview.rows.accepted, preview.rows.rejected) == (3, 1)
        assert (preview.refused.line if preview.refused else None) == (4 if declared is dataset else None)


def test_a_row_with_too_few_fields_is_rejected(judge: Judge) -> None:
    status, verdict = judge(GOOD + "1,2\n")
    assert (status, verdict["rows"]["rejected"]) == (3, 1)
    assert verdict["rejected"][0] | {"file": ""} == {
        "file": "", "line": 4, "field": None, "value": None, "rule": "has 2 fields, the header 5",
    }  # fmt: skip


def test_too_many_rejected_rows_refuse_the_file(judge: Judge) -> None:
    status, verdict = judge(GOOD + "x,1,,,2024-06-01\n" * 200)
    assert status == 4
    refused = verdict["refused"]
    assert {name: refused[name] for name in ("line", "byte", "field", "value", "rule")} == {
        "line": 4, "byte": None, "field": "id", "value": "x", "rule": "must be a finite number",
    }  # fmt: skip
    assert "200 of 202 rows are invalid (99.0%); allowed: 50.0%. The first: line 4: id" in refused["message"]
    assert len(verdict["rejected"]) == 100


def test_copies_and_contradictions_are_rejected(judge: Judge) -> None:
    status, verdict = judge(GOOD + "3,1,,,2024-06-01\n" * 2 + "1,1,,,2024-06-01\n")
    assert (status, verdict["rows"]) == (4, {"read": 5, "accepted": 2, "rejected": 3})
    assert [row["line"] for row in verdict["rejected"]] == [2, 5, 6]


@pytest.mark.parametrize(
    ("content", "name", "line", "byte", "message"),
    [
        (b"", "a.csv", None, 0, "is empty"),
        (GOOD.encode("latin-1") + b"5,1,\xe9,,2024-06-01\n", "a.csv", 4, len(GOOD) + 4, "isn't utf-8"),
        (gzip.compress(GOOD.encode() * 100)[:-9], "a.csv.gz", None, None, "truncated or damaged"),
        (b"id,amount\n1,2\n", "a.csv", 1, None, "the header has 0 columns 'ID'"),
        (b'{"error": "No such day."}', "a.json", 1, None, "No such day."),
        (b'[{"ID": 1}', "a.json", 1, None, "isn't valid JSON"),
        (b'{"ID": 1}\n{"I', "a.jsonl", 2, None, "isn't valid JSON"),
        (b"PAR1 and nothing else", "a.parquet", None, None, "can't be read as Parquet"),
        (parquet(note=b"\xff\x00"), "a.parquet", None, None, "'note': bytes; write text with the type STRING"),
        (GOOD.encode() + b'5,1,"no end', "a.csv", 4, None, "can't be read further"),
        (GOOD.encode() + b"5,1," + b"x" * 2**21 + b",,2024-06-01\n", "a.csv", 4, None, "line 4"),
        (os.urandom(5000) + b"\xff", "a.bin", None, None, ""),
        (b"\0" * 5000, "a", None, None, ""),
    ],
    ids=without_bytes,
)
def test_an_unreadable_file_is_refused_with_its_place(
    judge: Judge, content: bytes, name: str, line: int | None, byte: int | None, message: str
) -> None:
    status, verdict = judge(content, name)
    assert status == 4
    assert message in verdict["refused"]["message"]
    if line is not None:
        assert verdict["refused"]["line"] == line
    if byte is not None:
        assert verdict["refused"]["byte"] == byte


def test_without_a_day_the_rows_may_be_of_any(judge: Judge) -> None:
    status, verdict = judge(GOOD.replace("2024-06-01 10", "2023-01-01 10"), "orders.csv")
    assert status == 0
    assert "day" not in verdict["sample"][0]
    status, verdict = judge(GOOD, "orders.csv", "--date", "2024-06-02")
    assert (status, verdict["refused"]["field"]) == (4, "at")


def test_what_is_no_verdict_has_status_1(judge: Judge, tmp_path: Path) -> None:
    good = str(tmp_path / "orders_2024-06-01.csv")
    assert judge(GOOD)[0] == 0
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "bad.yaml").write_text("name: [")
    for source, file, message in (
        ("nothing", good, "is neither the path of a source's YAML nor one of: customer_report"),
        (str(tmp_path / "no.yaml"), good, "no.yaml: can't be read"),
        (str(tmp_path / "bad.yaml"), good, "isn't valid YAML"),
        (str(judge.yaml), str(tmp_path / "none.csv"), "No such file"),
        (str(judge.yaml), str(tmp_path), "is not a regular file"),
        (str(judge.yaml), str(pipe), "is not a regular file"),
        (str(judge.yaml), "ftp://x/a.csv", "isn't a path, or a URL like"),
        (str(judge.yaml), "HTTP://127.0.0.1:9/a.csv", "127.0.0.1"),
        (str(judge.yaml), "a\0b", "null"),
        (str(judge.yaml), "", ""),
    ):
        status, error = judge.run("--source", source, "--file", file)
        assert (status, message in error) == (1, True), (source, file, error)
    for options in ([], ["--source", "x"], ["--source", "x", "--file", good, "--date", "2024-02-30"], ["--colour"]):
        assert judge.run(*options)[0] == 1


def test_a_source_that_is_invalid_is_found_by_its_name_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(contracts_module, "FOLDER", tmp_path)
    (tmp_path / "orders.yaml").write_text("name: orders\ncolour: red\n")
    with pytest.raises(SourceError, match=r"orders\.yaml:2: colour: unknown field"):
        contract("orders")


def test_a_contract_is_found_by_its_name() -> None:
    assert contract("weather_data").dataset.name == "weather_data"
    assert {"weather_data", *RECORDED} <= contracts().keys()
    with pytest.raises(ConfigurationError):
        contract("no")


RECORDED = {
    name: file
    for name, file in {
        "retail_lines": "retail/online_retail_2010-12-20.csv",
        "titanic": "titanic/train.csv",
        "wine": "wine_quality/winequality-white.csv",
    }.items()
    if (REPOSITORY / "include/domains" / name.partition("_")[0]).is_dir()  # examples can be removed
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_files_are_accepted(judge: Judge, name: str) -> None:
    status, verdict = judge.run("--source", name, "--file", str(REPOSITORY / "include/data" / RECORDED[name]))
    assert (status, verdict["rejected"]) == (0, [])


def test_what_the_model_needs_of_the_whole_file_is_checked(judge: Judge) -> None:
    header, *rows = (REPOSITORY / "include/data/titanic/train.csv").read_text().splitlines()
    dead = [row for row in rows if row.split(",")[1] == "0"]
    (judge.folder / "dead.csv").write_text("\n".join([header, *dead]))
    status, verdict = judge.run("--source", "titanic", "--file", str(judge.folder / "dead.csv"))
    assert (status, "both outcomes are needed" in verdict["refused"]["message"]) == (4, True)


CELLS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["1", "1e999", "NaN", "-0", "9" * 40, "2024-06-01", "0001-01-01", "9999-12-31T23:59:59", '"', "\0", "\ud800"]
    ),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | CELLS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CELLS, inner, max_size=3),
    max_leaves=8,
)
FILES = st.one_of(
    st.tuples(st.sampled_from(["a.csv", "a.json", "a.jsonl", "a.parquet", "a"]), st.binary(max_size=300)),
    st.lists(st.lists(CELLS, min_size=5, max_size=5), max_size=6).map(
        lambda rows: (
            "a.csv",
            "\n".join(["ID,amount,note,phone,at", *(",".join(row) for row in rows)]).encode("utf-8", "surrogatepass"),
        )
    ),
    st.lists(st.fixed_dictionaries({"ID": VALUES, "amount": VALUES, "at": VALUES}), max_size=6).map(
        lambda rows: ("a.json", json.dumps(rows).encode())
    ),
    st.tuples(st.just("a.csv.gz"), st.binary(max_size=100).map(lambda end: gzip.compress(GOOD.encode())[:-8] + end)),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=FILES)
def test_no_file_ends_in_a_traceback(judge: Judge, file: tuple[str, bytes]) -> None:
    name, content = file
    assert judge(content, name)[0] in {0, 3, 4}


def test_a_command_that_is_interrupted_says_so(tmp_path: Path) -> None:
    (tmp_path / "orders.yaml").write_text(YAML)
    file = tmp_path / "orders.csv"
    with file.open("w") as target:
        target.write(GOOD)
        target.writelines(f'{number},1,"{number}\n",,2024-06-01\n' for number in range(300_000))
    code = (  # a shell starts background jobs with SIGINT ignored
        "import signal, sys; from include.command import main;"
        "signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(main())"
    )
    command = [sys.executable, "-c", code, "preview", "--source", str(tmp_path / "orders.yaml"), "--file", str(file)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=-1, stderr=-1, text=True)
    running = psutil.Process(process.pid)
    while process.poll() is None and str(file.resolve()) not in {opened.path for opened in running.open_files()}:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate()
    assert (process.returncode, out, error) == (1, "", "interrupted\n")
