"""Daily weather by city: ask an upstream, keep its raw answers, check and convert them, load them."""
