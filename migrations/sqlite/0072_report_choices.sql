-- How long a measure may take at a severity: the line to stay under.
CREATE TABLE report_targets (
    measure TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('SEV1', 'SEV2', 'SEV3', 'SEV4')),
    seconds BIGINT NOT NULL CHECK (seconds > 0),
    updated_at BIGINT NOT NULL,
    updated_by_name TEXT NOT NULL,
    PRIMARY KEY (measure, severity)
);

-- Measures that people defined. A version is never changed; a new one is added.
CREATE TABLE report_definitions (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    version BIGINT NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    from_milestone TEXT NOT NULL,
    to_milestone TEXT NOT NULL,
    clock TEXT NOT NULL CHECK (clock IN ('clock', 'business')),
    -- Severities and kinds with commas between them; empty for all.
    severities TEXT NOT NULL,
    kinds TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by_name TEXT NOT NULL,
    retired_at BIGINT,
    UNIQUE (key, version)
);

-- A report as it was on one day. The figures and the incidents behind them are kept compressed.
CREATE TABLE frozen_reports (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    -- The filters, as an address holds them.
    query TEXT NOT NULL,
    -- The printed definitions, one a line.
    definitions TEXT NOT NULL,
    incident_count BIGINT NOT NULL,
    data_hash TEXT NOT NULL,
    body BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    author_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    author_name TEXT NOT NULL,
    schedule_id BIGINT
);
CREATE INDEX frozen_reports_by_time ON frozen_reports (created_at DESC, id DESC);

-- Addresses that open one thing without signing in: a frozen report, or a chart to embed. Only the hash
-- of the secret is kept.
CREATE TABLE report_links (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('report', 'chart')),
    token_hash TEXT NOT NULL UNIQUE,
    report_id BIGINT REFERENCES frozen_reports (id) ON DELETE CASCADE,
    -- Of a chart: the filters and the drawn measure.
    query TEXT NOT NULL DEFAULT '',
    measure TEXT NOT NULL DEFAULT '',
    title TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by_name TEXT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX report_links_by_report ON report_links (report_id, id);

-- Reports that are frozen by themselves when a period ends.
CREATE TABLE report_schedules (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    query TEXT NOT NULL,
    period TEXT NOT NULL CHECK (period IN ('week', 'month', 'quarter')),
    zone TEXT NOT NULL,
    next_at BIGINT NOT NULL,
    lease_until BIGINT,
    enabled BOOLEAN NOT NULL,
    last_error TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    created_by_name TEXT NOT NULL
);
CREATE INDEX report_schedules_due ON report_schedules (next_at, id);
