"""Applies the contract of a dataset to rows of any origin, vectorised and in bounded memory."""
