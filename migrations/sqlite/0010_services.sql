-- The catalogue: what can break, who owns it, and what depends on what.
CREATE TABLE services (
    id INTEGER PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    owner_team TEXT NOT NULL DEFAULT '',
    tier BIGINT NOT NULL DEFAULT 3 CHECK (tier BETWEEN 1 AND 4),
    description TEXT NOT NULL DEFAULT '',
    -- Appeared by itself in a trace, an alert or a deployment, and nobody described it yet.
    discovered BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX services_by_team ON services (owner_team, slug);
CREATE INDEX services_by_tier ON services (tier, slug);

-- An edge is declared by a person, seen in traces, or both.
CREATE TABLE service_dependencies (
    service_id BIGINT NOT NULL REFERENCES services (id) ON DELETE CASCADE,
    depends_on_id BIGINT NOT NULL REFERENCES services (id) ON DELETE CASCADE,
    declared BOOLEAN NOT NULL,
    first_seen_at BIGINT,
    last_seen_at BIGINT,
    PRIMARY KEY (service_id, depends_on_id)
);
CREATE INDEX service_dependencies_by_callee ON service_dependencies (depends_on_id, service_id);
