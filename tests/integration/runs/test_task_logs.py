"""What a task says is in its own log only, and only this user can read that."""

from __future__ import annotations

import shutil
from pathlib import Path

from devstack.airflow_daemons import NAMES, log_of
from devstack.stack import Stack
from tests.integration.runs.conftest import Make
from tests.unit.devstack.test_state import readable_by_others

WORDS = "sesame-3003"


def test_a_tasks_log_is_not_copied_and_has_no_secret(stack: Stack, make_run: Make) -> None:
    shutil.copy(Path(__file__).parent / "planted" / "talking.py", stack.dags)
    result = make_run("talking")
    assert result.good, result.text
    [log] = (stack.state.airflow_home / "logs").glob("dag_id=talking/**/*.log")
    text = log.read_text()
    for said in ("logged ***", "printed ***", "passed on ***"):
        assert said in text
    for name in NAMES:
        component = log_of(stack.state, name).read_text(errors="replace")
        assert WORDS not in component
        assert "passed on" not in component
    written = [Path(path) for path in readable_by_others(stack.state.root) if Path(path).name != "wines"]
    assert [path for path in written if path.is_dir() or (path.parent.name != "wines" and path.read_bytes())] == []
