"""HTTP API clients with egress rules, rate limits and bounded responses."""
