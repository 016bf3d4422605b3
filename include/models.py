"""Every model that is served and watched, collected from the domains.

A domain declares its own as a constant in ``include/domains/<domain>/spec.py``.
"""

from __future__ import annotations

from include import domains
from include.core.ml.specs import collect_specs

SPECS = collect_specs(domains)
