"""The secrets of the stack: provided by the operator, or generated once, each kept in its own volume.

A secret such as ``fernet-key`` is read, in this order, from the file ``fernet-key`` in the folder of provided secrets,
from the environment variable ``SPELLBOOK_FERNET_KEY`` or from its volume, or else generated. Only the services that
need it mount its volume: see docs/compose.md.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from deploy.compose.errors import SetupError

PROVIDED = Path("/run/given")
VOLUMES = Path("/run/secrets")
VALUE = "value"
MIN_LENGTH = 16
WELL_KNOWN = frozenset({"airflow", "admin", "password", "postgres", "changeme", "secret", "redis", "spellbook"})
METADATA_HOST = "SPELLBOOK_METADATA_HOST"


def new_password() -> str:
    """Return 32 random characters that need no quoting in a URL."""
    return secrets.token_urlsafe(24)


def new_key() -> str:
    """Return 86 random characters (64 bytes), enough for HS512."""
    return secrets.token_urlsafe(64)


def new_fernet_key() -> str:
    """Return a Fernet key: 32 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def check_password(value: str) -> str | None:
    """Return what is wrong with a password, ``None`` if it is valid."""
    if any(word in value.lower() for word in WELL_KNOWN) and len(value) < 2 * MIN_LENGTH:
        return "contains a well-known word"
    return None if len(value) >= MIN_LENGTH else f"has {len(value)} characters; at least {MIN_LENGTH} are required"


def check_key(value: str) -> str | None:
    """Return what is wrong with a signing key, ``None`` if it is valid."""
    return None if len(value) >= 64 else f"has {len(value)} characters; at least 64 are required"


def check_fernet_key(value: str) -> str | None:
    """Return what is wrong with Fernet keys (comma-separated, newest first), ``None`` if they are valid."""
    for key in value.split(","):
        try:
            size = len(base64.urlsafe_b64decode(key.strip()))
        except (binascii.Error, ValueError):
            size = 0
        if size != 32:
            return "is not 32 bytes in URL-safe base64 (several keys are separated by commas)"
    return None


def check_webhook(value: str) -> str | None:
    """Return what is wrong with a webhook's URL, ``None`` if it is valid."""
    return None if not value or value.startswith(("https://", "http://")) else "is not an http(s) URL"


def _value_only(_: str) -> dict[str, str]:
    return {}


def _metadata(value: str) -> dict[str, str]:
    login = f"postgresql+psycopg2://airflow:{quote(value, safe='')}"
    return {
        "url": f"{login}@{os.environ.get(METADATA_HOST) or 'postgres'}:5432/airflow",
        "direct-url": f"{login}@postgres:5432/airflow",
        "userlist.txt": '"airflow" "{}"\n'.format(value.replace('"', '""')),
    }


def _broker(value: str) -> dict[str, str]:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return {
        "url": f"redis://:{quote(value, safe='')}@redis:6379/0",
        "redis.conf": f'requirepass "{escaped}"\n',
        "exporter.json": json.dumps({"redis://redis:6379": value}),
    }


def _results(value: str) -> dict[str, str]:
    return {"url": f"db+postgresql+psycopg2://celery:{quote(value, safe='')}@postgres:5432/celery"}


def _mlflow(value: str) -> dict[str, str]:
    return {"url": f"postgresql+psycopg2://mlflow:{quote(value, safe='')}@postgres:5432/mlflow"}


def _loader(value: str) -> dict[str, str]:
    return {"url": f"postgresql://loader:{quote(value, safe='')}@warehouse:5432/warehouse"}


def _model_server(value: str) -> dict[str, str]:
    return {"url": f"postgresql://model_server:{quote(value, safe='')}@warehouse:5432/warehouse"}


def _flower(value: str) -> dict[str, str]:
    return {"login": f"admin:{value}"}


def _reader(value: str) -> dict[str, str]:
    return {"url": f"postgresql://reader:{quote(value, safe='')}@warehouse:5432/warehouse"}


def _monitor(value: str) -> dict[str, str]:
    return {"url": f"postgresql://monitor:{quote(value, safe='')}@warehouse:5432/warehouse"}


@dataclass(frozen=True)
class Secret:
    """One secret.

    Attributes:
        name: of the secret, its volume and its file in the folder of provided secrets.
        doc: what it protects.
        generate: returns a new value.
        problem: returns what is wrong with a provided value.
        files: other forms of the value that services read, by file name.
    """

    name: str
    doc: str
    generate: Callable[[], str] = new_password
    problem: Callable[[str], str | None] = check_password
    files: Callable[[str], dict[str, str]] = _value_only

    @property
    def variable(self) -> str:
        """Environment variable that provides the secret."""
        return "SPELLBOOK_" + self.name.upper().replace("-", "_")


