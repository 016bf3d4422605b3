from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, BaseOperator
from pendulum import datetime

from include.core.tags import Tag

DOC = "## On failure\nClear the run.\n"

# The secrets are put together so that scanners of files don't find them.
KEY_ID = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB = "gh" + "p_" + "abc123" * 6
GITHUB_PAT = "github" + "_pat_" + "11ABcdEFG0" * 3
GITLAB = "gl" + "pat-" + "abcxyz0123" * 2
JWT = "ey" + "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123"
PRIVATE_KEY = "-----BEGIN" + " RSA PRIVATE KEY-----"
SLACK = "https://hooks." + "slack.com/services/T0AAAAAAA/B0AAAAAAA/abcdefghij"
URI = "postgresql://canary" + ":tweet@warehouse/spellbook"
RANDOM = "q9Zt4LmX7c" + "W2vB8kR1nYs6Ju"
HEX = bytes(range(7, 247, 15)).hex()


class Load(BaseOperator):
    """An operator whose argument isn't a template, so Airflow doesn't store it."""

    def __init__(self, *, password: str, **arguments) -> None:
        super().__init__(**arguments)

    def execute(self, context) -> None:
        """Do nothing."""


with DAG(
    "written_secrets",
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    default_args={"owner": "planted"},
    tags=[Tag.EXAMPLE],
    doc_md=DOC,
) as dag:
    BashOperator(task_id="name", bash_command="psql", env={"PGPASS" + "WORD": "tweet"})
    BashOperator(task_id="command", bash_command="PGPASS" + "WORD=tweet psql")
    BashOperator(task_id="option", bash_command="psql --pass" + "word tweet")
    BashOperator(task_id="json", bash_command="echo", env={"BODY": '{"api' + '_key": "tweet1234"}'})
    BashOperator(task_id="pod", bash_command="echo", params={"env": [{"name": "API_TO" + "KEN", "value": "tweet-1234"}]})
    Load(task_id="not_stored", **{"pass" + "word": "tweet"})
    for name, value in {
        "aws": KEY_ID,
        "github": GITHUB,
        "github_pat": GITHUB_PAT,
        "gitlab": GITLAB,
        "jwt": JWT,
        "private_key": PRIVATE_KEY,
        "slack": SLACK,
        "uri": URI,
        "random": RANDOM,
        "hex": HEX,
    }.items():
        BashOperator(task_id=name, bash_command="echo", env={"VALUE": value})
