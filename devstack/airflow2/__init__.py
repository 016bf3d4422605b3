"""DAG files that were written for Airflow 2: what Airflow 3 removed, and bringing a file up to date."""
