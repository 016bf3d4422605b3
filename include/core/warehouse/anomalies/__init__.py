"""Holds each load against the history of its dataset before it is published."""
