-- Whether many events in a short time go out as one message.
ALTER TABLE notification_channels ADD COLUMN digest BOOLEAN NOT NULL DEFAULT TRUE;
-- The first failure since the last success.
ALTER TABLE notification_channels ADD COLUMN failing_since BIGINT;
-- Whichever node sends on the channel holds it until then, so that messages keep their order and none goes out twice.
ALTER TABLE notification_channels ADD COLUMN lease_until BIGINT;
ALTER TABLE notification_channels ADD COLUMN lease_token TEXT NOT NULL DEFAULT '';

ALTER TABLE outbox_events ADD COLUMN subject TEXT NOT NULL DEFAULT '';
-- Its incident became private after the event was queued.
ALTER TABLE outbox_events ADD COLUMN hidden BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX outbox_events_by_subject ON outbox_events (subject);

ALTER TABLE notification_deliveries ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE notification_deliveries ADD COLUMN subject TEXT NOT NULL DEFAULT '';
-- The message that carries it, the same at every try that the receiver may already have seen.
ALTER TABLE notification_deliveries ADD COLUMN message_id TEXT NOT NULL DEFAULT '';
-- E-mail: JSON array of the addresses that are done.
ALTER TABLE notification_deliveries ADD COLUMN told TEXT NOT NULL DEFAULT '[]';
CREATE INDEX notification_deliveries_by_status ON notification_deliveries (status, id DESC);
CREATE INDEX notification_deliveries_by_kind ON notification_deliveries (kind, id DESC);
CREATE INDEX notification_deliveries_by_subject ON notification_deliveries (subject, id DESC);
CREATE INDEX notification_deliveries_by_message ON notification_deliveries (message_id) WHERE message_id <> '';
CREATE INDEX notification_deliveries_sent ON notification_deliveries (channel_id, sent_at);
