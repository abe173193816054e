-- Changes of services, whoever reported them; several reports about one change are one row.
CREATE TABLE deployments (
    id INTEGER PRIMARY KEY,
    service_id BIGINT NOT NULL REFERENCES services (id),
    environment TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('deployment', 'rollback', 'configuration', 'feature_flag', 'infrastructure')),
    status TEXT NOT NULL CHECK (status IN ('pending', 'started', 'cancelled', 'failed', 'succeeded')),
    -- When the source says that the status was reached.
    status_at BIGINT NOT NULL,
    version TEXT NOT NULL,
    commit_sha TEXT NOT NULL,
    author TEXT NOT NULL,
    title TEXT NOT NULL,
    url TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN
        ('github', 'gitlab', 'argocd', 'cdevents', 'pagerduty', 'sentry', 'generic', 'api', 'observed')),
    -- Names the change at its source: the key for deduplication.
    external_id TEXT NOT NULL,
    -- Seen in the service's own spans; also set on a reported change that was then seen.
    observed BOOLEAN NOT NULL,
    -- The start, or until one is known the first report: what lists are sorted by.
    at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (source, external_id)
);
CREATE INDEX deployments_by_time ON deployments (at DESC, id DESC);
CREATE INDEX deployments_by_service ON deployments (service_id, environment, at DESC, id DESC);
CREATE INDEX deployments_by_service_time ON deployments (service_id, at DESC, id DESC);
CREATE INDEX deployments_by_environment ON deployments (environment, at DESC, id DESC);
CREATE INDEX deployments_by_status ON deployments (status, at DESC, id DESC);
CREATE INDEX deployments_by_kind ON deployments (kind, at DESC, id DESC);
CREATE INDEX deployments_by_version ON deployments (version, at DESC, id DESC);

-- Each distinct report about a change; the same report twice is kept once.
CREATE TABLE deployment_reports (
    deployment_id BIGINT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    status TEXT NOT NULL,
    reported_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (deployment_id, status, reported_at, source)
);
