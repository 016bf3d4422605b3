"""The contract between this repository and the place it runs in.

Every connection, pool, queue and environment key that a DAG may use is declared here, with its type, its default and
its reason. The gate refuses a DAG that uses an undeclared one; the embedded stack and Compose create what is declared.

Every Airflow process imports this module through the cluster policies: keep it free of heavy imports.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from include.storage import url_of


@dataclass(frozen=True)
class Connection:
    """One Airflow connection.

    ``service`` names what stands behind it in the embedded stack; ``optional`` ones may be missing in production.
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
    """One Airflow pool; ``slots`` bounds how many of its tasks run at once."""

    name: str
    slots: int
    doc: str


@dataclass(frozen=True)
class Queue:
    """One executor queue; a worker must be told to serve it."""

    name: str
    doc: str


@dataclass(frozen=True)
class EnvironmentKey:
    """One environment variable of ours; unset or empty means ``default``."""

    name: str
    default: str
    doc: str

    def read(self) -> str:
        """Return the value in force."""
        return os.environ.get(self.name) or self.default

    def read_bool(self) -> bool:
        """Return the value in force as a truth value.

        Raises:
            ValueError: if it is neither true nor false.
        """
        value = self.read()
        if value not in {"true", "false"}:
            raise ValueError(f"{self.name}={value!r} is neither true nor false")
        return value == "true"


CONNECTIONS = (
    Connection(
        "postgres_default", "postgres", "postgres", "The warehouse that DAGs load into; never Airflow's own database."
    ),
    Connection(
        "weather_default",
        "open_meteo",
        "upstreams",
        "Weather API: type open_meteo (no key) or openweathermap (key as password).",
    ),
    Connection(
        "sources_default",
        "http",
        "upstreams",
        "API that the sources of include/sources are asked of; extra: allowed_hosts, calls_per_minute, deadline.",
    ),
    Connection(
        "etl_jobs_default",
        "etl_jobs",
        "upstreams",
        "Job service that long_running_etl starts jobs at; a bearer token as password, if it asks for one.",
    ),
    Connection(
        "tills_default", "http", "upstreams", "The shops' till system, asked whether a day is closed.", optional=True
    ),
    Connection("aws_default", "aws", "s3", "Object storage and SageMaker.", optional=True),
    Connection("slack_default", "slackwebhook", "sinks", "Incoming webhook that alerts are posted to.", optional=True),
    Connection("smtp_default", "smtp", "sinks", "Mail server that alerts are sent through.", optional=True),
    Connection(
        "metadata_default",
        "postgres",
        "postgres",
        "Airflow's own database, for maintenance; on one machine only, not where workers are kept from it.",
        optional=True,
    ),
    Connection("mlflow_default", "http", "mlflow", "MLflow tracking server.", optional=True),
    Connection(
        "model_server_default", "http", "model_server", "Model server, `python -m include.serving`.", optional=True
    ),
    Connection(
        "spark_default", "spark", "spark", "Spark: host local[*], or spark://host with a port; no cluster mode.", True
    ),
    Connection(
        "kubernetes_default", "kubernetes", "kubernetes_double", "Cluster that pods run in; extra: namespace, …", True
    ),
)

POOLS = (
    Pool("default_pool", 32, "Airflow's own; tasks that name no pool."),
    Pool("weather_api", 4, "Calls to the weather API at once; the calls per minute are bounded by the rate limiter."),
    Pool("source_api", 8, "Calls to the sources' APIs at once; the calls per minute are bounded by the rate limiter."),
    Pool("database_access", 5, "Loads into the warehouse at once."),
    Pool("finance", 4, "The finance team's own, so that a full default_pool doesn't hold its tasks back."),
    Pool("cpu_bound_pool", 2, "Tasks that keep a core busy."),
)

QUEUES = (
    Queue("default", "Everything that names no queue."),
    Queue("finance_priority", "Work of the finance team, on a worker of its own, so that it never waits for others."),
)

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

PRIVATE_NETWORKS = EnvironmentKey(
    "SPELLBOOK_PRIVATE_NETWORKS",
    "",
    "Networks, comma-separated (10.0.0.0/8, ::1), that HTTP upstreams may lie in although they aren't public.",
)

XCOM_LIMIT = EnvironmentKey(
    "SPELLBOOK_XCOM_LIMIT", "5000000", "Bytes of JSON that one XCom may have; a larger one is refused."
)

