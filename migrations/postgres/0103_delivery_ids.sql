-- Ids are taken in blocks, so that a commit of deliveries need not ask for them. A node of the version before, still
-- at work beside this one, goes on counting from the last id: it has a million to go.
CREATE TABLE delivery_ids (
    next BIGINT NOT NULL
);
INSERT INTO delivery_ids (next) SELECT COALESCE(MAX(id) + 1000000, 1) FROM deliveries;
