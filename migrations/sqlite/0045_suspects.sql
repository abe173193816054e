-- The latest ranking of each incident, recomputed while the incident is open.
CREATE TABLE suspect_rankings (
    incident_id BIGINT PRIMARY KEY REFERENCES incidents (id) ON DELETE CASCADE,
    -- What it was computed from: the beginning it assumed, and how much telemetry there was.
    impact_at BIGINT NOT NULL,
    span_count BIGINT NOT NULL,
    log_count BIGINT NOT NULL,
    computed_at BIGINT NOT NULL,
    -- When a node may compute it again; taken by setting it forward.
    due_at BIGINT NOT NULL,
    -- The ranking, and what the last change of it was, as JSON.
    ranking TEXT NOT NULL,
    changed TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX suspect_rankings_due ON suspect_rankings (due_at);

-- What people said about suspects. A verdict can be taken back by another on the same suspect.
CREATE TABLE suspect_verdicts (
    id INTEGER PRIMARY KEY,
    incident_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('service', 'operation', 'deployment')),
    service TEXT NOT NULL,
    operation TEXT NOT NULL,
    version TEXT NOT NULL,
    deployment_id BIGINT,
    verdict TEXT NOT NULL CHECK (verdict IN ('caused', 'fixed', 'not_it')),
    -- The place among the services when the verdict was given; null when it was not ranked.
    service_rank BIGINT,
    score DOUBLE PRECISION NOT NULL,
    by_user_id BIGINT,
    by_name TEXT NOT NULL,
    given_at BIGINT NOT NULL,
    UNIQUE (incident_id, kind, service, operation, version)
);
CREATE INDEX suspect_verdicts_causes ON suspect_verdicts (verdict, given_at);
CREATE INDEX suspect_verdicts_deployment ON suspect_verdicts (deployment_id);
