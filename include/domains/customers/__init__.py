"""The customer report: each customer's purchases of a day."""