TITANIC_PASSENGERS = EnvironmentKey(
    "SPELLBOOK_TITANIC_PASSENGERS",
    url_of(Path(__file__).parent / "data" / "titanic" / "train.csv"),
    "URL of the labelled passenger list that titanic_ml_pipeline trains on.",
)
TITANIC_REPEATS = EnvironmentKey(
    "SPELLBOOK_TITANIC_REPEATS", "10", "Repeats of ten-fold cross-validation, where a run doesn't say."
)
TITANIC_ACCURACY = EnvironmentKey(
    "SPELLBOOK_TITANIC_ACCURACY", "0.8", "A candidate's mean accuracy in cross-validation must lie above."
)
TITANIC_SEGMENT_ACCURACY = EnvironmentKey(
    "SPELLBOOK_TITANIC_SEGMENT_ACCURACY", "0.55", "A candidate's accuracy in any sex and class must not lie below."
)
TITANIC_APPROVAL_HOURS = EnvironmentKey(
    "SPELLBOOK_TITANIC_APPROVAL_HOURS", "24", "Hours within which a deployment that asks for approval must get it."
)
SERVING_PATIENCE = EnvironmentKey(
    "SPELLBOOK_SERVING_PATIENCE", "60", "Seconds within which the model server must serve a new champion."
)
SAGEMAKER_BUCKET = EnvironmentKey("SPELLBOOK_SAGEMAKER_BUCKET", "spellbook-models", "S3 bucket for model.tar.gz.")
SAGEMAKER_ROLE = EnvironmentKey(
    "SPELLBOOK_SAGEMAKER_ROLE",
    "arn:aws:iam::123456789012:role/spellbook-sagemaker",
    "Role that SageMaker assumes to read bucket and image.",
)
SAGEMAKER_IMAGE = EnvironmentKey(
    "SPELLBOOK_SAGEMAKER_IMAGE",
    "123456789012.dkr.ecr.us-east-1.amazonaws.com/mlflow-pyfunc:3.17.2",
    "Image that serves an MLflow model folder, made by `mlflow sagemaker build-and-push-container`.",
)
SAGEMAKER_INSTANCE = EnvironmentKey("SPELLBOOK_SAGEMAKER_INSTANCE", "ml.t2.medium", "Instance type of an endpoint.")
SAGEMAKER_COMPARE = EnvironmentKey(
    "SPELLBOOK_SAGEMAKER_COMPARE",
    "true",
    "true: an endpoint must answer rightly; false: it must answer, for stand-ins of AWS that run no container.",
)
WINES = EnvironmentKey(
    "SPELLBOOK_WINES",
    url_of(Path(__file__).parent / "data" / "wine_quality"),
    "URL of the folder with winequality-red.csv and winequality-white.csv, for mlflow_integration.",
)
WINE_CANDIDATES = EnvironmentKey(
    "SPELLBOOK_WINE_CANDIDATES",
    "article_recipe,extra_trees,extra_trees_pruned",
    "Models that mlflow_integration compares, comma-separated.",
)
KEPT_VERSIONS = EnvironmentKey(
    "SPELLBOOK_KEPT_VERSIONS", "20", "Versions of a model, and runs of an experiment, that MLflow keeps."
)
DBT = EnvironmentKey(
    "SPELLBOOK_DBT",
    str(Path(__file__).parents[1] / ".venv-dbt" / "bin" / "dbt"),
    "The dbt executable, in an environment of its own.",
)

RETAIL = EnvironmentKey(
    "SPELLBOOK_RETAIL",
    url_of(Path(__file__).parent / "data" / "retail"),
    "URL of the folder with order lines, online_retail_<day>.csv; every worker must reach it.",
)
RETAIL_BUCKET = EnvironmentKey(
    "SPELLBOOK_RETAIL_BUCKET", "spellbook-arrivals", "S3 bucket into which retail/online_retail_<day>.csv is put."
)
RETAIL_PATIENCE = EnvironmentKey(
    "SPELLBOOK_RETAIL_PATIENCE", "21600", "Seconds that retail_arrival waits for the tills, and again for the file."
)
RETAIL_MAIL = EnvironmentKey(
    "SPELLBOOK_RETAIL_MAIL", "retail@example.com", "Who gets the retail report, and is told when no file came."
)
SPARK_DRIVER_MEMORY = EnvironmentKey(
    "SPELLBOOK_SPARK_DRIVER_MEMORY", "1g", "Heap of Spark's driver; with the master local[*], all there is."
)
SPARK_EXECUTOR_MEMORY = EnvironmentKey("SPELLBOOK_SPARK_EXECUTOR_MEMORY", "1g", "Heap of each of Spark's executors.")
SPARK_PARTITIONS = EnvironmentKey(
    "SPELLBOOK_SPARK_PARTITIONS", "8", "Parts that Spark cuts a shuffle into: about one a 100 MB, and one a core."
)
SPARK_PACKAGES = EnvironmentKey(
    "SPELLBOOK_SPARK_PACKAGES", "", "Maven coordinates that Spark loads, such as org.apache.hadoop:hadoop-aws:3.4.2."
)
POD_IMAGE = EnvironmentKey(
    "SPELLBOOK_POD_IMAGE",
    "registry.example.com/spellbook:1.0.0",
    "Image of the pods of pandas_in_kubernetes: this repository's own, with a version or a digest.",
)
RUNBOOKS = EnvironmentKey(
    "SPELLBOOK_RUNBOOKS",
    "docs/runbooks",
    "Where alerts link to: the URL of docs/runbooks in your repository's web interface.",
)

ENVIRONMENT = (
    STRICT_MODE,
    OBJECT_STORAGE,
    RUNBOOKS,
    PRIVATE_NETWORKS,
    XCOM_LIMIT,
    TITANIC_PASSENGERS,
    TITANIC_REPEATS,
    TITANIC_ACCURACY,
    TITANIC_SEGMENT_ACCURACY,
    TITANIC_APPROVAL_HOURS,
    SERVING_PATIENCE,
    SAGEMAKER_BUCKET,
    SAGEMAKER_ROLE,
    SAGEMAKER_IMAGE,
    SAGEMAKER_INSTANCE,
    SAGEMAKER_COMPARE,
    WINES,
    WINE_CANDIDATES,
    KEPT_VERSIONS,
    RETAIL,
    RETAIL_BUCKET,
    RETAIL_PATIENCE,
    RETAIL_MAIL,
    DBT,
    SPARK_DRIVER_MEMORY,
    SPARK_EXECUTOR_MEMORY,
    SPARK_PARTITIONS,
    SPARK_PACKAGES,
    POD_IMAGE,
)
