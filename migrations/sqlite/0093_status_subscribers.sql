-- Who is told of what is published on the status page.
CREATE TABLE status_subscribers (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('email', 'webhook')),
    address TEXT NOT NULL,
    -- In the links of every message, so it is kept as it is: it lets its owner confirm and unsubscribe.
    token TEXT NOT NULL UNIQUE,
    -- Signs what a webhook is sent; empty for mail.
    secret TEXT NOT NULL,
    -- NULL until the owner of the address confirmed it.
    confirmed_at BIGINT,
    -- When a confirmation was last sent.
    asked_at BIGINT NOT NULL,
    given_up_in_row BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (kind, address)
);
CREATE INDEX status_subscribers_waiting ON status_subscribers (asked_at) WHERE confirmed_at IS NULL;

-- One message on its way to one subscriber.
CREATE TABLE status_deliveries (
    id INTEGER PRIMARY KEY,
    subscriber_id BIGINT NOT NULL REFERENCES status_subscribers (id) ON DELETE CASCADE,
    -- NULL for the question whether the address wants it.
    update_id BIGINT REFERENCES status_updates (id) ON DELETE CASCADE,
    status TEXT NOT NULL CHECK (status IN ('waiting', 'sent', 'failed')),
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    lease_until BIGINT,
    -- What was answered last.
    answer TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    sent_at BIGINT,
    UNIQUE (subscriber_id, update_id)
);
CREATE INDEX status_deliveries_due ON status_deliveries (next_at, id) WHERE status = 'waiting';
CREATE INDEX status_deliveries_by_update ON status_deliveries (update_id);
