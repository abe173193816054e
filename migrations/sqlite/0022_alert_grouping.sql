-- Grouping rules, tried in order of position.
CREATE TABLE alert_rules (
    id INTEGER PRIMARY KEY,
    position BIGINT NOT NULL,
    name TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    matchers TEXT NOT NULL,
    group_by TEXT NOT NULL,
    window_s BIGINT NOT NULL,
    hold_s BIGINT NOT NULL,
    min_count BIGINT NOT NULL,
    target TEXT NOT NULL CHECK (target IN ('open', 'attach', 'list')),
    severity BIGINT CHECK (severity BETWEEN 1 AND 4),
    reopen_s BIGINT NOT NULL,
    runbooks TEXT NOT NULL,
    notify TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    version BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX alert_rules_in_order ON alert_rules (position, id);

-- Alerts that belong together, and the incident they became.
CREATE TABLE alert_groups (
    id INTEGER PRIMARY KEY,
    rule_name TEXT NOT NULL,
    group_key TEXT NOT NULL,
    -- A JSON list.
    services TEXT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    members BIGINT NOT NULL,
    worst TEXT,
    incident_id BIGINT REFERENCES incidents (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL
);
CREATE INDEX alert_groups_by_time ON alert_groups (last_at, id);
CREATE INDEX alert_groups_by_incident ON alert_groups (incident_id);

CREATE TABLE maintenance_windows (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    matchers TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    -- Ended by hand before its time.
    ended_by TEXT NOT NULL DEFAULT ''
);
CREATE INDEX maintenance_windows_by_end ON maintenance_windows (ends_at, id);

-- Bulk changes that can be undone: what each alert's incident, group and noise mark were before.
CREATE TABLE alert_undo (
    id INTEGER PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    what TEXT NOT NULL,
    undone_at BIGINT
);

CREATE TABLE alert_undo_items (
    undo_id BIGINT NOT NULL REFERENCES alert_undo (id) ON DELETE CASCADE,
    alert_id BIGINT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    incident_id BIGINT,
    group_id BIGINT,
    reason TEXT NOT NULL,
    noise_at BIGINT,
    noise_by TEXT NOT NULL,
    PRIMARY KEY (undo_id, alert_id)
);
