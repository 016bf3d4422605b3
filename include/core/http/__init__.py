"""Calls of HTTP APIs: what may be called, how often, and what may come back."""
