"""Connection and environment keys of the retail example."""

from __future__ import annotations

from include.core.settings import Connection, EnvironmentKey

TILLS = Connection(
    "tills_default", "http", "upstreams", "The shops' till system; reports whether a day is closed.", optional=True
)
RETAIL_BUCKET = EnvironmentKey(
    "SPELLBOOK_RETAIL_BUCKET", "spellbook-arrivals", "S3 bucket that receives retail/online_retail_<day>.csv."
)
RETAIL_PATIENCE = EnvironmentKey(
    "SPELLBOOK_RETAIL_PATIENCE", "21600", "Seconds that retail_arrival waits for the tills, and then for the file."
)
RETAIL_MAIL = EnvironmentKey(
    "SPELLBOOK_RETAIL_MAIL",
    "retail@example.com",
    "Recipient of the retail report, and of the mail when no file arrived.",
)
