-- When customers were affected, by what, and who: an incident may hit them several times.
CREATE TABLE incident_impacts (
    id INTEGER PRIMARY KEY,
    incident_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    started_at BIGINT NOT NULL,
    -- NULL while it lasts.
    ended_at BIGINT,
    what TEXT NOT NULL,
    affected TEXT NOT NULL DEFAULT '',
    created_by_name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_by_name TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    removed_at BIGINT,
    version BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX incident_impacts_by_incident ON incident_impacts (incident_id, started_at, id);
