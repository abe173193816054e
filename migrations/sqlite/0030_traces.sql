-- Spans are many and read by trace, so they are not rows: each delivery's spans of one trace are one
-- compressed part (OTLP protobuf), and narrow rows beside them answer searches.

-- Services and operations as spans name them; a small dictionary keeps the big tables narrow.
CREATE TABLE trace_services (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    first_seen_at BIGINT NOT NULL
);

CREATE TABLE trace_operations (
    id INTEGER PRIMARY KEY,
    service_id BIGINT NOT NULL REFERENCES trace_services (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    first_seen_at BIGINT NOT NULL,
    UNIQUE (service_id, name)
);

CREATE TABLE traces (
    id INTEGER PRIMARY KEY,
    -- The two halves of the 128-bit id; the low one comes first in the index, so that the 64-bit ids of
    -- other systems find their trace too.
    id_low BIGINT NOT NULL,
    id_high BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    span_count BIGINT NOT NULL,
    error_count BIGINT NOT NULL,
    -- Deliveries that brought spans of it; more than one means that spans may overlap.
    delivery_count BIGINT NOT NULL,
    root_service_id BIGINT NOT NULL,
    root_operation_id BIGINT NOT NULL,
    -- False while only the earliest span known stands in for the root.
    root_seen BOOLEAN NOT NULL,
    received_at BIGINT NOT NULL,
    -- When the trace may be taken as complete; null once its spans went into the rollups.
    settle_at BIGINT,
    UNIQUE (id_low, id_high)
);
CREATE INDEX traces_by_time ON traces (started_at, id);
CREATE INDEX traces_failed ON traces (started_at, id) WHERE error_count > 0;
CREATE INDEX traces_to_settle ON traces (settle_at) WHERE settle_at IS NOT NULL;

CREATE TABLE trace_parts (
    id INTEGER PRIMARY KEY,
    trace_row BIGINT NOT NULL,
    -- 9 bytes a span (id, kind): tells a span that was delivered before without opening the body.
    span_keys BLOB NOT NULL,
    body BLOB NOT NULL,
    settled BOOLEAN NOT NULL
);
CREATE INDEX trace_parts_by_trace ON trace_parts (trace_row, id);

-- One row per part and operation. Append-only, in order of service and time.
CREATE TABLE trace_index (
    service_id BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    trace_row BIGINT NOT NULL,
    operation_id BIGINT NOT NULL,
    -- The longest span of the operation in the part.
    duration_us BIGINT NOT NULL,
    span_count BIGINT NOT NULL,
    error_count BIGINT NOT NULL,
    PRIMARY KEY (service_id, started_at, trace_row, operation_id)
) WITHOUT ROWID;
CREATE INDEX trace_index_failed ON trace_index (service_id, started_at, trace_row) WHERE error_count > 0;

-- Rollups, filled when a trace has settled; they outlive the spans. Calls and failures by minute and
-- by bucket of duration (two buckets an octave of microseconds), so that adding is one statement.
CREATE TABLE trace_service_minutes (
    service_id BIGINT NOT NULL,
    minute_at BIGINT NOT NULL,
    version TEXT NOT NULL,
    bucket BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    PRIMARY KEY (service_id, minute_at, version, bucket)
);
CREATE INDEX trace_service_minutes_by_time ON trace_service_minutes (minute_at, service_id);

CREATE TABLE trace_edge_minutes (
    caller_id BIGINT NOT NULL,
    callee_id BIGINT NOT NULL,
    minute_at BIGINT NOT NULL,
    bucket BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    PRIMARY KEY (caller_id, callee_id, minute_at, bucket)
);
CREATE INDEX trace_edge_minutes_by_time ON trace_edge_minutes (minute_at, caller_id);
CREATE INDEX trace_edge_minutes_by_callee ON trace_edge_minutes (callee_id, minute_at);
