"""``docs/DAGS.md``, made from the DAGs themselves."""
