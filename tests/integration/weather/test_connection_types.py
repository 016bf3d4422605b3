"""Airflow finds our connection types: in a separate process, since discovery happens once per process."""

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
metadata = {meta.connection_type: meta.model_dump(mode="json") for meta in HookMetaService.hook_meta_data()}
hooks = ProvidersManagerTaskRuntime().hooks
ours = ("open_meteo", "openweathermap")
print(json.dumps({name: metadata[name] | {"hook": hooks[name].hook_class_name} for name in ours}))
"""


@pytest.fixture(scope="module")
def connection_types(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the connection form and the workers know, with ``plugins/`` in ``PYTHONPATH``."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
    environment = inherited | {
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "plugins"))),
    }
    process = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert process.returncode == 0, process.stderr
    assert "warning" not in process.stderr.lower()
    output: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return output


def test_the_form_of_open_meteo(connection_types: dict[str, Any]) -> None:
    form = connection_types["open_meteo"]
    assert form["hook_name"] == "Open-Meteo"
    assert form["hook"] == form["hook_class_name"] == "spellbook.hooks.weather.OpenMeteoHook"
    assert form["standard_fields"]["host"]["placeholder"] == "api.open-meteo.com"
    assert form["standard_fields"]["login"]["hidden"] is True
    assert form["extra_fields"]["archive_host"]["schema"]["title"] == "Archive host"


def test_the_form_of_openweathermap(connection_types: dict[str, Any]) -> None:
    form = connection_types["openweathermap"]
    assert form["hook_name"] == "OpenWeatherMap"
    assert form["hook"] == form["hook_class_name"] == "spellbook.hooks.weather.OpenWeatherMapHook"
    assert form["standard_fields"]["password"]["title"] == "API key"
