"""Where the shops' files arrive, how long they are waited for, and who reads the report."""

from __future__ import annotations

from include.core.settings import Connection, EnvironmentKey

TILLS = Connection(
    "tills_default", "http", "upstreams", "The shops' till system, asked whether a day is closed.", optional=True
)
RETAIL_BUCKET = EnvironmentKey(
    "SPELLBOOK_RETAIL_BUCKET", "spellbook-arrivals", "S3 bucket into which retail/online_retail_<day>.csv is put."
)
RETAIL_PATIENCE = EnvironmentKey(
    "SPELLBOOK_RETAIL_PATIENCE", "21600", "Seconds that retail_arrival waits for the tills, and again for the file."
)
RETAIL_MAIL = EnvironmentKey(
    "SPELLBOOK_RETAIL_MAIL", "retail@example.com", "Who gets the retail report, and is told when no file came."
)
