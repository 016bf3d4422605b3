"""Types for what a deployment provides, and the declarations that belong to no domain.

Every Airflow process imports this module through the cluster policies: keep it free of heavy imports.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from include.core.storage import url_of


@dataclass(frozen=True)
class Connection:
    """An Airflow connection.

    ``service`` names the service behind it in the embedded stack; ``optional`` ones may be missing in production.
    """

    conn_id: str
    conn_type: str
    service: str
    doc: str
    optional: bool = False

    @property
    def variable(self) -> str:
        """Name of the environment variable that Airflow reads this connection from."""
        return f"AIRFLOW_CONN_{self.conn_id.upper()}"

    def to_json(self, **fields: object) -> str:
        """Value for :attr:`variable`: Airflow's JSON form (``host``, ``port``, ``password``, ``extra``, …)."""
        return json.dumps({"conn_type": self.conn_type} | fields)


@dataclass(frozen=True)
class Pool:
    """An Airflow pool; ``slots`` bounds how many of its tasks run at once."""

    name: str
    slots: int
    doc: str


@dataclass(frozen=True)
class Queue:
    """An executor queue; a worker must be configured to serve it."""

    name: str
    doc: str


@dataclass(frozen=True)
class ModelFiles:
    """A folder of object storage with files of models, which nothing reads once their run has ended.

    ``runs`` is the glob pattern of a run's own folder below it.
    """

    folder: str
    runs: str = "*"


@dataclass(frozen=True)
class EnvironmentKey:
    """An environment variable; unset or empty means ``default``, and in the embedded stack ``embedded``."""

    name: str
    default: str
    doc: str
    embedded: str = ""

    def read(self) -> str:
        """Return the value in force."""
        return os.environ.get(self.name) or self.default

    def read_bool(self) -> bool:
        """Return the value in force as a boolean.

        Raises:
            ValueError: if it is neither true nor false.
        """
        value = self.read()
        if value not in {"true", "false"}:
            raise ValueError(f"{self.name}={value!r} is neither true nor false")
        return value == "true"


POSTGRES = Connection(
    "postgres_default", "postgres", "postgres", "The warehouse that DAGs load into; never Airflow's own database."
)
SOURCES = Connection(
    "sources_default",
    "http",
    "upstreams",
    "API of the sources in include/domains/sources; extra: headers.",
)
AWS = Connection("aws_default", "aws", "s3", "Object storage and SageMaker.", optional=True)
SLACK = Connection(
    "slack_default", "slackwebhook", "sinks", "Incoming webhook that alerts are posted to.", optional=True
)
SMTP = Connection("smtp_default", "smtp", "sinks", "Mail server that alerts are sent through.", optional=True)
METADATA = Connection(
    "metadata_default",
    "postgres",
    "postgres",
    "Airflow's own database, for maintenance; only for deployments in which workers may access it.",
    optional=True,
)
MLFLOW = Connection("mlflow_default", "http", "mlflow", "MLflow tracking server.", optional=True)
MODEL_SERVER = Connection(
    "model_server_default", "http", "model_server", "Model server, `python -m include.core.ml.serving`.", optional=True
)
MONITORING = ModelFiles("monitoring", "day=*/*")
DEFAULT_POOL = Pool("default_pool", 32, "Airflow's own; tasks without a pool.")
SOURCE_API = Pool(
    "source_api", 8, "Calls to the sources' APIs at once; the calls per minute are bounded by the rate limiter."
)
DATABASE_ACCESS = Pool("database_access", 5, "Loads into the warehouse at once.")
CPU_BOUND_POOL = Pool("cpu_bound_pool", 2, "Tasks that keep a core busy.")
DEFAULT_QUEUE = Queue("default", "Tasks without a queue.")
STRICT_MODE = EnvironmentKey(
    "SPELLBOOK_STRICT",
    "false",
    "true: a DAG without owner, known tags and doc_md is refused when it is parsed; false: it runs, with a note.",
)
OBJECT_STORAGE = EnvironmentKey(
    "SPELLBOOK_OBJECT_STORAGE",
    url_of(Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "storage"),
    "URL under which DAGs keep files and frames: file:///… on one machine, s3://aws_default@bucket/… for many workers."
    " Nothing in it is percent-encoded.",
)
SOURCE_FOLDERS = EnvironmentKey(
    "SPELLBOOK_SOURCE_FOLDERS",
    "",
    "Folders and URLs (/data/in, s3://aws_default@bucket/in), comma-separated, in which a source's YAML or a run may"
    " name files; inbox/ of object storage is always allowed.",
)
PRIVATE_NETWORKS = EnvironmentKey(
    "SPELLBOOK_PRIVATE_NETWORKS",
    "",
    "Networks, comma-separated (10.0.0.0/8, ::1), in which HTTP upstreams are allowed although they aren't public.",
    embedded="127.0.0.0/8,::1",
)
WAREHOUSE_SCHEMA = EnvironmentKey(
    "SPELLBOOK_WAREHOUSE_SCHEMA",
    "public",
    "Schema of the warehouse with all tables that DAGs load and the platform's own; a role's search_path is ignored.",
)
XCOM_LIMIT = EnvironmentKey(
    "SPELLBOOK_XCOM_LIMIT", "5000000", "Maximum size of an XCom in bytes of JSON; a larger one is refused."
)
RUNBOOKS = EnvironmentKey(
    "SPELLBOOK_RUNBOOKS",
    "docs/runbooks",
    "URL of docs/runbooks in your repository's web interface, which alerts link to.",
)
SERVING_PATIENCE = EnvironmentKey(
    "SPELLBOOK_SERVING_PATIENCE", "60", "Seconds within which the model server must serve a new champion."
)
MODEL_SERVER_HOSTS = EnvironmentKey(
    "SPELLBOOK_MODEL_SERVER_HOSTS",
    "localhost",
    "Names, comma-separated, under which the model server may be called; its addresses are always allowed.",
)
KEPT_VERSIONS = EnvironmentKey(
    "SPELLBOOK_KEPT_VERSIONS", "20", "Versions of a model, and runs of an experiment, that MLflow keeps."
)
RETAIL = EnvironmentKey(
    "SPELLBOOK_RETAIL",
    url_of(Path(__file__).parents[1] / "data" / "retail"),
    "URL of the folder with order lines, online_retail_<day>.csv; every worker must reach it.",
)
