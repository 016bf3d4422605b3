"""Notifiers: callbacks that a DAG author configures."""
