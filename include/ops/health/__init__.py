"""What the page "Data health" shows: read-only queries on the warehouse, with limits."""
