"""``python -m include.domains.analytics``: regenerate the dbt project's manifest (`make manifest`)."""

from __future__ import annotations

from include.domains.analytics.manifest import MANIFEST, generate

MANIFEST.write_text(generate(), encoding="utf-8")
print(f"wrote {MANIFEST}")
