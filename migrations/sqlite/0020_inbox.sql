-- Every delivery from a machine as it was received, committed before it is answered.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    -- What it is about: alerts, changes, traces, logs, checks.
    kind TEXT NOT NULL,
    -- Who sent it: alertmanager, github, otlp …
    source TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'processed', 'failed', 'rejected')),
    received_at BIGINT NOT NULL,
    -- The ingest token's name; empty when none was accepted.
    token_name TEXT NOT NULL DEFAULT '',
    path TEXT NOT NULL,
    content_type TEXT NOT NULL DEFAULT '',
    -- A JSON object of the headers worth keeping, secrets left out.
    headers TEXT NOT NULL DEFAULT '{}',
    -- Of the body as sent, after decompression; the stored part may be shorter.
    size BIGINT NOT NULL,
    -- What the sender was answered.
    http_status BIGINT NOT NULL,
    -- Why it was rejected or failed, or a remark about one that was processed.
    reason TEXT NOT NULL DEFAULT '',
    attempts BIGINT NOT NULL DEFAULT 0,
    -- When a pending one may be tried (again).
    due_at BIGINT NOT NULL,
    processed_at BIGINT
);
CREATE INDEX deliveries_by_time ON deliveries (received_at, id);
CREATE INDEX deliveries_by_status ON deliveries (status, received_at, id);
CREATE INDEX deliveries_by_source ON deliveries (kind, source, received_at, id);
CREATE INDEX deliveries_due ON deliveries (due_at, id) WHERE status = 'pending';

-- Apart from its head, so that lists read no bodies.
CREATE TABLE delivery_bodies (
    delivery_id BIGINT PRIMARY KEY REFERENCES deliveries (id) ON DELETE CASCADE,
    encoding TEXT NOT NULL CHECK (encoding IN ('identity', 'zstd')),
    -- Whether the end was cut off at the size limit.
    truncated BOOLEAN NOT NULL,
    body BLOB NOT NULL
);

-- What is set for one source or one sender: signature secrets, a mapping.
CREATE TABLE inbox_sources (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    -- Signing secrets, one a line, the newest first.
    secrets TEXT NOT NULL DEFAULT '',
    mapping TEXT NOT NULL DEFAULT '',
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    UNIQUE (kind, source)
);
