-- Ids are taken in blocks, so that a commit of deliveries need not ask for them.
CREATE TABLE delivery_ids (
    next BIGINT NOT NULL
);
INSERT INTO delivery_ids (next) SELECT COALESCE(MAX(id), 0) + 1 FROM deliveries;
