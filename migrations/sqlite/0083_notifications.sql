-- Where notifications go.
CREATE TABLE notification_channels (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('slack', 'teams', 'discord', 'email', 'webhook')),
    -- A URL, or e-mail addresses with commas between them.
    address TEXT NOT NULL,
    -- Signs webhooks; empty for the other kinds.
    secret TEXT NOT NULL,
    may_see_private BOOLEAN NOT NULL,
    enabled BOOLEAN NOT NULL,
    -- Why it was switched off by itself; empty when a person did it.
    disabled_reason TEXT NOT NULL DEFAULT '',
    failures_in_row BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Which events a channel is told. The lists are JSON arrays; an empty one does not restrict.
CREATE TABLE notification_rules (
    id INTEGER PRIMARY KEY,
    channel_id BIGINT NOT NULL REFERENCES notification_channels (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    events TEXT NOT NULL,
    severities TEXT NOT NULL,
    services TEXT NOT NULL,
    roles TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX notification_rules_by_channel ON notification_rules (channel_id, id);

-- The outbox: written in the transaction of what happened, told later.
CREATE TABLE outbox_events (
    id INTEGER PRIMARY KEY,
    event TEXT NOT NULL,
    once_key TEXT UNIQUE,
    created_at BIGINT NOT NULL,
    -- When it was matched against the rules; NULL while it waits.
    routed_at BIGINT
);
CREATE INDEX outbox_events_waiting ON outbox_events (id) WHERE routed_at IS NULL;
CREATE INDEX outbox_events_by_age ON outbox_events (created_at);

-- One event on its way to one channel.
CREATE TABLE notification_deliveries (
    id INTEGER PRIMARY KEY,
    event_id BIGINT NOT NULL REFERENCES outbox_events (id) ON DELETE CASCADE,
    channel_id BIGINT NOT NULL REFERENCES notification_channels (id) ON DELETE CASCADE,
    status TEXT NOT NULL CHECK (status IN ('waiting', 'sent', 'failed', 'dropped')),
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    -- Whoever delivers holds the row until then.
    lease_until BIGINT,
    sent_at BIGINT,
    created_at BIGINT NOT NULL,
    UNIQUE (event_id, channel_id)
);
CREATE INDEX notification_deliveries_due ON notification_deliveries (next_at, channel_id) WHERE status = 'waiting';
CREATE INDEX notification_deliveries_by_channel ON notification_deliveries (channel_id, id DESC);

-- What each try was answered.
CREATE TABLE notification_attempts (
    id INTEGER PRIMARY KEY,
    delivery_id BIGINT NOT NULL REFERENCES notification_deliveries (id) ON DELETE CASCADE,
    at BIGINT NOT NULL,
    -- HTTP status; NULL for mail and when there was no answer.
    http_status BIGINT,
    answer TEXT NOT NULL,
    duration_ms BIGINT NOT NULL
);
CREATE INDEX notification_attempts_by_delivery ON notification_attempts (delivery_id, id);
