-- Incidents that the same service caused.
CREATE INDEX suspect_verdicts_service ON suspect_verdicts (service, verdict, incident_id);
