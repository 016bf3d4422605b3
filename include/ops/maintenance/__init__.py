"""Removes old files, rows and MLflow runs."""
