"""Long-running jobs in an external service: start, poll, cancel, and load their results."""

OWNS = ("devstack/upstreams/apis/jobs.py", "tests/integration/upstreams/test_upstreams_jobs.py")
"""Further files that belong to this domain."""
