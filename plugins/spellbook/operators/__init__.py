"""Operators that the providers don't have, or not quite."""
