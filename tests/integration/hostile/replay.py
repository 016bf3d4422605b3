"""Sends every input to the stack, and reports what became of each."""

from __future__ import annotations

import json
import socket
import time
from base64 import urlsafe_b64encode
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import jwt
import requests

from devstack.environment import local_url
from devstack.load import parse
from tests.forgery import cookies
from tests.integration.hostile.inputs import conf, files, responses, sources, urls
from tests.integration.hostile.inputs import requests as strangers
from tests.integration.hostile.servers import LATER
from tests.integration.hostile.steps import DAY
from tests.integration.runs.conftest import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.hostile.conftest import Target

ECHO, INPUTS, WAITS, DAILY = "hostile_echo", "hostile_inputs", "hostile_waits", "hostile_daily"
ACCEPTED, REFUSED = "2xx", "4xx"
DENIED = "denied"  # also with 500: Airflow has no better answer to some of them
LARGE = 100_000  # bytes of a body that a server may stop to receive
REFUSED_PARAM = "param"
JSON = {"Content-Type": "application/json"}
DEFINE = """
from pathlib import Path
from include.core.sources.factory import create_dags
from include.settings import HTTP_CONNECTIONS
globals().update(create_dags(Path(__file__).parent / "sources", "postgres_default", HTTP_CONNECTIONS))
"""
CHECK = """
from pathlib import Path
from include.core.sources.files import require_sources
from include.settings import HTTP_CONNECTIONS
require_sources(Path(__file__).parent / "sources", HTTP_CONNECTIONS)
"""


class Outcome(NamedTuple):
    """What an input should lead to, and what it led to."""

    name: str
    expected: str
    actual: str


class Run(NamedTuple):
    """A run that was started."""

    dag_id: str
    run_id: str


