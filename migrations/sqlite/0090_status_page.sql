-- The public status page. What the public sees is in these tables alone, and drafts stand apart from
-- what is published, so that no query of a public page can reach them by mistake.
CREATE TABLE status_page (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    title TEXT NOT NULL,
    intro TEXT NOT NULL,
    is_public BOOLEAN NOT NULL,
    -- Grows with everything that changes the public pages; kept copies are compared with it.
    revision BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
INSERT INTO status_page (id, title, intro, is_public, revision, updated_at) VALUES (1, 'Status', '', TRUE, 1, 0);

CREATE TABLE status_components (
    id INTEGER PRIMARY KEY,
    -- Internal; the public reads the name only.
    service_id BIGINT REFERENCES services (id) ON DELETE SET NULL,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    group_name TEXT NOT NULL,
    position BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX status_components_by_place ON status_components (position, id);
CREATE INDEX status_components_by_service ON status_components (service_id);

CREATE TABLE status_notices (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('incident', 'maintenance')),
    -- Internal; no public page reads it.
    incident_id BIGINT REFERENCES incidents (id) ON DELETE SET NULL,
    -- Title, state and times as last published; empty until then.
    title TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN
        ('investigating', 'identified', 'monitoring', 'resolved', 'scheduled', 'in_progress', 'completed')),
    starts_at BIGINT NOT NULL,
    -- The planned end of maintenance.
    ends_at BIGINT,
    resolved_at BIGINT,
    -- NULL until the first update is published.
    published_at BIGINT,
    withdrawn_at BIGINT,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX status_notices_by_start ON status_notices (starts_at DESC, id DESC);
CREATE INDEX status_notices_standing ON status_notices (starts_at) WHERE resolved_at IS NULL;
CREATE INDEX status_notices_by_incident ON status_notices (incident_id);

-- What somebody is still writing: at most one for each notice.
CREATE TABLE status_drafts (
    notice_id BIGINT PRIMARY KEY REFERENCES status_notices (id) ON DELETE CASCADE,
    title TEXT NOT NULL,
    state TEXT NOT NULL,
    text TEXT NOT NULL,
    -- JSON: component id → state.
    impacts TEXT NOT NULL,
    starts_at BIGINT,
    ends_at BIGINT,
    version BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE status_updates (
    id INTEGER PRIMARY KEY,
    notice_id BIGINT NOT NULL REFERENCES status_notices (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    text TEXT NOT NULL,
    published_at BIGINT NOT NULL,
    -- Internal; the public does not read who.
    published_by TEXT NOT NULL,
    corrected_at BIGINT
);
CREATE INDEX status_updates_by_notice ON status_updates (notice_id, id);
CREATE INDEX status_updates_by_time ON status_updates (published_at DESC, id DESC);

-- How a component fared because of a notice, as published; until_at is NULL while it lasts.
CREATE TABLE status_impacts (
    id INTEGER PRIMARY KEY,
    notice_id BIGINT NOT NULL REFERENCES status_notices (id) ON DELETE CASCADE,
    component_id BIGINT NOT NULL REFERENCES status_components (id) ON DELETE CASCADE,
    state TEXT NOT NULL CHECK (state IN ('maintenance', 'degraded', 'partial_outage', 'major_outage')),
    from_at BIGINT NOT NULL,
    until_at BIGINT
);
CREATE INDEX status_impacts_by_notice ON status_impacts (notice_id, id);
CREATE INDEX status_impacts_by_end ON status_impacts (until_at);
