"""Logs, prints and passes on a secret."""

from __future__ import annotations

import logging
import subprocess
import sys

from airflow.sdk import dag, task
from airflow.sdk.log import mask_secret


@dag(schedule=None)
def talking() -> None:
    """Say the secret in each way."""

    @task
    def talk() -> None:
        """Say it."""
        secret = "-".join(["open", "sesame", "3003"])
        mask_secret(secret)
        logging.getLogger("spell").warning("logged %s", secret)
        print("printed", secret)
        subprocess.run([sys.executable, "-c", f"print('passed on {secret}')"], check=True)

    talk()


talking()
