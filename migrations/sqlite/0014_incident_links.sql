-- How incidents belong together, beside the parent (incidents.parent_id) and the merge.
CREATE TABLE incident_links (
    id INTEGER PRIMARY KEY,
    incident_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    other_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    -- What the other one is to this one.
    kind TEXT NOT NULL CHECK (kind IN ('related', 'caused_by', 'duplicate')),
    created_by_name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (incident_id, other_id)
);
CREATE INDEX incident_links_by_other ON incident_links (other_id, incident_id);
