"""Checks of settings: ``.env``, keys, connections."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from difflib import get_close_matches
from ipaddress import ip_network
from urllib.parse import unquote, urlsplit

import psycopg
from cryptography.fernet import Fernet
from dotenv.parser import parse_stream

from devstack import own_settings
from devstack.doctor.setup import Problem, Setup
from devstack.environment import Upstream, connection_uri
from devstack.errors import StackError
from include.core.errors import ConfigurationError
from include.core.settings import POSTGRES, PRIVATE_NETWORKS, WAREHOUSE_SCHEMA
from include.core.warehouse.connect import SCHEMA_NAME, connect
from include.core.warehouse.errors import NotMigratedError
from include.core.warehouse.migrations import require_migrated
from include.core.warehouse.shown import shown
from include.settings import ENVIRONMENT

LISTED = re.compile(r"^#?([A-Z][A-Z0-9_]*)=", re.MULTILINE)
EXAMPLE = re.compile(r"^#?(SPELLBOOK_[A-Z0-9_]*)=(.*)$", re.MULTILINE)
OURS = "SPELLBOOK_"
PORT = "SPELLBOOK_PORT"  # machine.compose_port
FERNET = "SPELLBOOK_FERNET_KEY"
STATSD = ("AIRFLOW__METRICS__STATSD_ON", "AIRFLOW__METRICS__STATSD_HOST")
UPSTREAMS = (*Upstream, "auto")
SECONDS = 5


def env_file(setup: Setup) -> Iterator[Problem]:
    """``.env`` can be read, each line sets something, and each name of ours exists."""
    if not setup.env_file.exists():
        return
    try:
        with setup.env_file.open(encoding="utf-8") as stream:
            bindings = list(parse_stream(stream))
    except (OSError, UnicodeDecodeError) as error:
        yield Problem(f".env can't be read: {error}", "make it a UTF-8 file that you own, `chmod u+rw .env`")
        return
    known = {*LISTED.findall((setup.root / ".env.example").read_text(encoding="utf-8")), *own_settings.KEYS}
    for binding in bindings:
        line = binding.original.line
        if binding.error:
            yield Problem(f".env, line {line}: sets nothing", "write NAME=value, with quotes if there are spaces")
        elif binding.key and not own_settings.is_read(binding.key):
            yield Problem(f".env, line {line}: Airflow doesn't read {binding.key}", f"write {binding.key.upper()}")
        elif binding.key and binding.key.startswith(OURS) and binding.key not in known:
            similar = get_close_matches(binding.key, known, n=1)
            fix = f"did you mean {similar[0]}?" if similar else ".env.example lists what can be set"
            yield Problem(f".env, line {line}: {binding.key} means nothing here", fix)


def env_file_is_used(setup: Setup) -> Iterator[Problem]:
    """Docker Compose reads ``.env``, if there is one."""
    files = setup.environment.get("COMPOSE_ENV_FILES", "")
    if files and setup.env_file.exists() and ".env" not in {file.strip() for file in files.split(",")}:
        yield Problem(
            f"Docker Compose doesn't read .env, since COMPOSE_ENV_FILES is {files}",
            f"export COMPOSE_ENV_FILES=.env,{files}",
        )


def keys(setup: Setup) -> Iterator[Problem]:
    """Keys have values of their kind."""
    settings = setup.settings()
    for key in ENVIRONMENT:
        value = settings.get(key.name, "")
        if key.default in {"true", "false"} and value not in {"", "true", "false"}:
            yield Problem(
                f"{key.name}={value!r} is neither true nor false", f"{key.doc} Leave it out for {key.default}."
            )
        elif key.default.isdecimal() and value and not value.isdecimal():
            yield Problem(f"{key.name}={value!r} isn't a whole number", f"{key.doc} Leave it out for {key.default}.")
    yield from _keys_of_compose(setup)
    schema = settings.get(WAREHOUSE_SCHEMA.name, "")
    if schema and not SCHEMA_NAME.fullmatch(schema):
        yield Problem(
            f"{WAREHOUSE_SCHEMA.name}={schema!r} isn't a schema's name", "use lower-case letters, digits and _"
        )
    for network in filter(None, settings.get(PRIVATE_NETWORKS.name, "").split(",")):
        try:
            ip_network(network.strip())
        except ValueError:
            yield Problem(f"{PRIVATE_NETWORKS.name}: {network!r} isn't a network", "write it like 172.16.0.0/12")
    upstream = settings.get("SPELLBOOK_UPSTREAM", "auto")
    if upstream not in UPSTREAMS:
        yield Problem(f"SPELLBOOK_UPSTREAM={upstream!r} isn't allowed", f"set it to {', '.join(UPSTREAMS)}")


def _keys_of_compose(setup: Setup) -> Iterator[Problem]:
    """Yield the keys that only Compose reads and whose values are of another kind than those in ``.env.example``."""
    examples = EXAMPLE.findall((setup.root / ".env.example").read_text(encoding="utf-8"))
    settings, others = setup.settings(), {key.name for key in ENVIRONMENT}
    for name, example in examples:
        value = settings.get(name, "")
        if not value or name in others or name == PORT:
            continue
        if example.isdecimal() and not (value.isascii() and value.isdecimal() and int(value)):
            yield Problem(f"{name} isn't a whole number above 0", f"write it like {name}={example}, or leave it out")
        elif example in {"true", "false"} and value not in {"true", "false"}:
            yield Problem(f"{name} is neither true nor false", f"write {name}=true, or leave it out")


def fernet_key(setup: Setup) -> Iterator[Problem]:
    """A Fernet key that is given for Compose is one."""
    file = setup.root / "deploy/secrets/fernet-key"
    given = {f"{FERNET} in the environment or .env": setup.settings().get(FERNET, "")}
    if file.is_file():
        given["deploy/secrets/fernet-key"] = file.read_text(encoding="utf-8", errors="replace").strip()
    for place, text in given.items():
        try:
            for key in text.split(",") if text else ():
                Fernet(key.strip())
        except ValueError:
            yield Problem(
                f"{place}: not 32 bytes in URL-safe base64, so Airflow can't decrypt connections",
                "leave it out and one is generated, or restore the one that the connections were saved with",
            )


def connections(setup: Setup) -> Iterator[Problem]:
    """Your own connections are in a form that Airflow reads, and the servers of HTTP connections answer."""
    for name, value in _connections(setup).items():
        try:
            uri = connection_uri(value)
        except StackError:
            yield Problem(
                f"{name} is neither a URI nor Airflow's JSON",
                f"write it like {POSTGRES.variable}='{POSTGRES.to_json(host='db.example.com', login='me')}'",
            )
            continue
        if problem := _unanswered(uri):
            yield Problem(f"{name}: {problem}", "start that server, or correct host and port")


def warehouse(setup: Setup) -> Iterator[Problem]:
    """A warehouse of your own answers, accepts the login, and has the platform's tables."""
    value = _connections(setup).get(POSTGRES.variable)
    if not value:
        return
    try:
        uri = connection_uri(value)
    except StackError:
        return  # its form: another check
    try:
        with connect(uri, connect_timeout=SECONDS) as session:
            require_migrated(session)
    except NotMigratedError as error:
        yield Problem(f"{POSTGRES.variable}: {error}", "`make migrate`")
    except ConfigurationError as error:
        yield Problem(f"{POSTGRES.variable}: {error}", "correct the connection")
    except psycopg.OperationalError as error:
        refused = "authentication" in str(error) or "password" in str(error)
        fix = "correct login and password" if refused else "start the server, or correct host and port"
        fix = "correct the connection's options" if "invalid" in str(error) else fix
        yield Problem(f"{POSTGRES.variable}: {shown(error, uri)}", fix)


