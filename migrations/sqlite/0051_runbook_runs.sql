-- A run of one version inside one incident.
CREATE TABLE runbook_runs (
    id INTEGER PRIMARY KEY,
    incident_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    runbook_id BIGINT NOT NULL REFERENCES runbooks (id) ON DELETE CASCADE,
    version BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'completed', 'stopped')),
    -- JSON: the variables' values when it was started.
    filled TEXT NOT NULL,
    -- Why it was offered; empty when a person picked it.
    reason TEXT NOT NULL DEFAULT '',
    started_by BIGINT REFERENCES users (id) ON DELETE SET NULL,
    started_by_name TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    -- Who drives it now.
    lead_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    lead_name TEXT NOT NULL,
    ended_at BIGINT,
    ended_by_name TEXT,
    end_note TEXT NOT NULL DEFAULT ''
);
CREATE INDEX runbook_runs_by_incident ON runbook_runs (incident_id, id);
CREATE INDEX runbook_runs_by_runbook ON runbook_runs (runbook_id, started_at);

-- What was done with a step; rows are only ever added.
CREATE TABLE runbook_run_records (
    id INTEGER PRIMARY KEY,
    run_id BIGINT NOT NULL REFERENCES runbook_runs (id) ON DELETE CASCADE,
    -- 1, 2, 3 … within the run: two people who record at once are told apart.
    number BIGINT NOT NULL,
    step_id TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('done', 'skipped', 'failed', 'reopened')),
    branch BIGINT,
    author_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    author_name TEXT NOT NULL,
    at BIGINT NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    output TEXT NOT NULL DEFAULT '',
    UNIQUE (run_id, number)
);
