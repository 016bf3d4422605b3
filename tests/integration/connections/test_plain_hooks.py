"""Every declared connection, as the embedded stack sets it up, works with the hook of its type's provider."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
from airflow.providers.http.hooks.http import HttpAsyncHook, HttpHook
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook
from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.sdk import BaseHook

from devstack import spark
from devstack.environment import Upstream, connections, process_environment
from devstack.metadata import DATABASE as METADATA
from devstack.postgres import Postgres
from devstack.stack import Stack
from devstack.state import State
from include.core.settings import PRIVATE_NETWORKS, Connection
from include.settings import CONNECTIONS
from tests.integration.conftest import folder_in_memory

HEALTH = "/health"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The running servers behind the connections, without Airflow."""
    with folder_in_memory(tmp_path_factory) as root:
        stack = Stack(State.open(root), durable=False)
        try:
            stack.ensure({connection.service for connection in CONNECTIONS} & set(stack.services))
            database = Postgres.of(stack.state, durable=False)
            database.prepare_warehouse()
            database.create_database(METADATA)
            yield stack
        finally:
            stack.stop()
            Postgres.of(stack.state, durable=False).remove()


@pytest.fixture(autouse=True)
def environment(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connections, in the environment as Airflow's processes have them."""
    values = connections(stack.state, Upstream.REPLAY) | spark.environment(process_environment()["PATH"])
    for name, value in (values | {PRIVATE_NETWORKS.name: PRIVATE_NETWORKS.embedded}).items():
        monkeypatch.setenv(name, value)


def http(conn_id: str, _: Path) -> None:
    assert HttpHook("GET", conn_id).run(HEALTH).ok

    async def call() -> int:
        async with aiohttp.ClientSession() as session:
            return (await HttpAsyncHook("GET", conn_id).run(session=session, endpoint=HEALTH)).status

    assert asyncio.run(call()) == 200


def postgres(conn_id: str, _: Path) -> None:
    assert PostgresHook(conn_id).get_first("SELECT current_database()") == (BaseHook.get_connection(conn_id).schema,)


def aws(conn_id: str, _: Path) -> None:
    hook, bucket = S3Hook(conn_id), f"plain-{uuid.uuid4()}"
    hook.create_bucket(bucket)
    hook.load_string("text", "key", bucket)
    assert hook.read_key("key", bucket) == "text"


def slack(conn_id: str, _: Path) -> None:
    assert SlackWebhookHook(slack_webhook_conn_id=conn_id).send(text="plain").status_code == 200


def smtp(conn_id: str, _: Path) -> None:
    with SmtpHook(conn_id) as hook:
        hook.send_email_smtp(to="a@example.com", subject="plain", html_content="text")


def spark_submit(conn_id: str, folder: Path) -> None:
    if not shutil.which("java"):
        pytest.skip("Spark needs Java")
    (folder / "application.py").write_text("print('plain')")
    SparkSubmitHook(conn_id=conn_id).submit(str(folder / "application.py"))


def kubernetes(conn_id: str, _: Path) -> None:
    hook = KubernetesHook(conn_id)
    assert hook.core_v1_client.list_namespaced_pod(hook.get_namespace()).items == []


def own(conn_id: str, _: Path) -> None:
    """A type of this repository."""
    assert BaseHook.get_hook(conn_id).test_connection()[0]


CHECKS: dict[str, Callable[[str, Path], None]] = {
    "http": http,
    "postgres": postgres,
    "aws": aws,
    "slackwebhook": slack,
    "smtp": smtp,
    "spark": spark_submit,
    "kubernetes": kubernetes,
}


@pytest.mark.filterwarnings(
    "ignore:BasicAuth is deprecated:DeprecationWarning",  # HttpAsyncHook's login, and the next
    "ignore:The 'auth' parameter is deprecated:DeprecationWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",  # SparkSubmitHook leaves a pipe open
)
@pytest.mark.parametrize("connection", CONNECTIONS, ids=lambda connection: connection.conn_id)
def test_the_hook_of_its_provider_works(connection: Connection, tmp_path: Path) -> None:
    CHECKS.get(connection.conn_type, own)(connection.conn_id, tmp_path)