def statsd(setup: Setup) -> Iterator[Problem]:
    """If metrics are sent, their host exists."""
    settings = setup.settings()
    switch, host = (settings.get(name, "") for name in STATSD)
    if switch.lower() in {"true", "1", "t"}:
        try:
            socket.getaddrinfo(host or "localhost", None)
        except OSError:
            yield Problem(
                f"{STATSD[1]}={host!r} doesn't exist, so all metrics are lost",
                f"correct it, or leave {STATSD[0]} out",
            )


def _connections(setup: Setup) -> dict[str, str]:
    settings = setup.settings()
    return {name: settings[name] for name in sorted(settings) if name.startswith(own_settings.CONNECTION)}


def _unanswered(uri: str) -> str:
    """Return why nothing answers at the host of an HTTP connection, which may be a URL; empty if something does."""
    scheme, _, rest = uri.partition("://")
    host = unquote(rest.partition("/")[0].rpartition("@")[2])
    if "://" not in host:
        if scheme not in {"http", "https"} or not host:
            return ""
        host = f"{scheme}://{f'[{host}]' if host.count(':') > 1 and '[' not in host else host}"
    try:
        url = urlsplit(host)
        port = url.port or (443 if url.scheme == "https" else 80)
    except ValueError:
        return "host and port aren't valid"
    try:
        socket.create_connection((url.hostname or "", port), timeout=SECONDS).close()
    except OSError as error:
        return f"nothing answers at {url.hostname}:{port} ({error})"
    return ""
