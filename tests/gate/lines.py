"""The lines that a finding about each planted case must name."""

from __future__ import annotations

# Planted case → each rule that it breaks, and what stands in the line that breaks it.
LINES: dict[str, set[tuple[str, str]]] = {
    "cycle": {
        ("cycle", "one >> two >> one"),
    },
    "deadline_in_dag_file": {
        ("deadlines", "deadline=DeadlineAlert("),
    },
    "deprecated_import": {
        ("warning", "from airflow.operators.python import PythonOperator"),
    },
    "directory_at_import": {
        ("directory", 'os.chdir("/")'),
    },
    "duplicate_id": {
        ("duplicate_id", "with DAG("),
    },
    "environment_at_import": {
        ("environment", 'os.environ["GREETING"] = "hello"'),
    },
    "exit_at_import": {
        ("exit", 'sys.exit("configuration missing")'),
        ("import_error", 'sys.exit("configuration missing")'),
    },
    "file_at_import": {
        ("file_written", 'Path(folder, "cities.txt").write_text("Vienna")'),
        ("file_written", "with tempfile.TemporaryDirectory() as folder:"),
    },
    "hard_exit_at_import": {
        ("exit", "os._exit(0)"),
    },
    "hash_order": {
        ("stability", "work(list(CITIES))"),
    },
    "heavy_import": {
        ("cost", "import numpy"),
        ("heavy_import", "import numpy"),
    },
    "hidden_clock": {
        ("stability", 'work(getattr(time, "time")() // 86_400)'),
    },
    "import_error": {
        ("import_error", "import no_such_package"),
    },
    "infinite_loop": {
        ("cost", "while True:"),
        ("hung", "while True:"),
    },
    "no_doc": {
        ("documentation", "with DAG("),
    },
    "no_heading": {
        ("advice", 'DOC = "## What\\nNothing.\\n"'),
    },
    "no_limits": {
        ("params", '"plain": 5,'),
        ("params", '"rows": Param('),
        ("params", '"share": Param('),
        ("params", '"sizes": Param('),
    },
    "no_owner": {
        ("owner", 'with DAG("no_owner"'),
    },
    "no_retries": {
        ("retries", "@task(retries=0)"),
    },
    "no_runbook": {
        ("runbook", "docs/runbooks/no_such_page.md"),
    },
    "no_tags": {
        ("tags", "with DAG("),
    },
    "no_tasks": {
        ("not_empty", "with DAG("),
    },
    "no_timeout": {
        ("timeouts", "@task(execution_timeout=None)"),
    },
    "not_a_dag": {
        ("no_dag", '"""A module of helpers that strayed into the DAG folder."""'),
    },
    "now_in_construction": {
        ("constant", "start_date=datetime.datetime.now(),"),
        ("stability", "start_date=datetime.datetime.now(),"),
    },
    "plain": {
        ("documentation", "with DAG(dag_id"),
        ("owner", "with DAG(dag_id"),
        ("pools", '@task(pool="ours")'),
        ("tags", "with DAG(dag_id"),
    },
    "process_at_import": {
        ("process", 'COMMIT = subprocess.run(["git", "--version"], check=False)'),
    },
    "random_in_construction": {
        ("stability", "work(random.SystemRandom().random())"),
    },
    "secret_encoded": {
        ("stability", 'work(base64.b64encode(f"{user}:{password}".encode()).decode())'),
        ("stored_secret", 'work(base64.b64encode(f"{user}:{password}".encode()).decode())'),
    },
    "secret_in_argument": {
        ("stability", 'work(CONNECTION.get("password"))'),
        ("stored_secret", 'work(CONNECTION.get("password"))'),
    },
    "signal_at_import": {
        ("signal", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"),
    },
    "slow_code": {
        ("cost", "TOTAL = sum(number * number for number in range(3_000_000))"),
    },
    "spawned_at_import": {
        ("process", 'STATUS = ctypes.CDLL(None).system(b"true")'),
    },
    "swallowed_exit": {
        ("exit", 'sys.exit("configuration missing")'),
    },
    "swallowed_query": {
        ("network", 'psycopg2.connect("postgresql://127.0.0.1:9/warehouse")'),
    },
    "swallowed_request": {
        ("network", 'CITIES = requests.get("http://127.0.0.1:9/cities", timeout=1).text'),
    },
    "syntax_error": {
        ("import_error", "def broken(:"),
    },
    "thread_at_import": {
        ("thread", 'threading.Thread(target=threading.Event().wait, name="poller").start()'),
    },
    "too_many_slots": {
        ("pools", '@task(pool="cpu_bound_pool", pool_slots=3)'),
    },
    "top_level_connection": {
        ("lookup", 'HOST = BaseHook.get_connection("postgres_default").host'),
    },
    "top_level_request": {
        ("import_error", 'CITIES = requests.get("http://127.0.0.1:9/cities", timeout=1).text'),
        ("network", 'CITIES = requests.get("http://127.0.0.1:9/cities", timeout=1).text'),
    },
    "top_level_variable": {
        ("lookup", 'GREETING = Variable.get("greeting", default="hello")'),
    },
    "unknown_connection": {
        ("connections", 'SQLExecuteQueryOperator(task_id="query", conn_id="warehouse", sql="SELECT 1")'),
    },
    "unknown_connection_in_task": {
        ("connections", 'return PostgresHook("warehouse_default").get_first("SELECT 1")'),
    },
    "unknown_pool": {
        ("pools", '@task(pool="weather_apy")'),
    },
    "unknown_queue": {
        ("queues", '@task(queue="nightly")'),
    },
    "unknown_tag": {
        ("tags", 'tags=["wheather"],'),
    },
    "unregistered_timetable": {
        ("not_stored", 'schedule=Lunchtime("0 12 * * *", timezone="UTC"),'),
    },
    "written_secrets": {
        *(
            ("written_secret", f'task_id="{name}"')
            for name in ("name", "command", "option", "json", "pod", "not_stored")
        ),
        ("written_secret", "task_id=name"),
        ("written_secret", "URI = "),
    },
    "wrong_name": {
        ("import_error", "from include.core.tags import NoSuchTag, Tag"),
    },
}