class Replay:
    """Sends the inputs to a stack."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.runs: dict[str, Run] = {}  # by what they are for
        self._token = {"Authorization": str(target.airflow._session.headers["Authorization"])}
        self._url = target.airflow.url
        self._ids: dict[str, list[str]] = {}  # of the DAGs of each file

    def all(self) -> list[Outcome]:
        """Send them all, and wait until every run that they started has ended."""
        with ExitStack() as begun:
            self._begin_requests(begun)
            self._start_runs()
            outcomes = [
                *self._conf(),
                *self._params(),
                *self._run_ids(),
                *self._requests(),
                *self._model_server(),
                *self._sources(),
            ]
            until(self.target.stack, lambda: {"success", "failed"} >= set(self.states().values()), "all runs to end")
        return [*outcomes, *self._outcomes_of_runs()]

    def start(self, dag_id: str, name: str, run_id: str | None = None, **conf: Any) -> None:
        """Start a run."""
        body = {"logical_date": None, "conf": conf} | ({"dag_run_id": run_id} if run_id else {})
        self.runs[name] = Run(dag_id, self.target.airflow.post(f"/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def outcomes(self, name: str) -> dict[str, str]:
        """Return the outcomes that a run of :data:`INPUTS` has returned."""
        run = self.runs[name]
        path = f"/dags/{run.dag_id}/dagRuns/{quote(run.run_id)}/taskInstances/read/xcomEntries/return_value"
        return dict(self.target.airflow.get(path, deserialize=True)["value"])

    def echoed(self) -> dict[str, dict[str, Any]]:
        """Return what the runs of :data:`ECHO` have kept, by run id."""
        files = (self.target.storage / "handoff" / ECHO).glob("*/echo.json")
        return {content["run_id"]: content for content in (json.loads(file.read_text()) for file in files)}

    def states(self) -> dict[Run, str]:
        """Return the state of each run."""
        airflow, ever = self.target.airflow, datetime(2024, 1, 1, tzinfo=UTC)
        return {
            Run(dag_id, run["dag_run_id"]): run["state"]
            for dag_id in {run.dag_id for run in self.runs.values()}
            for run in airflow.runs_since(dag_id, ever, "manual")
        }

    def _start_runs(self) -> None:
        fill, inbox = self.target.filled, self.target.storage / "inbox"
        inbox.mkdir(parents=True)
        (inbox / "link.csv").symlink_to(self.target.private)
        (inbox / "linked").symlink_to(self.target.private.parent)
        for name, (suffix, content, _) in files.FILES.items():
            folder = inbox / "hostile" / name
            folder.mkdir(parents=True)
            (folder / f"{DAY}{suffix}").write_bytes(content)
        named = (*urls.NOT_ALLOWED, *urls.NOT_PUBLIC, *urls.NOT_THERE)
        self.start(INPUTS, "urls", step="urls", names=[fill(url) for url in named])
        for step, names in (("responses", responses.RESPONSES), ("files", files.FILES), ("models", files.MODELS)):
            self.start(INPUTS, step, step=step, names=list(names))
        self.start(WAITS, "waits")
        self.start(ECHO, "texts", texts=conf.TEXTS)
        for name in conf.IN_ALERTS:
            self.start(ECHO, f"alert: {name}", fail=conf.TEXTS[name])
        for dag_id, param in urls.OF_RUNS.items():
            for url in urls.MOST_HARMFUL if self._ids_of(f"{dag_id}.py") else ():
                self.start(dag_id, f"{REFUSED_PARAM} {param}={url}", **{param: fill(url)})

    def _outcomes_of_runs(self) -> Iterator[Outcome]:
        fill = self.target.filled
        expected = (
            {fill(url): "ConfigurationError" for url in urls.NOT_ALLOWED},
            {fill(url): "Forbidden" for url in urls.NOT_PUBLIC},
            {fill(url): "FileNotFoundError" for url in urls.NOT_THERE},
            {name: response.outcome for name, response in responses.RESPONSES.items()},
            {name: outcome for name, (_, _, outcome) in files.FILES.items()},
            dict.fromkeys(files.MODELS, "ArtifactError"),
        )
        actual: dict[str, dict[str, str]] = {
            step: self.outcomes(step) for step in ("urls", "responses", "files", "models")
        }
        for step, outcomes in zip(("urls", "urls", *actual), expected, strict=True):
            yield from (Outcome(f"{step}: {name}", outcome, actual[step][name]) for name, outcome in outcomes.items())
        for name, text in self.echoed()[self.runs["texts"].run_id]["conf"]["texts"].items():
            yield Outcome(f"text: {name}", conf.TEXTS[name], text)
        states = self.states()
        for name in responses.FOR_TRIGGERS:
            count = self.target.hostile.requests[f"{LATER}/{name}"]
            yield Outcome(f"trigger: {name}", "requested again", "requested again" if count > 1 else str(count))
        for name, run in self.runs.items():
            if run.dag_id == WAITS:
                continue  # it ends when its time is over
            fails = name.startswith(("alert", REFUSED_PARAM)) or run.run_id == conf.LOST
            yield Outcome(f"run: {name}", "failed" if fails else "success", states[run])

    def _conf(self) -> Iterator[Outcome]:
        runs = f"/api/v2/dags/{ECHO}/dagRuns"
        [asset] = (asset["id"] for asset in self.target.airflow.get("/assets")["assets"] if asset["name"] == DAILY)
        days = '"from_date": "2024-06-01T00:00:00Z", "to_date": "2024-06-02T00:00:00Z"'
        for path, body in (
            (runs, '{"logical_date": null, "conf": {"a": [VALUE]}}'),
            ("/api/v2/backfills", f'{{"dag_id": "{DAILY}", {days}, "dag_run_conf": {{"a": VALUE}}}}'),
            ("/api/v2/assets/events", f'{{"asset_id": {asset}, "extra": {{"a": VALUE}}}}'),
            ("/api/v2/variables", '{"key": "hostile", "value": VALUE}'),
        ):
            if path != runs:  # other inputs are accepted there
                yield self._sent(f"{path}: a valid value", ACCEPTED, path, body.replace("VALUE", '"a"').encode())
            for name, value in conf.VALUES.items():
                if path.endswith("variables") and value[0] == '"' and "\\" not in value:
                    continue  # a variable may be a long text
                yield self._sent(f"{path}: {name}", REFUSED, path, body.replace("VALUE", value).encode())
        for name, content in conf.BODIES.items():
            yield self._sent(f"{runs}: {name}", REFUSED, runs, content)

    def _params(self) -> Iterator[Outcome]:
        for name, params in conf.PARAMS.items():
            dag_id = next(iter(self._ids_of(f"{name}.py")), "")
            for param, values in params.items() if dag_id else ():
                for value in values:
                    body = f'{{"logical_date": null, "conf": {{"{param}": {value}}}}}'
                    path = f"/api/v2/dags/{dag_id}/dagRuns"
                    yield self._sent(f"{dag_id}: {param}={value[:40]}", REFUSED, path, body.encode())

    def _run_ids(self) -> Iterator[Outcome]:
        path = f"/api/v2/dags/{ECHO}/dagRuns"
        for run_id, is_accepted in conf.RUN_IDS.items():
            body = json.dumps({"logical_date": None, "dag_run_id": run_id}).encode()
            outcome = self._sent(f"run id: {run_id[:40]}", ACCEPTED if is_accepted else REFUSED, path, body)
            if outcome.actual == ACCEPTED:
                self.runs[outcome.name] = Run(ECHO, run_id)
            yield outcome

    def _requests(self) -> Iterator[Outcome]:
        for path in strangers.PATHS:
            response = self._get(path)
            found = self.target.canaries.found_in(response.content + str(response.headers).encode())
            yield Outcome(f"GET {path}", "no canary", f"canary {found}" if found else "no canary")
        for name, token in self._tokens():
            response = self._get("/api/v2/connections", Authorization=f"Bearer {token}")
            yield Outcome(f"token: {name}", REFUSED, _kind(response))
        for name in ("api", "jwt", "fernet"):
            status = _status("GET", f"{self._url}/api/v2/connections", cookies=cookies(self._secret(name)))
            yield Outcome(f"cookies signed with the key {name}", REFUSED, status)
        for name, body in strangers.LOGINS.items():
            status = _status("POST", f"{self._url}/auth/token", data=body, headers=JSON)
            yield Outcome(f"login: {name}", DENIED, status if status == ACCEPTED else DENIED)

    def _tokens(self) -> Iterator[tuple[str, str]]:
        """Yield tokens that nobody gave out."""
        valid = self._token["Authorization"].removeprefix("Bearer ")
        head, claims, signature = valid.split(".")
        content = jwt.decode(valid, options={"verify_signature": False})
        algorithm = str(jwt.get_unverified_header(valid)["alg"])

        def part(value: Any) -> str:
            return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

        yield "no algorithm", f"{part({'alg': 'none', 'typ': 'JWT'})}.{claims}."
        yield "no signature", f"{head}.{claims}."
        yield "other claims", f"{head}.{part(content | {'sub': 'root'})}.{signature}"
        yield (
            "a key in the header",
            f"{part({'alg': algorithm, 'jwk': {'kty': 'oct', 'k': 'YQ'}})}.{claims}.{signature}",
        )
        yield "a file as key", f"{part({'alg': algorithm, 'kid': '/dev/null'})}.{claims}.{signature}"
        for name in ("api", "s3", "slack"):
            yield f"signed with the key {name}", jwt.encode(content, self._secret(name), algorithm)
        yield "signed with a guess", jwt.encode(content, "secret" * 12, algorithm)
        expired = content | {"exp": int(time.time()) - 3600}
        yield "expired", jwt.encode(expired, self._secret("jwt"), algorithm)
        yield "for tasks", jwt.encode(content | {"aud": "urn:airflow.apache.org:task"}, self._secret("jwt"), algorithm)
        yield "empty", "x"
        yield "deep", f"{part({'alg': algorithm})}.{urlsafe_b64encode(b'[' * 20_000).decode()}.{signature}"

    def _model_server(self) -> Iterator[Outcome]:
        if "model_server" not in self.target.stack.services:
            return
        url = local_url(self.target.stack.state, "model_server")
        for host in strangers.HOSTS:
            status = _status("GET", f"{url}/health", headers={"Host": host})
            yield Outcome(f"model server, host {host[:40]!r}", REFUSED, status)
        for name, body in strangers.PREDICTIONS.items():
            status = _status("POST", f"{url}/predictions", data=body, headers=JSON)
            yield Outcome(f"model server: {name}", REFUSED, status)

    def _begin_requests(self, begun: ExitStack) -> None:
        stack = self.target.stack
        for port in ("api", *({"model_server"} & set(stack.services))):
            for content in strangers.HALF:
                connection = begun.enter_context(socket.create_connection(("127.0.0.1", stack.state.port(port))))
                connection.sendall(content)

    def _sources(self) -> Iterator[Outcome]:
        folder = self.target.stack.dags
        (folder / "sources").mkdir()
        for name, text in (sources.VALID | sources.INVALID).items():
            content = text if isinstance(text, bytes) else text.encode()
            (folder / "sources" / f"{name}.yaml").write_bytes(content.replace(b"name: NAME", b"name: " + name.encode()))
        (folder / "hostile_sources.py").write_text(DEFINE)
        (folder / "hostile_check.py").write_text(CHECK)
        outcomes = parse(self.target.stack, ["hostile_sources.py", "hostile_check.py"])
        ids, error = outcomes["hostile_sources.py"].dag_ids, outcomes["hostile_check.py"].error
        for name in sources.VALID:
            yield Outcome(f"source: {name}", "a DAG", "a DAG" if f"process_{name}_data" in ids else "none")
        for name in sources.INVALID:
            both = f"process_{name}_data" in ids, f"/{name}.yaml" in error
            yield Outcome(f"source: {name}", "an error", "an error" if both == (False, True) else f"{both}")

    def _sent(self, name: str, expected: str, path: str, body: bytes) -> Outcome:
        return Outcome(name, expected, _status("POST", self._url + path, data=body, headers=JSON | self._token))

    def _get(self, path: str, **headers: str) -> requests.Response:
        request = requests.Request("GET", self._url, headers=self._token | headers).prepare()
        request.url = self._url + path  # as it is
        with requests.Session() as session:
            return session.send(request, timeout=60, allow_redirects=False)

    def _secret(self, name: str) -> str:
        return str(json.loads((self.target.stack.state.root / "secrets.json").read_text())[name])

    def _ids_of(self, file: str) -> list[str]:
        if file not in self._ids:
            there = (self.target.stack.dags / file).exists()
            self._ids[file] = parse(self.target.stack, [file])[file].dag_ids if there else []
        return self._ids[file]


def _status(method: str, url: str, data: bytes = b"", **options: Any) -> str:
    """Return the kind of the response's status, such as ``4xx``.

    A server may close the connection without a response while it receives too large a body, which is a refusal, too;
    whether it still runs is checked afterwards.
    """
    try:
        return _kind(requests.request(method, url, data=data, timeout=60, **options))
    except requests.ConnectionError:
        return REFUSED if len(data) > LARGE else "no response"


def _kind(response: requests.Response) -> str:
    return f"{response.status_code // 100}xx"
