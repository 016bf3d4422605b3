"""Fails at the first try, after many lines."""

from __future__ import annotations

import logging

import structlog
from airflow.sdk import dag, get_current_context, task
from airflow.sdk.log import mask_secret

LINES = 1_500


@dag(schedule=None)
def chronicle() -> None:
    """Write two logs."""

    @task(retries=1)
    def tell() -> None:
        """Tell of each try."""
        secret = "-".join(["open", "sesame", "4004"])
        mask_secret(secret)
        log = logging.getLogger("spell")
        number = get_current_context()["ti"].try_number
        log.info("try %s begins with %s", number, secret)
        for value in (1, "one", {"of": "three"}):
            structlog.get_logger("spell").info("a value of another type", value=value)
        if number == 1:
            for line in range(LINES):
                log.info("line %s", line)
            raise ValueError(f"the first try fails, with {secret}")

    tell()


chronicle()
