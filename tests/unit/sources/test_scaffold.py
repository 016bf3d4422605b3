"""A new source has a file that loads, and a test that passes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from include.core.sources.errors import SourceError
from include.core.sources.files import load_source
from include.core.sources.scaffold import ROOT, new_source


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("include/domains/sources", "tests/unit/sources"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def test_a_new_source(root: Path) -> None:
    config, test = new_source("refunds", root)
    assert load_source(config).dag_id == "process_refunds_data"
    with pytest.raises(FileExistsError, match=r"include/domains/sources/refunds\.yaml already exists"):
        new_source("refunds", root)
    code = (
        "import sys, pathlib, pytest, include.domains.sources as sources;"
        f"sources.FOLDER = pathlib.Path({str(config.parent)!r});"
        f"sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', {str(test)!r}]))"
    )
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr


@pytest.mark.parametrize("name", ["../evil", "Big", "a b", "", "9lives"])
def test_an_invalid_name_is_refused_and_nothing_is_written(root: Path, name: str) -> None:
    before = sorted(root.rglob("*"))
    with pytest.raises(SourceError, match="name: "):
        new_source(name, root)
    assert sorted(root.rglob("*")) == before
