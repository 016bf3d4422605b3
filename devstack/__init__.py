"""The embedded stack: all services that the DAGs use, as real servers on the loopback interface, without Docker."""
