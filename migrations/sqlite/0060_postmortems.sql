-- The report of an incident: at most one each.
CREATE TABLE postmortems (
    id INTEGER PRIMARY KEY,
    incident_id BIGINT NOT NULL UNIQUE REFERENCES incidents (id) ON DELETE CASCADE,
    state TEXT NOT NULL CHECK (state IN ('draft', 'in_review', 'published')),
    created_by_name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    published_at BIGINT,
    published_by_name TEXT,
    -- Grows with every change of a section or of the state.
    version BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX postmortems_by_update ON postmortems (updated_at DESC, id DESC);
CREATE INDEX postmortems_by_state ON postmortems (state, updated_at DESC, id DESC);

CREATE TABLE postmortem_sections (
    postmortem_id BIGINT NOT NULL REFERENCES postmortems (id) ON DELETE CASCADE,
    section TEXT NOT NULL,
    body TEXT NOT NULL,
    -- Still as drafted: making it anew loses nothing that a person wrote.
    untouched BOOLEAN NOT NULL,
    version BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by_name TEXT NOT NULL,
    PRIMARY KEY (postmortem_id, section)
);

-- Every text that a section ever had, the standing one included.
CREATE TABLE postmortem_section_versions (
    postmortem_id BIGINT NOT NULL REFERENCES postmortems (id) ON DELETE CASCADE,
    section TEXT NOT NULL,
    version BIGINT NOT NULL,
    body TEXT NOT NULL,
    author_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    author_name TEXT NOT NULL,
    saved_at BIGINT NOT NULL,
    PRIMARY KEY (postmortem_id, section, version)
);
