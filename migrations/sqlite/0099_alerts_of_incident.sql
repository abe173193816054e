-- The newest alerts of an incident, whatever their state: without it a hundred of them cost the sorting of all.
CREATE INDEX alerts_by_incident_start ON alerts (incident_id, started_at, id);
