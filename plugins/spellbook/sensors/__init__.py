"""Sensors that extend those of the providers."""
