-- Where an imported incident came from, so that a second import of the same one adds nothing.
CREATE TABLE incident_origins (
    incident_id BIGINT NOT NULL PRIMARY KEY REFERENCES incidents (id) ON DELETE CASCADE,
    external_id TEXT NOT NULL UNIQUE,
    -- SHA-256 of what was imported: tells whether a later file says something else.
    digest TEXT NOT NULL,
    -- JSON: external ids of incidents that it names and that are not here.
    links TEXT NOT NULL,
    imported_at BIGINT NOT NULL,
    imported_by_name TEXT NOT NULL
);

-- Files between their upload and the import, for a day.
CREATE TABLE import_uploads (
    key TEXT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    body BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX import_uploads_by_age ON import_uploads (created_at);
CREATE INDEX import_uploads_by_user ON import_uploads (user_id);
