"""The books: what the sales of a month come to."""
