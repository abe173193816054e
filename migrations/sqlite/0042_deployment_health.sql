-- How a service did before and after each change, from its spans: computed while the half hour after it passes, then
-- kept, because the calls that it was counted from are forgotten.
CREATE TABLE deployment_health (
    deployment_id BIGINT PRIMARY KEY REFERENCES deployments (id) ON DELETE CASCADE,
    before_requests BIGINT NOT NULL,
    before_errors BIGINT NOT NULL,
    before_p95_us BIGINT,
    after_requests BIGINT NOT NULL,
    after_errors BIGINT NOT NULL,
    after_p95_us BIGINT,
    computed_at BIGINT,
    -- When it is counted (again); NULL when it is final.
    due_at BIGINT
);
CREATE INDEX deployment_health_due ON deployment_health (due_at, deployment_id) WHERE due_at IS NOT NULL;
INSERT INTO deployment_health (deployment_id, before_requests, before_errors, after_requests, after_errors, due_at)
    SELECT id, 0, 0, 0, 0, at FROM deployments;
