"""One DAG a source: ``<name>.yaml`` says what to ask, which rows to accept and when; the rest is shared."""
