from airflow.sdk import DAG, Param, task
from pendulum import datetime

from include.core.tags import Tag

DOC = "## On failure\nClear the run.\n"

with DAG(
    "no_limits",
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    params={
        "rows": Param(1, type="integer", minimum=1),
        "share": Param(None, type=["null", "number"], minimum=0, maximum=10**30),
        "sizes": Param([1], type="array", items={"type": "number"}),
        "plain": 5,
        "good": Param(1, type="integer", minimum=1, exclusiveMaximum=9),
        "choice": Param(1, enum=[1, 2]),
    },
    default_args={"owner": "planted"},
    tags=[Tag.EXAMPLE],
    doc_md=DOC,
) as dag:

    @task
    def work():
        """Do nothing."""

    work()
