-- PagerDuty and GoAlert, connected both ways.
CREATE TABLE oncall_connections (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('pagerduty', 'goalert')),
    -- Where events go; GoAlert's address holds its key.
    url TEXT NOT NULL,
    -- PagerDuty's routing (integration) key; empty for GoAlert.
    routing_key TEXT NOT NULL,
    -- Signs what PagerDuty sends; empty while none is set.
    signing_secret TEXT NOT NULL,
    -- Of the address that they send to.
    token_hash TEXT NOT NULL UNIQUE,
    -- Incidents of this severity and worse are sent.
    sends_from TEXT NOT NULL CHECK (sends_from IN ('SEV1', 'SEV2', 'SEV3', 'SEV4')),
    -- Only incidents of this owner team's services; empty for all.
    team TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    -- Why it was switched off by itself, and what was answered last.
    disabled_reason TEXT NOT NULL,
    last_answer TEXT NOT NULL,
    given_up_in_row BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- How an incident stands on the other side, and how it should: a row is delivered until both agree.
CREATE TABLE oncall_links (
    id INTEGER PRIMARY KEY,
    connection_id BIGINT NOT NULL REFERENCES oncall_connections (id) ON DELETE CASCADE,
    incident_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    wanted TEXT NOT NULL CHECK (wanted IN ('triggered', 'acknowledged', 'resolved')),
    -- Empty until the other side knows it.
    remote TEXT NOT NULL CHECK (remote IN ('', 'triggered', 'acknowledged', 'resolved')),
    -- The other side's own id, once known.
    remote_id TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    -- NULL when there is nothing to send.
    next_at BIGINT,
    lease_until BIGINT,
    updated_at BIGINT NOT NULL,
    UNIQUE (connection_id, incident_id)
);
CREATE INDEX oncall_links_due ON oncall_links (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX oncall_links_by_remote ON oncall_links (connection_id, remote_id);
CREATE INDEX oncall_links_by_incident ON oncall_links (incident_id);

-- Events of the other side that were carried out: each once.
CREATE TABLE oncall_received (
    connection_id BIGINT NOT NULL REFERENCES oncall_connections (id) ON DELETE CASCADE,
    event_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, event_id)
);
CREATE INDEX oncall_received_by_age ON oncall_received (at);
