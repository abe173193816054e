-- Which versions answered calls: a queue that the deployments take from, one row a minute.
CREATE TABLE trace_sightings (
    id INTEGER PRIMARY KEY,
    service TEXT NOT NULL,
    environment TEXT NOT NULL,
    version TEXT NOT NULL,
    minute_at BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    UNIQUE (service, environment, version, minute_at)
);
CREATE INDEX trace_sightings_in_order ON trace_sightings (minute_at, id);

-- What each service is known to run in each environment: the memory by which a new or a returning version is told.
CREATE TABLE running_versions (
    service TEXT NOT NULL,
    environment TEXT NOT NULL,
    version TEXT NOT NULL,
    last_at BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    -- Calls that other versions answered since this one was last seen.
    silent BIGINT NOT NULL,
    PRIMARY KEY (service, environment, version)
);

-- One row, taken first by whoever reads the queue: nodes that share a database take turns.
CREATE TABLE sighting_turn (
    id BIGINT PRIMARY KEY,
    taken_at BIGINT NOT NULL
);
INSERT INTO sighting_turn (id, taken_at) VALUES (1, 0);
