"""The containers' limits, permissions and secrets."""

from __future__ import annotations

import json

import pytest

from deploy.compose.secrets import SECRETS
from tests.e2e.compose.stack import Compose

ONE_SHOT = {"secrets", "databases", "airflow-init"}
AIRFLOW = (
    "airflow-apiserver",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
    "airflow-worker",
    "airflow-worker-finance",
)
WORKERS = ("airflow-worker", "airflow-worker-finance")
SIXTY_MINUTES = 3600


def test_every_service_is_healthy_and_every_job_is_done(compose: Compose) -> None:
    for container in compose.containers():
        if container["Service"] in ONE_SHOT:
            assert (container["State"], container["ExitCode"]) == ("exited", 0), container
        else:
            assert (container["State"], container["Health"]) == ("running", "healthy"), container


def test_the_stack_is_healthy_within_three_minutes(compose: Compose) -> None:
    assert int(compose.settings["STARTED"]) < 180


def test_only_the_web_ui_is_published_and_only_to_this_machine(compose: Compose) -> None:
    published = {
        (service, binding["HostIp"], binding["HostPort"])
        for service, details in compose.inspect().items()
        for bindings in details["NetworkSettings"]["Ports"].values()
        for binding in bindings or ()
    }
    assert published == {("airflow-apiserver", "127.0.0.1", str(compose.port))}


def test_every_container_has_limits_and_no_extra_privileges(compose: Compose) -> None:
    for service, details in compose.inspect().items():
        host = details["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert not host["CapAdd"], service
        assert not host["Privileged"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert host["Memory"] > 0, service
        assert host["PidsLimit"] > 0, service
        assert host["RestartPolicy"]["Name"] == "unless-stopped", service
        assert host["LogConfig"]["Config"].keys() >= {"max-size", "max-file"}, service
        assert details["Config"]["Healthcheck"]["Test"], service


@pytest.mark.parametrize("service", AIRFLOW)
def test_airflow_runs_as_its_own_user_without_capabilities(compose: Compose, service: str) -> None:
    status = dict(
        line.split(":\t", 1) for line in compose.inside(service, "cat", "/proc/1/status").splitlines() if ":\t" in line
    )
    assert status["Uid"].split() == ["50000"] * 4
    assert int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1"


def test_workers_are_given_time_for_their_longest_task(compose: Compose) -> None:
    inspected = compose.inspect()
    for worker in WORKERS:
        assert inspected[worker]["Config"]["StopTimeout"] > SIXTY_MINUTES


def test_no_secret_is_in_an_environment_a_command_line_or_a_log(compose: Compose) -> None:
    visible = {service: json.dumps(details) for service, details in compose.inspect().items()}
    visible["logs"] = compose.run("logs", "--no-log-prefix").stdout
    assert len(compose.secrets) == len(SECRETS) - 1, "every secret but the webhook, which isn't set"
    leaks = [(name, place) for name, value in compose.secrets.items() for place in visible if value in visible[place]]
    assert leaks == []


@pytest.mark.parametrize("worker", WORKERS)
def test_a_worker_holds_neither_the_metadata_database_nor_the_signing_key(compose: Compose, worker: str) -> None:
    files = compose.inside(worker, "sh", "-c", "cd /run/secrets && find . -name value").split()
    assert sorted(files) == ["./redis-password/value", "./results-password/value"]
    output = compose.inside(worker, "airflow", "config", "get-value", "database", "sql_alchemy_conn")
    assert output.splitlines()[-1] == "sqlite://"
