-- What happened: occurred_at is when, recorded_at is when it was written down.
CREATE TABLE timeline_entries (
    id INTEGER PRIMARY KEY,
    incident_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    layer TEXT NOT NULL CHECK (layer IN ('activity', 'story')),
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    -- A page of ours that tells more, as a path; empty for none.
    link TEXT NOT NULL DEFAULT '',
    occurred_at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    author_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    author_name TEXT NOT NULL,
    edited_at BIGINT,
    -- Struck, not gone: the text stays readable.
    deleted_at BIGINT,
    deleted_by TEXT,
    -- Names an imported entry at its source, so that a second import adds nothing.
    import_key TEXT,
    version BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX timeline_by_time ON timeline_entries (incident_id, occurred_at, id);
CREATE INDEX timeline_by_layer ON timeline_entries (incident_id, layer, occurred_at, id);
CREATE INDEX timeline_by_kind ON timeline_entries (incident_id, kind, occurred_at, id);
CREATE UNIQUE INDEX timeline_imports ON timeline_entries (incident_id, import_key);

-- What an entry said before each edit.
CREATE TABLE timeline_entry_versions (
    entry_id BIGINT NOT NULL REFERENCES timeline_entries (id) ON DELETE CASCADE,
    version BIGINT NOT NULL,
    layer TEXT NOT NULL,
    text TEXT NOT NULL,
    occurred_at BIGINT NOT NULL,
    replaced_at BIGINT NOT NULL,
    replaced_by TEXT NOT NULL,
    PRIMARY KEY (entry_id, version)
);

-- Evidence is kept with the incident, whatever becomes of its source.
CREATE TABLE evidence (
    id INTEGER PRIMARY KEY,
    incident_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('trace', 'deployment', 'alert', 'log', 'link', 'image', 'file')),
    title TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    -- The normal form of the id or address; what is attached twice is one piece of evidence.
    reference TEXT NOT NULL,
    url TEXT NOT NULL DEFAULT '',
    -- What the same thing is called every time it comes: an alert's key, a deployment's service.
    topic TEXT NOT NULL DEFAULT '',
    occurred_at BIGINT,
    added_at BIGINT NOT NULL,
    added_by BIGINT REFERENCES users (id) ON DELETE SET NULL,
    added_by_name TEXT NOT NULL,
    removed_at BIGINT,
    UNIQUE (incident_id, kind, reference)
);
CREATE INDEX evidence_by_incident ON evidence (incident_id, added_at, id);
CREATE INDEX evidence_by_reference ON evidence (kind, reference);
CREATE INDEX evidence_by_topic ON evidence (kind, topic, incident_id);

CREATE TABLE evidence_snapshots (
    evidence_id BIGINT PRIMARY KEY REFERENCES evidence (id) ON DELETE CASCADE,
    media_type TEXT NOT NULL,
    -- zstd, except for images.
    encoding TEXT NOT NULL CHECK (encoding IN ('identity', 'zstd')),
    size BIGINT NOT NULL,
    body BLOB NOT NULL,
    taken_at BIGINT NOT NULL
);

CREATE TABLE incident_tasks (
    id INTEGER PRIMARY KEY,
    incident_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('now', 'follow_up')),
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'cancelled')),
    title TEXT NOT NULL,
    owner_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    due_at BIGINT,
    created_by_name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    done_at BIGINT,
    version BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX incident_tasks_by_incident ON incident_tasks (incident_id, kind, id);
CREATE INDEX incident_tasks_by_owner ON incident_tasks (owner_id, state, due_at);
CREATE INDEX incident_tasks_by_due ON incident_tasks (state, due_at);

-- What happened to incidents, for rooms that tell others about it: each event is taken once.
CREATE TABLE incident_events (
    id INTEGER PRIMARY KEY,
    incident_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    -- JSON: what changed, in the event's own words.
    detail TEXT NOT NULL,
    at BIGINT NOT NULL,
    taken_at BIGINT
);
CREATE INDEX incident_events_untaken ON incident_events (id) WHERE taken_at IS NULL;
CREATE INDEX incident_events_by_incident ON incident_events (incident_id, id);
