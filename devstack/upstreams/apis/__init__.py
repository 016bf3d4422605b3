"""The sample APIs, one module each: ``routes`` returns its endpoints, :class:`Dataset` constants its recordings."""
