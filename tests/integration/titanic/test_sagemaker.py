"""SageMaker's steps against moto's server, behind a proxy that throttles and refuses as AWS does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from airflow.providers.amazon.aws.triggers.sagemaker import SageMakerTrigger
from airflow.sdk.exceptions import TaskDeferred
from moto.server import ThreadedMotoServer
from upath import UPath

from include.core.ml import card
from include.core.ml.errors import NoChampionError
from include.core.ml.registry import Registry
from include.core.ml.sagemaker import definitions, deployment
from include.core.ml.sagemaker.errors import EndpointError, RefusedCallError, ThrottledError
from include.domains.titanic import settings
from include.domains.titanic.spec import TITANIC
from spellbook.operators import sagemaker
from spellbook.operators.sagemaker import CreateEndpointConfigOperator, CreateEndpointOperator, CreateModelOperator
from tests.integration.titanic.conftest import accept, evaluation_of, files_of

USER = "test"


class Gate:
    """Refuses calls of one SageMaker action a given number of times; forwards all others."""

    def __init__(self, upstream: str) -> None:
        self.upstream, self.url = upstream, ""
        self.action, self.times, self.code, self.message = "", 0, "", ""
        self.actions: list[str] = []

    def refuse(self, action: str, times: int, code: str, message: str = "Rate exceeded") -> None:
        self.action, self.times, self.code, self.message = action, times, code, message


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    moto = ThreadedMotoServer("127.0.0.1", 0)
    moto.start()
    host, port = moto.get_host_and_port()
    gate = Gate(f"http://{host}:{port}")

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            action = self.headers.get("X-Amz-Target", "").removeprefix("SageMaker.")
            gate.actions.append(action)
            if action and action == gate.action and gate.times > 0:
                gate.times -= 1
                content = json.dumps({"__type": gate.code, "message": gate.message}).encode()
                status, headers = 400, {"Content-Type": "application/x-amz-json-1.1"}
            else:
                forwarded = {name: value for name, value in self.headers.items() if name.lower() != "transfer-encoding"}
                response = requests.request(
                    self.command, gate.upstream + self.path, data=body, headers=forwarded, timeout=30,
                    allow_redirects=False,
                )  # fmt: skip
                content, status = response.content, response.status_code
                dropped = {"transfer-encoding", "content-length", "connection", "content-encoding", "date", "server"}
                headers = {name: value for name, value in response.headers.items() if name.lower() not in dropped}
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    for method in ("GET", "PUT", "POST", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.respond)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    gate.url = f"http://127.0.0.1:{server.server_port}"
    yield gate
    server.shutdown()
    server.server_close()
    thread.join()
    moto.stop()


@pytest.fixture
def aws(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """A client of a service, and the connection `aws_default`, both through the proxy."""
    requests.post(f"{gate.upstream}/moto-api/reset", timeout=10)
    gate.actions.clear()
    extra = {"endpoint_url": gate.url, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": USER, "password": USER, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    return lambda service: boto3.client(
        service, endpoint_url=gate.url, region_name="us-east-1", aws_access_key_id=USER, aws_secret_access_key=USER
    )


def create_model(name: str) -> CreateModelOperator:
    config = definitions.model(
        name, "s3://bucket/model.tar.gz", settings.SAGEMAKER_ROLE.read(), settings.SAGEMAKER_IMAGE.read()
    )
    return CreateModelOperator(task_id="create_model", config=config, aws_conn_id="aws_default")


def create_config(name: str) -> CreateEndpointConfigOperator:
    config = definitions.endpoint_config(name, settings.SAGEMAKER_INSTANCE.read())
    return CreateEndpointConfigOperator(task_id="create_endpoint_config", config=config, aws_conn_id="aws_default")


def create_endpoint(name: str) -> CreateEndpointOperator:
    return CreateEndpointOperator(
        task_id="create_endpoint",
        config={"EndpointName": name, "EndpointConfigName": name},
        aws_conn_id="aws_default",
        options={"check_interval": 3, "deferrable": True},
    )


def test_an_endpoint_is_created_once_and_waited_for(aws: Callable[[str], Any], gate: Gate) -> None:
    create_model("one").execute({})
    create_config("one").execute({})
    for _ in range(2):
        with pytest.raises(TaskDeferred) as waiting:
            create_endpoint("one").execute({})
        assert isinstance(waiting.value.trigger, SageMakerTrigger)
    assert gate.actions.count("CreateEndpoint") == 1
    create_endpoint("one").execute_complete({}, {"status": "success", "job_name": "one"})
    assert aws("sagemaker").describe_endpoint(EndpointName="one")["EndpointStatus"] == "InService"


def test_throttled_calls_are_retried_and_then_left_to_airflow(
    aws: Callable[[str], Any], gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.refuse("CreateModel", 2, "ThrottlingException")
    create_model("throttled").execute({})
    assert gate.actions.count("CreateModel") == 3
    assert aws("sagemaker").describe_model(ModelName="throttled")
    monkeypatch.setitem(sagemaker.BOTOCORE, "retries", {"mode": "standard", "max_attempts": 2})
    gate.refuse("CreateModel", 99, "ThrottlingException")
    with pytest.raises(ThrottledError, match=r"create_model: .*Rate exceeded"):
        create_model("more").execute({})
    gate.refuse("CreateModel", 0, "")


def test_refused_calls_are_not_retried(aws: Callable[[str], Any], gate: Gate) -> None:
    del aws
    gate.refuse("CreateModel", 1, "AccessDeniedException", "not authorized to perform sagemaker:CreateModel")
    with pytest.raises(RefusedCallError, match="not authorized"):
        create_model("refused").execute({})
    assert gate.actions.count("CreateModel") == 1


def test_an_existing_model_counts_as_created(aws: Callable[[str], Any], gate: Gate) -> None:
    del aws
    gate.refuse("CreateModel", 1, "ValidationException", 'Cannot create already existing model "arn:..."')
    create_model("again").execute({})


def test_a_deployment_is_removed_completely_and_no_other(aws: Callable[[str], Any]) -> None:
    for name in ("old", "old-2"):
        create_model(name).execute({})
        create_config(name).execute({})
        with pytest.raises(TaskDeferred):
            create_endpoint(name).execute({})
    client = aws("sagemaker")
    assert deployment.remove(client, "old") == ["endpoint", "configuration", "model"]
    assert deployment.remove(client, "old") == []
    assert [endpoint["EndpointName"] for endpoint in client.list_endpoints()["Endpoints"]] == ["old-2"]


def test_the_champion_is_packaged_and_its_predictions_are_verified(
    aws: Callable[[str], Any], gate: Gate, candidate: UPath, registry: Registry
) -> None:
    s3 = aws("s3")
    s3.create_bucket(Bucket="models")
    place = deployment.Bucket(s3, "models", registry.name)
    with pytest.raises(NoChampionError, match="train and deploy one first"):
        deployment.package(TITANIC, registry, place, "run")
    accept(candidate, registry)
    evaluation = evaluation_of(candidate)
    registry.promote(
        registry.publish(
            evaluation.name, files_of(candidate), Path(str(candidate.parent)), card.record(TITANIC, evaluation)
        )
    )
    packed = deployment.package(TITANIC, registry, place, "run")
    assert packed == deployment.package(TITANIC, registry, place, "run")
    assert packed.name != deployment.package(TITANIC, registry, place, "another run").name
    assert len(packed.name) <= 63
    assert place.live() is None
    place.switch(packed)
    assert place.live() == packed

    def set_response(body: str) -> None:
        results = {"results": [{"Body": body, "ContentType": "application/json"}]}
        requests.post(f"{gate.upstream}/moto-api/static/sagemaker/endpoint-results", json=results, timeout=10)

    runtime, requests_ = aws("sagemaker-runtime"), deployment.requests(registry, 1)
    expected = [{"survived": request.probability > 0.5, "probability": request.probability} for request in requests_]
    set_response(json.dumps({"predictions": expected}))
    deployment.verify(TITANIC, runtime, packed, requests_, compare=True)
    requests.post(f"{gate.upstream}/moto-api/reset", timeout=10)
    set_response(json.dumps({"predictions": [{"survived": False, "probability": 0.5}] * len(requests_)}))
    with pytest.raises(EndpointError, match="when the model was trained"):
        deployment.verify(TITANIC, runtime, packed, requests_, compare=True)
    requests.post(f"{gate.upstream}/moto-api/reset", timeout=10)
    set_response("Service Unavailable")
    with pytest.raises(EndpointError, match="instead of predictions"):
        deployment.verify(TITANIC, runtime, packed, requests_, compare=True)
