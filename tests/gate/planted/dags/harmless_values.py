from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
from pendulum import datetime

from include.core.tags import Tag

DOC = "## On failure\nClear the run.\n"

with DAG(
    "harmless_values",
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    default_args={"owner": "planted"},
    tags=[Tag.EXAMPLE],
    doc_md=DOC,
) as dag:
    BashOperator(
        task_id="references",
        bash_command="PGPASS""WORD=$PASSWORD psql --pass""word {{ conn.postgres_default.password }} {{ ds }}",
        env={
            "PGPASS" "WORD": "{{ conn.postgres_default.password }}",
            "PASSWORD_FILE": "/run/secrets/warehouse",
            "TOKEN_URL": "https://login.example.com/oauth2/v2.0/token",
            "API_TOKEN": "${API_TOKEN}",
            "SEC" + "RET": "airflow-warehouse-credentials",
            "SPREADSHEET_ID": "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms",
            "MAX_TOKENS": "4096",
            "IMAGE": "registry.example.com/etl/big_data_jobs@sha256:9f86d081884c7d659a2feaa0c55ad0159f86d081884c7d659a2feaa0c55ad015",
            "RUN": "01890a5d-ac96-774b-bcce-b302099a8057",
            "SOURCE": "s3://lake/exports/Year2024/Q3/CustomerOrdersByRegion_v2/part-00001.snappy.parquet",
            "PLAN": "q9Zt4LmX7cW2vB8kR1nYs6Ju",  # pragma: allowlist secret
        },
    )
