"""A warehouse behind PgBouncer, which gives each transaction any server connection."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from devstack.postgres import SERVER_ACCOUNT, SUPERUSER, Postgres
from devstack.process import Record
from devstack.state import free_port
from devstack.waiting import Activity, wait_for

CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 6
server_lifetime = {lifetime}
"""
LIFETIMES = {"kept": 3600, "used once": 0}


@pytest.fixture(scope="session", params=LIFETIMES, ids=str)
def pooler(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[int]:
    """Port of a PgBouncer in transaction pooling, whose server connections are kept, or used for one transaction."""
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.skip("NOT TESTED BEHIND A POOLER: pgbouncer is not on PATH; `make tools` gets it")
    port = free_port()
    values = {"server": postgres.port, "user": SUPERUSER, "password": postgres.password, "port": port}
    with TemporaryDirectory(prefix="spellbook-pooler-", dir="/var/tmp") as name:
        folder = Path(name)
        configuration, log = folder / "pgbouncer.ini", folder / "log"
        configuration.touch(0o600)
        configuration.write_text(CONFIGURATION.format(lifetime=LIFETIMES[request.param], **values))
        account = SERVER_ACCOUNT if os.geteuid() == 0 else None  # it refuses to run as root
        if account:
            shutil.chown(folder, account)
            shutil.chown(configuration, account)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [program, str(configuration)],
                stdout=output,
                stderr=output,
                user=account,
                group=pwd.getpwnam(account).pw_gid if account else None,
                extra_groups=[] if account else None,
            )
        record = folder / "record.json"

        def is_up() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                psycopg.connect(postgres.uri().replace(f":{postgres.port}/", f":{port}/")).close()
            except psycopg.OperationalError:
                return False
            return True

        try:
            Record.of(process.pid, "").write(record)
            wait_for(is_up, "PgBouncer", progress=Activity([record], [log]), hint=log.read_text)
            yield port
        finally:
            process.terminate()
            process.wait()


@pytest.fixture
def pooled(pooler: int, warehouse: str) -> str:
    """The warehouse's URI behind the pooler."""
    return make_conninfo("", **(conninfo_to_dict(warehouse) | {"port": str(pooler)}))
