-- Reports over the times as first recorded find their incidents by them.
CREATE INDEX incident_milestones_by_raw ON incident_milestones (raw_at, incident_id);
