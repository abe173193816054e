-- An incident's head. Its times are in incident_milestones; started_at and ended_at repeat the first
-- and the last of them, so that lists sort and filter without a join.
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    summary TEXT NOT NULL DEFAULT '',
    severity TEXT NOT NULL CHECK (severity IN ('SEV1', 'SEV2', 'SEV3', 'SEV4')),
    status TEXT NOT NULL CHECK (status IN
        ('triage', 'investigating', 'identified', 'monitoring', 'resolved', 'closed', 'declined', 'merged')),
    kind TEXT NOT NULL CHECK (kind IN ('real', 'drill', 'backfilled')),
    private BOOLEAN NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    merged_into BIGINT REFERENCES incidents (id),
    -- What to go back to when the merge is undone.
    status_before_merge TEXT,
    parent_id BIGINT REFERENCES incidents (id),
    next_update_due_at BIGINT,
    created_by BIGINT REFERENCES users (id) ON DELETE SET NULL,
    created_by_name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    -- Grows with every change; an edit of another version is refused.
    version BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX incidents_by_start ON incidents (started_at DESC, id DESC);
CREATE INDEX incidents_by_status ON incidents (status, started_at DESC, id DESC);
CREATE INDEX incidents_by_severity ON incidents (severity, started_at DESC, id DESC);
CREATE INDEX incidents_by_kind ON incidents (kind, started_at DESC, id DESC);
CREATE INDEX incidents_by_merge ON incidents (merged_into);
CREATE INDEX incidents_by_parent ON incidents (parent_id);
CREATE INDEX incidents_by_update_due ON incidents (next_update_due_at);

CREATE TABLE incident_services (
    incident_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    service_id BIGINT NOT NULL REFERENCES services (id),
    PRIMARY KEY (incident_id, service_id)
);
CREATE INDEX incident_services_by_service ON incident_services (service_id, incident_id);

-- The standing value of each lifecycle time, and the first one that was ever recorded (raw_at).
CREATE TABLE incident_milestones (
    incident_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (name IN ('impact_started', 'detected', 'declared', 'acknowledged', 'identified',
        'mitigated', 'impact_ended', 'resolved')),
    -- NULL when it was cleared.
    at BIGINT,
    raw_at BIGINT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('alert', 'trace', 'deployment', 'person', 'import')),
    author_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    author_name TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (incident_id, name)
);

-- Every value that a milestone ever had, the standing one included; a NULL is a clearing.
CREATE TABLE incident_milestone_history (
    id INTEGER PRIMARY KEY,
    incident_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    at BIGINT,
    source TEXT NOT NULL,
    author_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    author_name TEXT NOT NULL,
    reason TEXT NOT NULL,
    recorded_at BIGINT NOT NULL
);
CREATE INDEX incident_milestone_history_by_incident ON incident_milestone_history (incident_id, name, id);

-- Each change of status: the time in each state follows from these.
CREATE TABLE incident_status_changes (
    id INTEGER PRIMARY KEY,
    incident_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    -- NULL for the declaration.
    from_status TEXT,
    to_status TEXT NOT NULL,
    at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    author_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    author_name TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT ''
);
CREATE INDEX incident_status_changes_by_incident ON incident_status_changes (incident_id, id);

-- Who holds or held which role; released_at is NULL while it is held.
CREATE TABLE incident_roles (
    id INTEGER PRIMARY KEY,
    incident_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('commander', 'communications', 'operations', 'scribe')),
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    assigned_at BIGINT NOT NULL,
    released_at BIGINT
);
CREATE INDEX incident_roles_by_incident ON incident_roles (incident_id, released_at);
CREATE UNIQUE INDEX incident_roles_held ON incident_roles (incident_id, role) WHERE released_at IS NULL;
CREATE INDEX incident_roles_by_user ON incident_roles (user_id, released_at);

-- Who may see a private incident, besides administrators.
CREATE TABLE incident_people (
    incident_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (incident_id, user_id)
);
CREATE INDEX incident_people_by_user ON incident_people (user_id, incident_id);
