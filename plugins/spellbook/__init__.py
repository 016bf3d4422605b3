"""Airflow extension points of this repository; `plugins/` is on the path of every Airflow process."""
