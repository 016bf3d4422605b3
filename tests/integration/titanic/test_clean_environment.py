"""A saved model in an environment that has only the requirements that it records."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.state import REPOSITORY
from tests.unit.ml.test_standalone import ask, check, save

UV = Path(sys.executable).with_name("uv")


@pytest.mark.weekly  # downloads two hundred megabytes, unless uv has them in its cache
def test_a_model_answers_in_an_environment_of_its_own(tmp_path: Path) -> None:
    folder, elsewhere, environment = tmp_path / "model", tmp_path / "elsewhere", tmp_path / "environment"
    elsewhere.mkdir()
    model = save(folder, "soft_vote")
    python = environment / "bin" / "python"
    install = ["pip", "install", "--quiet", "--python", str(python), "-r", str(folder / "requirements.txt")]
    for command in (["venv", "--quiet", "--python", sys.executable, str(environment)], install):
        done = subprocess.run([UV, *command], env=dict(os.environ), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert not list(environment.rglob("airflow"))
    assert str(REPOSITORY) not in subprocess.check_output([python, "-c", "import sys; print(sys.path)"], text=True)
    check(ask(str(python), folder, elsewhere), model, folder)
