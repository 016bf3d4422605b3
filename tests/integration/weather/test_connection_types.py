"""Airflow finds our connection types: in a process of its own, since discovery happens once in a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
ASK = """
import json, warnings
warnings.simplefilter("error")
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime
found = {meta.connection_type: meta.model_dump(mode="json") for meta in HookMetaService.hook_meta_data()}
hooks = ProvidersManagerTaskRuntime().hooks
ours = ("open_meteo", "openweathermap")
print(json.dumps({name: found[name] | {"hook": hooks[name].hook_class_name} for name in ours}))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the connection form and the workers know, with ``plugins/`` in ``PYTHONPATH``."""
    foreign = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
    environment = foreign | {
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "plugins"))),
    }
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr.lower()
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_the_form_of_open_meteo(found: dict[str, Any]) -> None:
    form = found["open_meteo"]
    assert form["hook_name"] == "Open-Meteo"
    assert form["hook"] == form["hook_class_name"] == "spellbook.hooks.open_meteo.OpenMeteoHook"
    assert form["standard_fields"]["host"]["placeholder"] == "api.open-meteo.com"
    assert form["standard_fields"]["login"]["hidden"] is True
    assert form["extra_fields"]["archive_host"]["schema"]["title"] == "Archive host"


def test_the_form_of_openweathermap(found: dict[str, Any]) -> None:
    form = found["openweathermap"]
    assert form["hook_name"] == "OpenWeatherMap"
    assert form["hook"] == form["hook_class_name"] == "spellbook.hooks.openweathermap.OpenWeatherMapHook"
    assert form["standard_fields"]["password"]["title"] == "API key"
