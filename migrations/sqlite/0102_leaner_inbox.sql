-- What a storm writes for each delivery.
-- BIGINT PRIMARY KEY is a second tree beside the table's own; INTEGER PRIMARY KEY is that tree itself.
CREATE TABLE delivery_bodies_lean (
    delivery_id INTEGER PRIMARY KEY REFERENCES deliveries (id) ON DELETE CASCADE,
    encoding TEXT NOT NULL CHECK (encoding IN ('identity', 'zstd')),
    -- Whether the end was cut off at the size limit.
    truncated BOOLEAN NOT NULL,
    body BLOB NOT NULL
);
INSERT INTO delivery_bodies_lean (delivery_id, encoding, truncated, body)
SELECT delivery_id, encoding, truncated, body FROM delivery_bodies ORDER BY delivery_id;
DROP TABLE delivery_bodies;
ALTER TABLE delivery_bodies_lean RENAME TO delivery_bodies;

-- Nearly all deliveries are pending, which deliveries_due has, and then processed, which deliveries_by_time has.
DROP INDEX deliveries_by_status;
CREATE INDEX deliveries_unread ON deliveries (status, received_at, id) WHERE status = 'failed' OR status = 'rejected';
