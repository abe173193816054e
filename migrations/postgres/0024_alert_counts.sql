-- Episodes that began in each five minutes: the storm is drawn from these few rows.
CREATE TABLE alert_starts (
    slot_at BIGINT PRIMARY KEY,
    episodes BIGINT NOT NULL
);
INSERT INTO alert_starts (slot_at, episodes)
    SELECT starts_at / 300000000 * 300000000, COUNT(*) FROM signals WHERE status = 'firing'
    GROUP BY starts_at / 300000000 * 300000000;

-- What fires, counted by severity without touching the rows.
CREATE INDEX alerts_firing ON alerts (severity) WHERE status = 'firing';
-- What fires and belongs to no incident: the dashboard's list.
CREATE INDEX alerts_loose ON alerts (started_at, id) WHERE status = 'firing' AND incident_id IS NULL AND noise_at IS NULL;
-- Of one rule.
CREATE INDEX alerts_by_rule ON alerts (rule, status, started_at, id);
