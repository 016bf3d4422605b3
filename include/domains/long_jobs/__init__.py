"""Jobs that run elsewhere for longer than a task should: how they are started, watched, cancelled and read."""

OWNS = ("devstack/upstreams/apis/jobs.py", "tests/integration/upstreams/test_upstreams_jobs.py")
"""What goes with this domain, besides its package and what imports it."""
