"""The environment of the embedded Airflow.

It sets the values that differ between deployments, as declared in ``include.settings``.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote, urlencode

import requests

from devstack import spark
from devstack.errors import StackError, UsageError
from devstack.kubeconfig import kube_config
from devstack.postgres import SUPERUSER, WAREHOUSE, Postgres
from devstack.process import inherited_environment
from devstack.state import REPOSITORY, STATE_VARIABLE, State
from devstack.webhook import WEBHOOK_PATH
from include.core.extras import NESTED
from include.core.ml.tracking_server import PIPELINE
from include.core.settings import OBJECT_STORAGE, POSTGRES
from include.core.storage import url_of
from include.settings import CONNECTIONS, ENVIRONMENT

ADMIN = "admin"
AUTH_MANAGER = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
LIVE_WEATHER = "https://api.open-meteo.com"
PREFERRED_UI_PORT = 8080
REMOVED_PREFIXES = ("AIRFLOW_", "AWS_", "MLFLOW_", "PG")


class Upstream(StrEnum):
    """The weather pipeline's upstream: Open-Meteo itself, or the bundled server with recorded data."""

    LIVE = "live"
    REPLAY = "replay"

    @classmethod
    def from_environment(cls) -> Upstream:
        """Return the upstream in ``$SPELLBOOK_UPSTREAM``; ``auto`` means live if Open-Meteo responds within 2 s.

        Raises:
            StackError: if the value is not allowed.
        """
        requested = os.environ.get("SPELLBOOK_UPSTREAM") or "auto"
        if requested in set(cls):
            return cls(requested)
        if requested != "auto":
            raise UsageError(f"SPELLBOOK_UPSTREAM={requested} is not one of {', '.join(cls)}, auto")
        try:
            parameters = {"latitude": "0", "longitude": "0"}
            requests.get(f"{LIVE_WEATHER}/v1/forecast", params=parameters, timeout=2).raise_for_status()
        except requests.RequestException:
            return cls.REPLAY
        return cls.LIVE


def connections(state: State, upstream: Upstream) -> dict[str, str]:
    """Return ``AIRFLOW_CONN_*`` for each declared connection, pointing at the stack's service.

    One without fields here gets the URL of its service.
    """
    fields: dict[str, dict[str, object]] = {
        "postgres_default": {
            "host": "127.0.0.1",
            "port": state.port("postgres"),
            "login": SUPERUSER,
            "password": state.secret("postgres"),
            "schema": WAREHOUSE,
        },
        "weather_default": (
            {"host": LIVE_WEATHER}
            if upstream is Upstream.LIVE
            else {"host": local_url(state, "upstreams"), "extra": {"archive_host": local_url(state, "upstreams")}}
        ),
        "aws_default": {
            "login": "spellbook",
            "password": state.secret("s3"),
            "extra": {"endpoint_url": local_url(state, "s3"), "region_name": "us-east-1"},
        },
        "slack_default": {"password": local_url(state, "slack") + WEBHOOK_PATH.format(key=state.secret("slack"))},
        "smtp_default": {
            "host": "127.0.0.1",
            "port": state.port("smtp"),
            "extra": {"disable_ssl": True, "disable_tls": True, "from_email": "spellbook@localhost"},
        },
        "mlflow_default": {
            "host": local_url(state, "mlflow"),
            "login": PIPELINE,
            "password": state.secret(f"mlflow-{PIPELINE}"),
        },
        "metadata_default": {
            "host": "127.0.0.1",
            "port": state.port("postgres"),
            "login": SUPERUSER,
            "password": state.secret("postgres"),
            "schema": "airflow",
        },
        "spark_default": {"host": "local[*]"},
        "kubernetes_default": {
            "extra": {
                "namespace": "spellbook",
                "kube_config": kube_config(local_url(state, "kubernetes_double"), state.secret("kubernetes_double")),
            }
        },
    }
    return {
        declared.variable: declared.to_json(
            **fields.get(declared.conn_id) or {"host": local_url(state, declared.service)}
        )
        for declared in CONNECTIONS
    }


