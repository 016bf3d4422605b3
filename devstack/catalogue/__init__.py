"""Generate ``docs/DAGS.md``, ``docs/datasets.md`` and ``docs/reference.md`` from the DAGs and what they declare."""
