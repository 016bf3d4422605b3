"""The sample APIs, a module each: ``routes`` says what it serves, :class:`Dataset` constants from which recordings."""
