"""Shared by all models: evaluation, safe model files, the registry, serving, drift, plots."""
