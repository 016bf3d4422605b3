"""Generate ``docs/DAGS.md`` from the DAGs."""