def airflow(state: State, upstream: Upstream, *, schedule: bool) -> dict[str, str]:
    """Return the environment of every Airflow process.

    ``schedule`` tells whether timetables and assets start runs, or only ``make run`` does.
    """
    api = local_url(state, "api", preferred=PREFERRED_UI_PORT)
    database = Postgres.of(state)
    storage = url_of(state.root / "storage")
    return (
        process_environment()
        | spark.environment(process_environment()["PATH"])
        | connections(state, upstream)
        | {
            STATE_VARIABLE: str(state.root),
            "AIRFLOW_HOME": str(state.airflow_home),
            "AIRFLOW_CONFIG": str(REPOSITORY / "airflow.cfg"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "5",
            "AIRFLOW__CORE__FERNET_KEY": state.fernet_key(),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{api}/execution/",
            "AIRFLOW__CORE__AUTH_MANAGER": AUTH_MANAGER,
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(state.root / "passwords.json"),
            "AIRFLOW__API_AUTH__JWT_SECRET": state.secret("jwt"),
            "AIRFLOW__API__SECRET_KEY": state.secret("api"),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(state.port("api")),
            "AIRFLOW__API__BASE_URL": api,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": f"{storage}/xcom",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.uri("airflow", "postgresql+psycopg2"),
            # Generous for a busy machine; a file that hangs is still reported.
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
            "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "150",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            # A changed file is still parsed at once; the keeper requests all when a file that they read changes.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(state.airflow_home / "logs"),
            "AIRFLOW__METRICS__STATSD_ON": "False",
            "AIRFLOW__OPENLINEAGE__EXECUTION_TIMEOUT": "25",  # a file always answers, at times slowly
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
                {
                    "type": "transform",
                    "transformer_class": "spellbook.lineage.WithoutData",
                    "transport": {"type": "file", "log_file_path": str(state.lineage), "append": True},
                }
            ),
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",  # its server would listen on every interface
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": str(schedule),
        }
        | {
            key.name: value
            for key in ENVIRONMENT
            if (value := os.environ.get(key.name) or (storage if key == OBJECT_STORAGE else key.embedded))
        }
    )


def connection_uri(connection: str) -> str:
    """Return the URI of a connection that is given as ``AIRFLOW_CONN_…`` may be: as JSON, or as a URI already.

    Raises:
        StackError: if it is neither; the message doesn't show it.
    """
    if "://" in connection and not connection.lstrip().startswith("{"):
        return connection
    try:
        fields = json.loads(connection)
        extra = fields.get("extra") or {}
        login, password, host, schema = (
            quote(str(fields.get(name) or ""), safe="") for name in ("login", "password", "host", "schema")
        )
        port = f":{int(fields['port'])}" if fields.get("port") else ""
        query = urlencode({NESTED: extra if isinstance(extra, str) else json.dumps(extra)})
        return f"{fields['conn_type']}://{login}:{password}@{host}{port}/{schema}?{query}"
    except (AttributeError, KeyError, TypeError, ValueError):
        raise StackError(
            f"{POSTGRES.variable} is neither a URI nor JSON such as {POSTGRES.to_json(host='…')}"
        ) from None


def process_environment() -> dict[str, str]:
    """Return the base environment of every service: the caller's, without variables that point at other servers."""
    values = {
        name: value
        for name, value in inherited_environment().items()
        if not name.startswith(REMOVED_PREFIXES) and name not in {"PYTHONDONTWRITEBYTECODE", "PYTHONHOME"}
    }
    values["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{values.get('PATH', os.defpath)}"
    values["PYTHONPATH"] = os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "plugins")))
    # On macOS this also keeps urllib from calling Apple's frameworks, which would crash a forked process.
    direct = ",".join(
        filter(None, ("127.0.0.1", "localhost", os.environ.get("no_proxy") or os.environ.get("NO_PROXY")))
    )
    values |= {"NO_PROXY": direct, "no_proxy": direct}
    if sys.platform == "darwin":
        values["OBJC_DISABLE_INITIALIZE_FORK_SAFETY"] = "YES"
    return values


def local_url(state: State, service: str, preferred: int = 0) -> str:
    """Return the URL of one of the stack's HTTP servers."""
    return f"http://127.0.0.1:{state.port(service, preferred)}"


def get_local(url: str, timeout: float) -> requests.Response:
    """Send a ``GET`` to one of the stack's own servers, bypassing proxies."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=timeout)


def fingerprint(environment: Mapping[str, str]) -> str:
    """Return digests, as JSON, of what Airflow's processes load once: a change means that they must be restarted.

    DAG files and what they import are reloaded for each parse and each task, and need no restart.
    """
    parts = {name: environment[name].encode() for name in environment if name.startswith(("AIRFLOW", "SPELLBOOK"))}
    parts |= {path.relative_to(REPOSITORY).as_posix(): path.read_bytes() for path in loaded_once(REPOSITORY)}
    return json.dumps({name: digest(parts[name]) for name in sorted(parts)})


def digest(content: bytes) -> str:
    """Return a short digest, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()[:16]


def changed_names(before: str, after: str) -> list[str]:
    """Return the environment variables and files that differ between two fingerprints."""
    old, new = json.loads(before or "{}"), json.loads(after)
    return [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]


def loaded_once(repository: Path) -> Iterable[Path]:
    """Yield the files that long-lived Airflow processes load: configuration, cluster policies, plugins."""
    yield from (repository / name for name in ("airflow.cfg", "requirements/dev.txt"))
    for folder, pattern in (
        ("include", "*.py"),
        ("include/core", "*.py"),
        ("include/domains", "*/settings.py"),
        ("include/ops/alerts", "**/*.py"),
        ("include/ops/health", "*.py"),
        ("plugins", "**/*.py"),
    ):
        yield from sorted((repository / folder).glob(pattern))
