"""What Airflow 3 removed, and what to write instead in a DAG file of Airflow 2."""
