"""Plain DAGs that Airflow 3.2 and later load: what the metadata database of the rehearsal is filled with."""

from datetime import timedelta

import pendulum
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.sdk import Asset, Connection, Metadata, Param, Variable, dag, task

START = pendulum.datetime(2024, 6, 1, tz="UTC")
POTION = Asset("potion")


@dag(schedule="@daily", start_date=START, catchup=False, tags=["plain"], params={"herbs": Param(2, type="integer")})
def plain_success():
    """Map a task, add up what it returned, publish an asset, read a connection and a variable."""

    @task
    def collect(params=None, data_interval_start=None):
        return [{"herb": number, "day": str(data_interval_start)} for number in range(params["herbs"])]

    @task(pool="cauldrons")
    def grind(herb):
        return herb["herb"] + 1

    @task(outlets=[POTION])
    def brew(ground):
        total = sum(ground)
        print(f"brewed {total} in {Connection.get('cauldron').host}")
        assert Connection.get("cauldron").password == Variable.get("recipe", deserialize_json=True)["word"]
        yield Metadata(POTION, {"total": total})

    brew(grind.expand(herb=collect()))


@dag(schedule=[POTION], start_date=START, tags=["plain"])
def plain_reader():
    """Read the asset's events."""

    @task(inlets=[POTION])
    def drink(triggering_asset_events=None):
        return [event.extra["total"] for events in triggering_asset_events.values() for event in events]

    drink()


@dag(schedule=None, start_date=START, tags=["plain"])
def plain_failure():
    """Fail at the second try too, and skip what follows."""

    @task(retries=1, retry_delay=timedelta(seconds=1))
    def explode():
        raise RuntimeError("the cauldron exploded")

    @task
    def clean_up():
        pass

    explode() >> clean_up()


@dag(schedule=None, start_date=START, tags=["plain"])
def plain_waiter():
    """Wait for the other DAG's run of the same logical date, deferred and rescheduled."""

    def wait(name, poke_interval, **options):
        return ExternalTaskSensor(
            task_id=name,
            external_dag_id="plain_success",
            external_task_id="brew",
            poke_interval=poke_interval,
            timeout=timedelta(days=36500).total_seconds(),
            **options,
        )

    @task
    def finish():
        return "done"

    deferred = wait("deferred", 1, deferrable=True)
    rescheduled = wait("rescheduled", 30, deferrable=False, mode="reschedule")
    [deferred, rescheduled] >> finish()


plain_success()
plain_reader()
plain_failure()
plain_waiter()
