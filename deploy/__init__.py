"""What takes this repository from a clone to a running Airflow: Compose and Helm."""
