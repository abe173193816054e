CREATE TABLE log_records (
    id INTEGER PRIMARY KEY,
    at BIGINT NOT NULL,
    service_id BIGINT NOT NULL,
    -- OpenTelemetry's number, 1 to 24; 0 when unknown.
    severity BIGINT NOT NULL,
    -- The trace's two halves; null for a record that belongs to none.
    trace_low BIGINT,
    trace_high BIGINT,
    span_id BIGINT,
    body TEXT NOT NULL,
    -- Logger, severity word, attributes and resource, as JSON.
    detail TEXT NOT NULL,
    -- Of everything in the record: a delivery that is repeated adds nothing.
    digest BIGINT NOT NULL,
    UNIQUE (service_id, at, digest)
);
CREATE INDEX log_records_by_time ON log_records (at, id);
CREATE INDEX log_records_by_trace ON log_records (trace_low, trace_high, at) WHERE trace_low IS NOT NULL;

-- Services as log records name them.
CREATE TABLE log_services (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    first_seen_at BIGINT NOT NULL
);
