"""Every model that is served, collected from the domains.

A domain declares its own as a constant in ``include/domains/<domain>/spec.py``.
"""

from __future__ import annotations

from include import domains
from include.core.collect import collect_constants, import_modules
from include.core.ml.spec import ModelSpec

SPECS = collect_constants(ModelSpec, import_modules(domains, "spec"))
