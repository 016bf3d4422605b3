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
    """Settle every secret; say where each came from, never what it is."""
    for name, origin in secrets.settle(os.environ).items():
        print(f"secret {name}: {origin}")


def make_databases() -> None:
    """Create roles and databases on both servers."""
    for server in databases.SERVERS:
        databases.prepare(server)


def init() -> None:
    """Make Airflow ready to start: folders, schema, first user, pools, connections."""
    preflight.check()
    from deploy.compose import seed

    written = Written()
    seed.migrate()
    print(f"user {seed.ADMIN}: {seed.first_user(secrets.read('admin-password'), written)}")
    print(f"pools added: {', '.join(seed.add_pools()) or 'none'}")
    found = endpoints.connections()
    for conn_id, done in seed.write_connections(found, written).items():
        print(f"connection {conn_id}: {done}")
    if "aws_default" in found:
        others = [key.read() for key in ENVIRONMENT if key.name.endswith("_BUCKET")]
        buckets.make(filter(None, (buckets.bucket(OBJECT_STORAGE.read()), *others)), found["aws_default"])


def credentials() -> None:
    """Print the login of the web UI, and those of the profiles monitoring and flower."""
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
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
