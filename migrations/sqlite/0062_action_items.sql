-- What an action item has beyond a task; without a row it has none of it.
CREATE TABLE action_items (
    task_id BIGINT PRIMARY KEY REFERENCES incident_tasks (id) ON DELETE CASCADE,
    type TEXT NOT NULL DEFAULT '',
    priority TEXT NOT NULL DEFAULT 'medium',
    -- The issue that it is tracked by, and its short name: acme/shop#12, OPS-7.
    link TEXT NOT NULL DEFAULT '',
    link_key TEXT NOT NULL DEFAULT '',
    -- The change that closed it.
    closed_by BIGINT,
    -- Why it is open again.
    reopened_because TEXT NOT NULL DEFAULT '',
    -- The due date that was reminded of.
    reminded_for BIGINT
);
CREATE INDEX action_items_by_link ON action_items (link_key);
CREATE INDEX incident_tasks_follow_ups ON incident_tasks (kind, state, COALESCE(due_at, 9223372036854775807), id);

-- Changes were looked through up to here for names of action items.
CREATE TABLE action_item_scan (
    id BIGINT PRIMARY KEY,
    updated_at BIGINT NOT NULL,
    deployment_id BIGINT NOT NULL
);
INSERT INTO action_item_scan (id, updated_at, deployment_id) VALUES (1, 0, 0);
CREATE INDEX deployments_by_update ON deployments (updated_at, id);

-- An incident that happened again.
CREATE TABLE incident_recurrences (
    incident_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    earlier_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    -- Action items that were opened again by it.
    reopened BIGINT NOT NULL,
    said_by_name TEXT NOT NULL,
    said_at BIGINT NOT NULL,
    PRIMARY KEY (incident_id, earlier_id)
);
CREATE INDEX incident_recurrences_by_earlier ON incident_recurrences (earlier_id, incident_id);
CREATE INDEX suspect_verdicts_by_service ON suspect_verdicts (service, verdict, incident_id);
