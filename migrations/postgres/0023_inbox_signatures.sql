-- Signatures under which deliveries were accepted: the same one much later is a replay.
CREATE TABLE inbox_signatures (
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    -- SHA-256 of the signature, in hexadecimal.
    mark TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (kind, source, mark)
);
CREATE INDEX inbox_signatures_by_time ON inbox_signatures (received_at);
