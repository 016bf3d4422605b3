"""With PgBouncer in front, Airflow's processes share a few server connections and work as before."""

from __future__ import annotations

from tests.e2e.compose.stack import Compose, finish, trigger


def test_airflow_goes_through_pgbouncer(compose: Compose) -> None:
    compose.settings |= {"COMPOSE_PROFILES": "demo,ml,scale", "SPELLBOOK_METADATA_HOST": "pgbouncer"}
    try:
        compose.run("stop", "airflow-apiserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
        compose.up()
        airflow = compose.airflow()
        assert finish(airflow, "my_first_spell", trigger(airflow, "my_first_spell")) == "success"
        pooled = compose.inspect()["pgbouncer"]["NetworkSettings"]["Networks"]
        addresses = compose.query(
            "postgres", "airflow", "SELECT DISTINCT host(client_addr) FROM pg_stat_activity WHERE usename = 'airflow'"
        )
        assert addresses == [(next(iter(pooled.values()))["IPAddress"],)]
    finally:  # the next test takes it all down
        del compose.settings["COMPOSE_PROFILES"], compose.settings["SPELLBOOK_METADATA_HOST"]
