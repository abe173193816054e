-- What a storm writes for each delivery: nearly all are pending, which deliveries_due has, and then processed, which
-- deliveries_by_time has.
DROP INDEX deliveries_by_status;
CREATE INDEX deliveries_unread ON deliveries (status, received_at, id) WHERE status = 'failed' OR status = 'rejected';
