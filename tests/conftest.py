"""Keep Airflow's files out of the home folder: set a temporary folder before any test imports Airflow.

The servers that the tests start listen on the loopback interface, so calls to it are allowed.
"""

from __future__ import annotations

import atexit
import os
import signal
import tempfile
from pathlib import Path

for signum in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C does, they end the tests with what these have started
    signal.signal(signum, signal.default_int_handler)

home = tempfile.TemporaryDirectory(prefix="spellbook-airflow-")
atexit.register(home.cleanup)
os.environ["AIRFLOW_HOME"] = home.name
os.environ["AIRFLOW_CONFIG"] = str(Path(__file__).parent.parent / "airflow.cfg")
os.environ["OMP_NUM_THREADS"] = "1"  # models are small here: threads would spend their time waiting for one another
os.environ["LOKY_MAX_CPU_COUNT"] = "1"  # and processes would only import libraries
os.environ["SPELLBOOK_PRIVATE_NETWORKS"] = "127.0.0.0/8,::1"
