"""What the REST API shows of an installation's history, in a form in which two versions of Airflow can be compared."""

from __future__ import annotations

from typing import Any

from devstack.api import Airflow

Snapshot = dict[str, list[dict[str, Any]]]

ENDED = {"success", "failed"}
FIELDS = {
    "runs": "dag_id dag_run_id run_type state logical_date data_interval_start data_interval_end start_date end_date"
    " run_after conf note triggered_by",
    "task_instances": "dag_id dag_run_id task_id map_index state try_number start_date end_date operator pool queue"
    " rendered_map_index",
    "tries": "dag_id dag_run_id task_id map_index try_number state start_date end_date",
    "xcoms": "dag_id run_id task_id map_index key value",
    "events": "uri name extra source_dag_id source_run_id source_task_id source_map_index timestamp",
    "connections": "connection_id conn_type description host login schema port",
    "variables": "key value",
    "pools": "name slots description",
    "backfills": "dag_id from_date to_date dag_run_conf is_paused reprocess_behavior max_active_runs",
    "versions": "dag_id version_number bundle_name",
}


def take(airflow: Airflow, *, single: bool = True) -> Snapshot:
    """Return everything that is readable of the runs that have ended, and the settings in the database.

    ``single=False`` leaves out what takes a request for each task instance: tries, XComs, logs.
    """
    runs = [run for run in airflow.pages("/dags/~/dagRuns", "dag_runs") if run["state"] in ENDED]
    ended = {(run["dag_id"], run["dag_run_id"]) for run in runs}
    instances = [
        instance
        for instance in airflow.pages("/dags/~/dagRuns/~/taskInstances", "task_instances")
        if (instance["dag_id"], instance["dag_run_id"]) in ended
    ]
    content = {
        "runs": runs,
        "task_instances": instances,
        "events": airflow.pages("/assets/events", "asset_events"),
        "connections": airflow.pages("/connections", "connections"),
        "variables": airflow.pages("/variables", "variables"),
        "pools": airflow.pages("/pools", "pools"),
        "backfills": [
            backfill
            for dag_id in sorted({run["dag_id"] for run in runs})
            for backfill in airflow.get("/backfills", dag_id=dag_id)["backfills"]
        ],
        "versions": airflow.pages("/dags/~/dagVersions", "dag_versions"),
    }
    if single:
        content |= {
            "tries": [
                attempt
                for instance in instances
                for attempt in airflow.get(f"{_path(instance)}/tries")["task_instances"]
            ],
            "xcoms": [
                _with_value(airflow, entry)
                for entry in airflow.pages("/dags/~/dagRuns/~/taskInstances/~/xcomEntries", "xcom_entries")
                if (entry["dag_id"], entry["run_id"]) in ended
            ],
        }
    snapshot = {
        name: [{field: item.get(field) for field in FIELDS[name].split()} for item in items]
        for name, items in content.items()
    }
    if single:
        snapshot["logs"] = [_log(airflow, instance) for instance in instances if instance["try_number"]]
    return snapshot


def _path(instance: dict[str, Any]) -> str:
    path = f"/dags/{instance['dag_id']}/dagRuns/{instance['dag_run_id']}/taskInstances/{instance['task_id']}"
    return path if instance["map_index"] < 0 else f"{path}/{instance['map_index']}"


def _with_value(airflow: Airflow, entry: dict[str, Any]) -> dict[str, Any]:
    path = (
        f"/dags/{entry['dag_id']}/dagRuns/{entry['run_id']}/taskInstances/{entry['task_id']}/xcomEntries/{entry['key']}"
    )
    return entry | {"value": airflow.get(path, map_index=entry["map_index"])["value"]}


def _log(airflow: Airflow, instance: dict[str, Any]) -> dict[str, Any]:
    """Return the lines of a log, without those about where it was found."""
    names = ("dag_id", "dag_run_id", "task_id", "map_index", "try_number")
    lines = [line for line in airflow.log(instance) if line.strip(":") and "::" not in line]
    return {name: instance[name] for name in names} | {"lines": lines}
