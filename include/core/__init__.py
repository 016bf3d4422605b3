"""Shared services: they know no domain."""
