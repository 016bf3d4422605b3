"""Every secret is provided or generated, validated before anything is written, and kept."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from deploy.compose import secrets
from deploy.compose.errors import SetupError

GOOD = "correct-horse-battery-staple"


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    for secret in secrets.SECRETS:
        (tmp_path / "volumes" / secret.name).mkdir(parents=True)
    return tmp_path / "volumes"


@pytest.fixture
def provided(tmp_path: Path) -> Path:
    folder = tmp_path / "provided"
    folder.mkdir()
    return folder


def values(volumes: Path) -> dict[str, str]:
    return {secret.name: secrets.read(secret.name, volumes=volumes) for secret in secrets.SECRETS}


def test_missing_secrets_are_generated_and_differ_between_installations(
    provided: Path, volumes: Path, tmp_path: Path
) -> None:
    origins = secrets.write_secrets({}, provided, volumes)
    assert set(origins.values()) == {"generated"}
    generated = values(volumes)
    Fernet(generated["fernet-key"])
    assert all(secret.problem(generated[secret.name]) is None for secret in secrets.SECRETS)
    elsewhere = tmp_path / "elsewhere"
    for secret in secrets.SECRETS:
        (elsewhere / secret.name).mkdir(parents=True)
    secrets.write_secrets({}, provided, elsewhere)
    generated_elsewhere = values(elsewhere)
    assert [name for name in generated if generated[name] and generated[name] == generated_elsewhere[name]] == []


def test_generated_secrets_are_kept(provided: Path, volumes: Path) -> None:
    secrets.write_secrets({}, provided, volumes)
    before = values(volumes)
    origins = secrets.write_secrets({}, provided, volumes)
    assert values(volumes) == before
    assert {name for name, origin in origins.items() if origin == "kept"} == set(before)


def test_a_file_overrides_the_environment_and_both_override_kept_secrets(provided: Path, volumes: Path) -> None:
    secrets.write_secrets({}, provided, volumes)
    secrets.write_secrets({"SPELLBOOK_REDIS_PASSWORD": GOOD}, provided, volumes)
    assert secrets.read("redis-password", volumes=volumes) == GOOD
    (provided / "redis-password").write_text("another-" + GOOD + "\n")
    origins = secrets.write_secrets({"SPELLBOOK_REDIS_PASSWORD": GOOD}, provided, volumes)
    assert secrets.read("redis-password", volumes=volumes) == "another-" + GOOD
    assert origins["redis-password"] == "provided"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("SPELLBOOK_ADMIN_PASSWORD", "short", "has 5 characters; at least 16 are required"),
        ("SPELLBOOK_ADMIN_PASSWORD", "airflow-airflow-", "contains a well-known word"),
        ("SPELLBOOK_ADMIN_PASSWORD", "two lines of text\nin one", "is not a single line of printable characters"),
        ("SPELLBOOK_JWT_SECRET", "x" * 63, "has 63 characters; at least 64 are required"),
        ("SPELLBOOK_FERNET_KEY", "nonsense", "is not 32 bytes in URL-safe base64"),
        ("SPELLBOOK_SLACK_WEBHOOK", "hooks.slack.com/x", "is not an http(s) URL"),
    ],
)
def test_a_bad_value_is_refused_by_name_and_changes_nothing(
    provided: Path, volumes: Path, variable: str, value: str, message: str
) -> None:
    secrets.write_secrets({}, provided, volumes)
    before = values(volumes)
    with pytest.raises(SetupError) as refusal:
        secrets.write_secrets({variable: value, "SPELLBOOK_REDIS_PASSWORD": GOOD}, provided, volumes)
    assert f"${variable}" in str(refusal.value)
    assert message in str(refusal.value)
    assert value not in str(refusal.value)
    assert values(volumes) == before


def test_two_fernet_keys_are_accepted_for_a_rotation(provided: Path, volumes: Path) -> None:
    both = f"{Fernet.generate_key().decode()},{Fernet.generate_key().decode()}"
    secrets.write_secrets({"SPELLBOOK_FERNET_KEY": both}, provided, volumes)
    assert secrets.read("fernet-key", volumes=volumes) == both


def test_passwords_are_quoted_in_urls_and_files(provided: Path, volumes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(secrets.METADATA_HOST, "pgbouncer")
    odd = 'p@ss/w:rd "with" \\odd#ends'
    names = ("METADATA", "REDIS", "MLFLOW", "RESULTS", "MONITOR")
    secrets.write_secrets({f"SPELLBOOK_{name}_PASSWORD": odd for name in names}, provided, volumes)

    def read(name: str, file: str) -> str:
        return secrets.read(name, file, volumes)

    quoted = "p%40ss%2Fw%3Ard%20%22with%22%20%5Codd%23ends"
    assert read("metadata-password", "url") == f"postgresql+psycopg2://airflow:{quoted}@pgbouncer:5432/airflow"
    assert read("metadata-password", "direct-url") == f"postgresql+psycopg2://airflow:{quoted}@postgres:5432/airflow"
    assert read("metadata-password", "userlist.txt") == '"airflow" "p@ss/w:rd ""with"" \\odd#ends"\n'
    assert read("redis-password", "url") == f"redis://:{quoted}@redis:6379/0"
    assert read("redis-password", "redis.conf") == 'requirepass "p@ss/w:rd \\"with\\" \\\\odd#ends"\n'
    assert quoted in read("mlflow-password", "url")
    assert quoted in read("results-password", "url")
    assert quoted in read("monitor-password", "url")


def test_a_missing_volume_is_named_with_the_user_and_the_fix(provided: Path, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"fernet-key.value can't be written by uid \d+.*chown secrets -R \d+:0"):
        secrets.write_secrets({}, provided, tmp_path / "nowhere")


def test_files_can_be_read_by_the_services_that_mount_them_and_written_by_none(provided: Path, volumes: Path) -> None:
    secrets.write_secrets({}, provided, volumes)
    for path in volumes.glob("*/*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o444, path
