"""A Prometheus exporter for what Airflow has no metrics for: freshness of data, undelivered alerts, queue workers."""
