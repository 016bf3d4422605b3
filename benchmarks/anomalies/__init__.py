"""Clean loads that are blocked, and bad ones that are found: ``python -m benchmarks.anomalies``."""
