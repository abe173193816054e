-- Follow-ups of every state, the soonest due first.
CREATE INDEX incident_tasks_by_kind_and_due ON incident_tasks (kind, COALESCE(due_at, 9223372036854775807), id);
