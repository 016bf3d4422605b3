"""What the example DAGs of this folder do."""

from __future__ import annotations


def fail_until(try_number: int, fail_times: int) -> int:
    """Return ``try_number`` if enough tries have failed.

    Raises:
        ConnectionError: on the first ``fail_times`` tries.
    """
    if try_number <= fail_times:
        raise ConnectionError(f"try {try_number} fails, as do the first {fail_times}")
    return try_number
