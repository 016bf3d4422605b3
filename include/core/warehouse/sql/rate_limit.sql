-- One row for each limited upstream, shared by every worker.
CREATE TABLE IF NOT EXISTS rate_limit (
    upstream text PRIMARY KEY,
    -- The last calls granted, oldest first; the newest may lie ahead, when its caller still waits for it.
    slots timestamp with time zone[] NOT NULL DEFAULT '{}',
    -- No call before this time: the upstream has asked us to wait.
    held_until timestamp with time zone NOT NULL DEFAULT '-infinity'
);
