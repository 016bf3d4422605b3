"""``python -m devstack.scheduled_run DAG_ID DATE``: create the run that the scheduler would create."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.timetables.base import TimeRestriction
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from pendulum import instance


def main() -> None:
    """Create the run, or clear it if it exists."""
    dag_id, day = sys.argv[1:]
    start = instance(datetime.fromisoformat(day).replace(tzinfo=UTC))
    with create_session() as session:
        dag = DBDagBag().get_latest_version_of_dag(dag_id, session=session)
        if dag is None:
            sys.exit(f"there is no DAG {dag_id}")
        info = dag.timetable.next_dagrun_info(
            last_automated_data_interval=None, restriction=TimeRestriction(earliest=start, latest=None, catchup=True)
        )
        if info is None or info.logical_date is None or info.logical_date.date() != start.date():
            sys.exit(f"its schedule ({dag.timetable.summary}) has no run on {day}")
        run_id = dag.timetable.generate_run_id(
            run_type=DagRunType.SCHEDULED, run_after=info.run_after, data_interval=info.data_interval
        )
        existing = session.query(DagRun).filter_by(dag_id=dag_id, logical_date=info.logical_date).one_or_none()
        if existing:
            dag.clear(run_id=existing.run_id, session=session)
            print(existing.run_id)
            return
        dag.create_dagrun(
            run_id=run_id,
            logical_date=info.logical_date,
            data_interval=info.data_interval,
            run_after=info.run_after,
            run_type=DagRunType.SCHEDULED,
            triggered_by=DagRunTriggeredByType.CLI,
            state=DagRunState.QUEUED,
            session=session,
        )
    print(run_id)


if __name__ == "__main__":
    main()
