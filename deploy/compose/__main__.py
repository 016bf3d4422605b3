"""Command line of the one-shot jobs: ``python -m deploy.compose secrets|databases|init|credentials``."""

from __future__ import annotations

import argparse
import os
import sys

from deploy.compose import buckets, databases, endpoints, preflight, secrets
from deploy.compose.errors import SetupError
from deploy.compose.written import Written
from include.core.settings import OBJECT_STORAGE
from include.settings import ENVIRONMENT


def make_secrets() -> None:
    """Write every secret to its volume; print the origin of each, never its value."""
    for name, origin in secrets.write_secrets(os.environ).items():
        print(f"secret {name}: {origin}")


def make_databases() -> None:
    """Create the roles and databases on both servers."""
    for server in databases.SERVERS:
        databases.prepare(server)


def init() -> None:
    """Prepare Airflow's start: check folders, migrate the schema, create the first user, pools, connections."""
    preflight.check()
    from deploy.compose import log_index, seed

    written = Written()
    seed.migrate()
    print(f"user {seed.ADMIN}: {seed.ensure_admin(secrets.read('admin-password'), written)}")
    print(f"pools added: {', '.join(seed.add_pools()) or 'none'}")
    connections = endpoints.connections()
    for conn_id, action in seed.write_connections(connections, written).items():
        print(f"connection {conn_id}: {action}")
    print(f"warehouse: version {seed.migrate_warehouse()}")
    databases.grant_model_server(secrets.read("loader-password", "url"))
    if "aws_default" in connections:
        others = [key.read() for key in ENVIRONMENT if key.name.endswith("_BUCKET")]
        buckets.create(filter(None, (buckets.bucket_of(OBJECT_STORAGE.read()), *others)), connections["aws_default"])
    if host := os.environ["AIRFLOW__ELASTICSEARCH__HOST"]:
        log_index.create(host)


def credentials() -> None:
    """Print the logins of the web UI, Grafana and Flower."""
    print(f"{os.environ['SPELLBOOK_URL']}\nuser      admin\npassword  {secrets.read('admin-password')}")
    for program in ("grafana", "flower"):
        print(f"{program:10}{secrets.read(f'{program}-password')}")


JOBS = {"secrets": make_secrets, "databases": make_databases, "init": init, "credentials": credentials}


def main() -> int:
    """Run one job; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.compose")
    parser.add_argument("job", choices=JOBS)
    try:
        JOBS[parser.parse_args().job]()
    except SetupError as error:
        print(f"{error}\nOn the host, `make doctor` looks for the cause.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
