"""The embedded stack: everything that the DAGs talk to, as real servers on the loopback interface, without Docker."""