SECRETS = (
    Secret("fernet-key", "Encrypts connections and variables.", new_fernet_key, check_fernet_key),
    Secret("jwt-secret", "Signs the tokens of users and of tasks.", new_key, check_key),
    Secret("api-secret-key", "Signs the logins of the web UI; whoever has it is admin.", new_key, check_key),
    Secret("admin-password", "Login of the user admin in the web UI."),
    Secret("postgres-password", "Superuser of the server with Airflow's and MLflow's databases."),
    Secret("warehouse-password", "Superuser of the warehouse."),
    Secret("metadata-password", "Role airflow, owner of Airflow's database.", files=_metadata),
    Secret("loader-password", "Role loader, which DAGs use in the warehouse.", files=_loader),
    Secret("model-server-password", "Role model_server, which writes predictions.", files=_model_server),
    Secret("results-password", "Role celery, owner of the database with Celery's results.", files=_results),
    Secret("mlflow-password", "Role mlflow, owner of MLflow's database.", files=_mlflow),
    Secret("mlflow-pipeline-password", "MLflow's user pipeline, for DAGs: may do everything."),
    Secret("mlflow-reader-password", "MLflow's user reader, for the model server: may only read."),
    Secret("reader-password", "Role reader, which reads the warehouse for the web UI.", files=_reader),
    Secret("monitor-password", "Role monitor, which reads statistics on both servers.", files=_monitor),
    Secret("redis-password", "Celery's broker.", files=_broker),
    Secret("flower-password", "Login of the user admin in Flower.", files=_flower),
    Secret("grafana-password", "Login of the user admin in Grafana."),
    Secret("demo-key", "Login of the sample S3 and Slack servers of the profile demo."),
    Secret("slack-webhook", "Webhook that Alertmanager posts to; empty to disable.", str, check_webhook),
)


def write_secrets(environment: Mapping[str, str], provided: Path = PROVIDED, volumes: Path = VOLUMES) -> dict[str, str]:
    """Write every secret to its volume; return the origin of each (``provided``, ``kept``, ``generated``) by name.

    Nothing is written unless every provided value is valid.

    Raises:
        SetupError: if a provided value is invalid, with the secret, its source and what is allowed; if a file can't be
        read or a volume can't be written, with the path and the user.
    """
    chosen = {secret: _choose(secret, environment, provided, volumes) for secret in SECRETS}
    for secret, (value, _) in chosen.items():
        for name, text in {VALUE: value, **secret.files(value)}.items():
            _write(volumes / secret.name / name, text)
    return {secret.name: origin for secret, (_, origin) in chosen.items()}


def read(name: str, file: str = VALUE, volumes: Path = VOLUMES) -> str:
    """Return a secret from its volume.

    Raises:
        SetupError: if the volume isn't mounted or is empty.
    """
    try:
        return (volumes / name / file).read_text()
    except OSError as error:
        raise SetupError(f"secret {name} can't be read: {error.strerror}: {volumes / name / file}") from error


def _choose(secret: Secret, environment: Mapping[str, str], provided: Path, volumes: Path) -> tuple[str, str]:
    file, stored = provided / secret.name, volumes / secret.name / VALUE
    for value, source in ((_text(file), str(file)), (environment.get(secret.variable, ""), f"${secret.variable}")):
        if value:
            if problem := (secret.problem(value) or _line_problem(value)):
                raise SetupError(
                    f"secret {secret.name}, provided by {source}, {problem}; if it is unset, one is generated"
                )
            return value, "provided"
    if stored.exists():
        return _text(stored), "kept"
    return secret.generate(), "generated"


def _line_problem(value: str) -> str | None:
    return None if value.isprintable() else "is not a single line of printable characters"


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise SetupError(
            f"{path} can't be read by uid {os.getuid()}: {error.strerror}; make it readable for that user: chmod a+r"
        ) from error


def _write(path: Path, text: str) -> None:
    draft = path.with_suffix(".new")
    try:
        draft.write_text(text)
        draft.chmod(0o444)  # access is controlled by the volume: only services that mount it see the file
        draft.replace(path)
    except OSError as error:
        raise SetupError(
            f"{path} can't be written by uid {os.getuid()}: {error.strerror}; the volume must be mounted writable and"
            " belong to that user: docker compose run --rm --no-deps --user 0 --cap-add CHOWN --entrypoint chown"
            f" secrets -R {os.getuid()}:0 {path.parent}"
        ) from error
