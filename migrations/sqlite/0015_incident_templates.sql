-- What a declaration starts from, by hand, by service or by alert.
CREATE TABLE incident_templates (
    id INTEGER PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    title TEXT NOT NULL DEFAULT '',
    severity TEXT NOT NULL CHECK (severity IN ('SEV1', 'SEV2', 'SEV3', 'SEV4')),
    kind TEXT NOT NULL CHECK (kind IN ('real', 'drill', 'backfilled')),
    private BOOLEAN NOT NULL,
    -- Slugs with spaces between them.
    services TEXT NOT NULL DEFAULT '',
    summary TEXT NOT NULL DEFAULT '',
    -- One a line.
    tasks TEXT NOT NULL DEFAULT '',
    follow_ups TEXT NOT NULL DEFAULT '',
    -- Offered for incidents of this service, and for alerts whose name holds these words; empty for neither.
    for_service TEXT NOT NULL DEFAULT '',
    for_alert TEXT NOT NULL DEFAULT '',
    updated_by_name TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX incident_templates_by_service ON incident_templates (for_service);
