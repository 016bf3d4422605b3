"""The one way to load a table: audited, fenced, and the same after a repeat, an overlap or a kill."""
