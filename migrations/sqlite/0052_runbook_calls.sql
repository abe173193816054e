-- Calls that steps of runs made, each confirmed by a person: made once, by whichever node takes it.
CREATE TABLE runbook_calls (
    id INTEGER PRIMARY KEY,
    run_id BIGINT NOT NULL REFERENCES runbook_runs (id) ON DELETE CASCADE,
    step_id TEXT NOT NULL,
    -- JSON: the request as it was shown and confirmed.
    request TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'answered', 'failed')),
    asked_by BIGINT REFERENCES users (id) ON DELETE SET NULL,
    asked_by_name TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    -- Until then the node that makes the call has it; afterwards it is known to be gone.
    lease_until BIGINT,
    http_status BIGINT,
    -- The beginning of the answer, or why there was none.
    answer TEXT NOT NULL DEFAULT '',
    ended_at BIGINT
);
CREATE INDEX runbook_calls_by_run ON runbook_calls (run_id, id);
CREATE INDEX runbook_calls_open ON runbook_calls (id) WHERE state IN ('waiting', 'running');
