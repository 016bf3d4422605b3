"""Daily weather by city: request it from an API, keep the raw responses, convert, validate and load them."""
