"""``python -m include.domains.analytics``: write the dbt project's manifest anew (`make manifest`)."""

from __future__ import annotations

from include.domains.analytics.manifest import MANIFEST, make

MANIFEST.write_text(make(), encoding="utf-8")
print(f"wrote {MANIFEST}")
