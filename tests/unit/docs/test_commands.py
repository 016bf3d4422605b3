"""The exit codes and JSON documents of the commands are documented as they are."""

from __future__ import annotations

import json
import re

import pytest
from pydantic import BaseModel

from devstack.exits import Exit
from devstack.run_document import RunDocument
from devstack.state import REPOSITORY
from devstack.status import StatusDocument

DOCS = REPOSITORY / "docs"


def test_every_exit_code_is_documented() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", (DOCS / "commands.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {name: int(code) for code, name in rows} == {code.name: code.value for code in Exit}


@pytest.mark.parametrize(("name", "model"), [("run", RunDocument), ("status", StatusDocument)])
def test_the_documented_schema_is_that_of_the_model(name: str, model: type[BaseModel]) -> None:
    schema = json.loads((DOCS / f"{name}.schema.json").read_text(encoding="utf-8"))
    assert model.model_json_schema(mode="serialization") == schema
