"""What runs in continuous integration: fixed actions, and a scan for secrets that leaves out no source."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
COMMAND = 'BashOperator(task_id="load", bash_command="psql", env={"PGPASS' + 'WORD": "tweet-1234"})\n'


@pytest.mark.parametrize("workflow", sorted((ROOT / ".github" / "workflows").iterdir()), ids=lambda path: path.stem)
def test_actions_are_pinned_to_commits(workflow: Path) -> None:
    actions = re.findall(r"uses: (.+)", workflow.read_text(encoding="utf-8"))
    assert actions
    assert [a for a in actions if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", a)] == []


@pytest.mark.parametrize("name", ["include/core/cache.py", "tests/integration/cache/test_cache.py", "dags/load.py"])
def test_a_secret_in_any_source_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)
    shutil.copy(ROOT / ".secrets.baseline", tmp_path)
    Path(name).parent.mkdir(parents=True)
    Path(name).write_text(COMMAND, encoding="utf-8")
    scan = Path(sys.executable).with_name("detect-secrets-hook")
    process = subprocess.run(
        [scan, "--baseline", ".secrets.baseline", name], capture_output=True, text=True, check=False
    )
    assert process.returncode == 1
    assert f"{name}:1" in process.stdout
