-- Who of an owner team answers now: one rotation for each team of the catalogue that wants one.
CREATE TABLE oncall_teams (
    id INTEGER PRIMARY KEY,
    -- The catalogue's owner team.
    name TEXT NOT NULL UNIQUE,
    -- IANA name.
    zone TEXT NOT NULL,
    -- 2026-11-23, and 09:00: wall-clock time in the zone.
    first_day TEXT NOT NULL,
    handover TEXT NOT NULL,
    turn_days BIGINT NOT NULL,
    -- Minutes in which a page is acknowledged before the next person is told.
    ack_minutes BIGINT NOT NULL,
    -- Incidents of this severity and worse page by themselves; empty for none.
    pages_from TEXT NOT NULL CHECK (pages_from IN ('', 'SEV1', 'SEV2', 'SEV3', 'SEV4')),
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE oncall_members (
    team_id BIGINT NOT NULL REFERENCES oncall_teams (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (team_id, position)
);
CREATE INDEX oncall_members_by_user ON oncall_members (user_id);

CREATE TABLE oncall_overrides (
    id INTEGER PRIMARY KEY,
    team_id BIGINT NOT NULL REFERENCES oncall_teams (id) ON DELETE CASCADE,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    from_at BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX oncall_overrides_by_end ON oncall_overrides (until_at);
CREATE INDEX oncall_overrides_by_team ON oncall_overrides (team_id, until_at);

-- Calendar files by secret address: of a team, or of a person's own shifts.
CREATE TABLE oncall_feeds (
    id INTEGER PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE,
    owner_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- NULL for the owner's own shifts in all teams.
    team_id BIGINT REFERENCES oncall_teams (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL
);
CREATE INDEX oncall_feeds_by_owner ON oncall_feeds (owner_id, id);

-- A team being called to an incident.
CREATE TABLE oncall_pages (
    id INTEGER PRIMARY KEY,
    incident_id BIGINT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    team_id BIGINT NOT NULL REFERENCES oncall_teams (id) ON DELETE CASCADE,
    started_at BIGINT NOT NULL,
    started_by TEXT NOT NULL,
    -- How many were told.
    level BIGINT NOT NULL,
    -- When the next is told; NULL when nobody is left or it is over.
    due_at BIGINT,
    ended_at BIGINT,
    -- Why it ended: acknowledged, over, stopped; empty while it goes on.
    outcome TEXT NOT NULL,
    UNIQUE (incident_id, team_id)
);
CREATE INDEX oncall_pages_due ON oncall_pages (due_at) WHERE ended_at IS NULL;

-- Who was told, in order.
CREATE TABLE oncall_calls (
    id INTEGER PRIMARY KEY,
    page_id BIGINT NOT NULL REFERENCES oncall_pages (id) ON DELETE CASCADE,
    level BIGINT NOT NULL,
    -- NULL for the last level, all commanders.
    user_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    name TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX oncall_calls_by_page ON oncall_calls (page_id, id);
