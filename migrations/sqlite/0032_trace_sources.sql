-- Where traces already live: systems that are asked for a trace by its id.
CREATE TABLE trace_sources (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    -- Where its API answers, without a trailing slash.
    base_url TEXT NOT NULL,
    -- Where people look at it; empty when it is the same.
    page_url TEXT NOT NULL,
    -- Tenant, account, organisation or index patterns, as the kind needs.
    scope TEXT NOT NULL,
    -- Credentials: sent to the source, never shown.
    username TEXT NOT NULL,
    secret TEXT NOT NULL,
    secret_extra TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    -- The last answer that was no failure, and the last failure with its reason.
    answered_at BIGINT,
    failed_at BIGINT,
    failure TEXT NOT NULL
);

-- One trace to be fetched; a row with a lease, so that no two nodes do it at once and a dead node's is taken over.
CREATE TABLE trace_fetches (
    id INTEGER PRIMARY KEY,
    -- The id in its normal form (32 or 16 hex digits), and what was pasted.
    trace_key TEXT NOT NULL,
    pasted TEXT NOT NULL,
    -- Only this source; null to ask all that fit.
    source_id BIGINT REFERENCES trace_sources (id) ON DELETE SET NULL,
    incident_id BIGINT REFERENCES incidents (id) ON DELETE CASCADE,
    evidence_id BIGINT REFERENCES evidence (id) ON DELETE CASCADE,
    -- waiting, running, done, linked, failed
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    lease TEXT NOT NULL,
    lease_until BIGINT NOT NULL,
    -- What each source said at the last attempt, as JSON.
    outcome TEXT NOT NULL,
    -- The whole id once the trace was had.
    trace_id TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX trace_fetches_due ON trace_fetches (next_at) WHERE state IN ('waiting', 'running');
CREATE INDEX trace_fetches_of_evidence ON trace_fetches (evidence_id, id) WHERE evidence_id IS NOT NULL;
CREATE INDEX trace_fetches_by_incident ON trace_fetches (incident_id) WHERE incident_id IS NOT NULL;
CREATE INDEX trace_fetches_by_source ON trace_fetches (source_id) WHERE source_id IS NOT NULL;
CREATE INDEX trace_fetches_finished ON trace_fetches (finished_at) WHERE finished_at IS NOT NULL;
