"""Keep Airflow's files out of the home folder: whatever test imports it first finds a folder of its own.

The servers that the tests start listen on the loopback interface, so it may be called.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from pathlib import Path

home = tempfile.TemporaryDirectory(prefix="spellbook-airflow-")
atexit.register(home.cleanup)
os.environ["AIRFLOW_HOME"] = home.name
os.environ["AIRFLOW_CONFIG"] = str(Path(__file__).parent.parent / "airflow.cfg")
os.environ["SPELLBOOK_PRIVATE_NETWORKS"] = "127.0.0.0/8,::1"
