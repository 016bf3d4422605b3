"""Operators that the providers lack, or that extend those of the providers."""
