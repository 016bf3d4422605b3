"""Measurements, each beside its baseline and its limit: `make bench`."""
