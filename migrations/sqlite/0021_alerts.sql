-- One deduplicated problem from one source.
CREATE TABLE alerts (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    dedup_key TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL CHECK (status IN ('firing', 'resolved')),
    origin TEXT NOT NULL CHECK (origin IN ('monitor', 'check')),
    severity TEXT CHECK (severity IN ('critical', 'error', 'warning', 'info')),
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    rule TEXT NOT NULL,
    -- As the source calls it; empty when it does not say. Equal to a catalogue slug once that is known.
    service TEXT NOT NULL,
    environment TEXT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    links TEXT NOT NULL,
    runbook_url TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    deployment TEXT NOT NULL,
    -- Start and end of the newest episode.
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    -- A firing alert that its sender did not repeat until then is over.
    expires_at BIGINT,
    first_seen_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    -- Deliveries that told of it, and episodes that began.
    signal_count BIGINT NOT NULL,
    episode_count BIGINT NOT NULL,
    flapping_until BIGINT,
    acknowledged_at BIGINT,
    acknowledged_by TEXT NOT NULL DEFAULT '',
    -- A person's word that it is not worth anybody's time.
    noise_at BIGINT,
    noise_by TEXT NOT NULL DEFAULT '',
    incident_id BIGINT REFERENCES incidents (id) ON DELETE SET NULL,
    group_id BIGINT,
    -- Why it joined its group or stayed alone.
    reason TEXT NOT NULL DEFAULT '',
    -- When grouping looks at it (again); NULL when it is settled.
    decide_at BIGINT,
    -- The newest delivery that told of it: an older one that is replayed is not counted again.
    last_delivery_id BIGINT NOT NULL DEFAULT 0,
    version BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX alerts_by_status ON alerts (status, started_at, id);
CREATE INDEX alerts_by_start ON alerts (started_at, id);
CREATE INDEX alerts_by_service ON alerts (service, status, started_at, id);
CREATE INDEX alerts_by_severity ON alerts (severity, status, started_at, id);
CREATE INDEX alerts_by_source ON alerts (source, status, started_at, id);
CREATE INDEX alerts_by_incident ON alerts (incident_id, status, started_at, id);
CREATE INDEX alerts_by_group ON alerts (group_id);
CREATE INDEX alerts_to_decide ON alerts (decide_at, id) WHERE decide_at IS NOT NULL;
CREATE INDEX alerts_to_expire ON alerts (expires_at, id) WHERE expires_at IS NOT NULL;

-- What was said about an alert: one row for each start and each end of an episode, however often
-- the sender repeated it.
CREATE TABLE signals (
    id INTEGER PRIMARY KEY,
    alert_id BIGINT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    status TEXT NOT NULL CHECK (status IN ('firing', 'resolved')),
    starts_at BIGINT NOT NULL,
    ends_at BIGINT,
    received_at BIGINT NOT NULL,
    last_received_at BIGINT NOT NULL,
    times BIGINT NOT NULL,
    -- The first and the latest delivery that said it.
    delivery_id BIGINT NOT NULL,
    last_delivery_id BIGINT NOT NULL,
    UNIQUE (alert_id, starts_at, status)
);
CREATE INDEX signals_by_time ON signals (received_at, alert_id);
CREATE INDEX signals_by_start ON signals (starts_at, id);

-- What people and rules did with an alert.
CREATE TABLE alert_events (
    id INTEGER PRIMARY KEY,
    alert_id BIGINT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX alert_events_by_alert ON alert_events (alert_id, at, id);

-- One row, taken first by whoever writes alerts: nodes that share a database take turns.
CREATE TABLE alert_turn (
    id BIGINT PRIMARY KEY,
    taken_at BIGINT NOT NULL
);
INSERT INTO alert_turn (id, taken_at) VALUES (1, 0);
