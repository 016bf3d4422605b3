"""Sensors that others of the field lack something for."""
