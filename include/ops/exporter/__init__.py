"""What Prometheus can't learn from Airflow: how fresh the data is, whether alerts leave, and who serves the queues."""
