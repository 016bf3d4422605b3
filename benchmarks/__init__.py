"""Benchmarks with baselines and limits: `make bench`."""
