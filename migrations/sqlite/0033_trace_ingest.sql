-- What came in and what was refused, by hour and door, for administrators.
CREATE TABLE trace_ingest_hours (
    hour_at BIGINT NOT NULL,
    -- otlp, zipkin, datadog, elastic, sentry
    source TEXT NOT NULL,
    deliveries BIGINT NOT NULL,
    accepted BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    -- Deliveries of which nothing could be read.
    unread BIGINT NOT NULL,
    -- Deliveries that were asked to come again, because memory was spoken for or the database was away.
    turned_away BIGINT NOT NULL,
    PRIMARY KEY (hour_at, source)
);
