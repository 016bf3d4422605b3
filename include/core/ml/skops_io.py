"""``skops.io``, imported in a tenth of the time.

When it is imported, skops searches every loaded module for each function of numpy and scipy that doesn't name its
module: two seconds in a task, and a warning of each deprecated module. Here the functions get these names first.
"""

from __future__ import annotations

import sys

import numpy as np
import scipy.special  # noqa: F401  # its modules are searched

for name, module in sys.modules.copy().items():
    if name.startswith(("numpy", "scipy.special")):
        for function in vars(module).values():
            if isinstance(function, np.ufunc) and getattr(function, "__module__", None) is None:
                function.__module__ = name

from skops.io import dumps, get_untrusted_types, loads  # noqa: E402  # after the functions have their names

__all__ = ["dumps", "get_untrusted_types", "loads"]
