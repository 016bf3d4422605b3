"""Base class of the hooks."""

from __future__ import annotations

from airflow.sdk import BaseHook

from include.core.errors import ConfigurationError, UpstreamError


class ClientHook(BaseHook):
    """A hook whose client has a method ``check`` that makes one call and returns the service's URL."""

    def test_connection(self) -> tuple[bool, str]:
        """Make one call; return whether it succeeded, and a message."""
        try:
            return True, f"{self.get_conn().check()} responded"
        except (ConfigurationError, UpstreamError) as error:
            return False, str(error)
