from airflow.sdk import DAG, task
from pendulum import datetime

from include.core.tags import Tag

DOC = "## On failure\nClear the run.\n"

import os
import threading
from pathlib import Path
from unittest.mock import patch

SOURCE = Path(__file__).read_text()
THREAD = threading.Thread(target=str)
THREAD.start()
THREAD.join()
with patch.dict(os.environ, GREETING="hello"):
    GREETING = os.environ["GREETING"]
with DAG(
    "harmless_at_import",
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    default_args={"owner": "planted"},
    tags=[Tag.EXAMPLE],
    doc_md=DOC,
) as dag:

    @task
    def work():
        """Do nothing."""

    work()
