"""What the planted DAGs do with the inputs: the same calls as the DAGs of this repository."""

from __future__ import annotations

import datetime as dt
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import Connection, ObjectStoragePath

from include.core.dag import storage_root, warehouse_uri
from include.core.errors import ForbiddenAddressError, PermanentError, TransientUpstreamError
from include.core.storage import handoff_folder, write
from tests.integration.hostile.inputs.files import MODELS
from tests.integration.hostile.inputs.responses import RESPONSES

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.core.sources.model import Source

DAY = dt.date(2024, 6, 1)
DAG_ID = "hostile_inputs"
LARGEST = 1_000_000
SOURCE = {
    "name": "hostile",
    "description": "Hostile rows.",
    "owner": "me",
    "schedule": "0 6 * * *",
    "start_date": "2024-01-01",
    "key": ["id"],
    "max_bad_share": 0.5,
    "columns": {
        "id": {"type": "integer"},
        "text": {"type": "text", "nullable": True},
        "amount": {"type": "decimal", "nullable": True},
    },
    "history": {"off": "each input is another table"},
    "limits": {"rows": 20, "page_size": 10, "megabytes": 1},
}

log = logging.getLogger(__name__)


def echo(rendered: str, run: Any) -> dict[str, Any]:
    """Log the conf, return it, and write it to the run's folder; fail with the text ``fail`` if there is one."""
    log.info("%s", run.conf)
    content = {"run_id": run.run_id, "conf": run.conf, "rendered": rendered}
    write(handoff_folder(storage_root(), run.dag_id, run.run_id) / "echo.json", json.dumps(content).encode())
    if text := run.conf.get("fail"):
        raise PermanentError(text)
    return dict(run.conf)


def read(step: str, names: list[str]) -> dict[str, str]:
    """Return the outcome of each input: ``loaded``, or the error's class.

    An error that isn't one of this repository's own isn't caught.
    """
    action: Callable[[str], None] = {
        "urls": read_url,
        "responses": load_response,
        "files": load_file,
        "models": load_model,
    }[step]
    with ThreadPoolExecutor(8 if step == "responses" else 1) as pool:
        return dict(zip(names, pool.map(partial(_outcome, action), names), strict=True))


def _outcome(action: Callable[[str], None], name: str) -> str:
    try:
        action(name)
    except (PermanentError, TransientUpstreamError, FileNotFoundError) as error:
        log.exception("%s", name[:50])
        return "Forbidden" if isinstance(error, ForbiddenAddressError) else type(error).__name__
    except Exception as error:
        log.exception("%s", name[:50])
        return f"unexpected: {type(error).__name__}"
    return "loaded"


def read_url(url: str) -> None:
    """Open what a run's conf names, and log how much it is."""
    from include.core.input_files import allowed, opened

    with opened(allowed("param passengers", url, storage_root()), LARGEST, ObjectStoragePath) as file:
        log.info("%s: %d bytes", url, len(file.read()))


def load_response(name: str) -> None:
    """Load a day from an API whose answer has this name."""
    from include.core.sources import pipeline
    from include.core.sources.client import SourceClient

    source = _source(path="/responses")
    uri = warehouse_uri("postgres_default")
    client = SourceClient.of(Connection.get("sources_default"), source, uri)
    # In one try, and without the rate limit, which an answer with Retry-After raises for all others.
    api = replace(client.api, limits=replace(client.api.limits, deadline=10, backoff=60), limiter=None)
    client = replace(client, api=api, base=f"{client.base}/{quote(name)}")
    day = DAY + dt.timedelta(days=list(RESPONSES).index(name))  # they are loaded at the same time
    _load(source, pipeline.extract(client, storage_root(), [day], name), uri)


def load_file(name: str) -> None:
    """Load a day from a file in a folder of this name."""
    from include.core.sources import pipeline

    source = _source(files={"folder": f"hostile/{name}", "name": "{day}*"})
    files = pipeline.extract_files(source, storage_root(), [DAY], name, ObjectStoragePath)
    _load(source, files, warehouse_uri("postgres_default"))


def load_model(name: str) -> None:
    """Load a model whose file has this name."""
    from include.core.ml import artifact

    content = MODELS[name]
    artifact.load(content, artifact.digest(content), [], name)


def _source(**where: Any) -> Source:
    from include.core.sources.model import Source

    return Source.model_validate(SOURCE | where)


def _load(source: Source, files: list[str], uri: str) -> None:
    from include.core.sources import pipeline
    from include.core.warehouse.attempt import Attempt

    raw = [ObjectStoragePath(file) for file in pipeline.process(source, [ObjectStoragePath(file) for file in files])]
    pipeline.check(source, raw)
    pipeline.load(source, raw, uri, Attempt(DAG_ID, "read", raw[0].name, 1))
