-- What the cache holds: small contents here, larger ones at url.
CREATE TABLE IF NOT EXISTS cache_entry (
    entry_key text PRIMARY KEY,
    cache_name text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    sha256 text NOT NULL,
    body bytea,
    url text,
    CHECK ((body IS NULL) <> (url IS NULL))
);
