-- One runbook: what its current version says, repeated here so that lists need no parsing.
CREATE TABLE runbooks (
    id INTEGER PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    summary TEXT NOT NULL,
    owner TEXT NOT NULL,
    -- The day of the next review, at midnight UTC.
    review_by BIGINT,
    step_count BIGINT NOT NULL,
    -- Sum of the steps' expected times.
    expected_s BIGINT NOT NULL,
    attach_when TEXT NOT NULL,
    -- What a search looks through: title, summary, tags, services and text, in lower case.
    words TEXT NOT NULL,
    current_version BIGINT NOT NULL,
    -- The newest version that came from the folder, its file and content; NULL when there is no file.
    file TEXT,
    file_hash TEXT,
    file_missing_since BIGINT,
    -- A version from the folder that waits for a decision, because the page was edited here too.
    pending_version BIGINT,
    archived_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX runbooks_by_title ON runbooks (title, id);
CREATE INDEX runbooks_by_owner ON runbooks (owner, title, id);
CREATE INDEX runbooks_by_review ON runbooks (review_by);
CREATE INDEX runbooks_by_file ON runbooks (file);

-- Every text that a runbook ever had. A run points at one of them.
CREATE TABLE runbook_versions (
    runbook_id BIGINT NOT NULL REFERENCES runbooks (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    -- SHA-256 of the text in hexadecimal.
    hash TEXT NOT NULL,
    source TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('file', 'browser', 'api')),
    author_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    author_name TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    PRIMARY KEY (runbook_id, number)
);

CREATE TABLE runbook_services (
    runbook_id BIGINT NOT NULL REFERENCES runbooks (id) ON DELETE CASCADE,
    service TEXT NOT NULL,
    PRIMARY KEY (runbook_id, service)
);
CREATE INDEX runbook_services_by_service ON runbook_services (service, runbook_id);

CREATE TABLE runbook_tags (
    runbook_id BIGINT NOT NULL REFERENCES runbooks (id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    PRIMARY KEY (runbook_id, tag)
);
CREATE INDEX runbook_tags_by_tag ON runbook_tags (tag, runbook_id);

-- Files of the folder that cannot be used as they are, or only with remarks.
CREATE TABLE runbook_problems (
    file TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    -- JSON: [{line, field, message, is_error}]
    problems TEXT NOT NULL,
    has_errors BOOLEAN NOT NULL,
    seen_at BIGINT NOT NULL
);
