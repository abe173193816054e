-- What reports need of each incident, in blocks of neighbouring numbers, so that a report over ten
-- years reads some hundred rows. Derived: it can be thrown away and is made again.
CREATE TABLE report_blocks (
    id BIGINT PRIMARY KEY,
    -- Grows with every fold.
    version BIGINT NOT NULL,
    facts BLOB NOT NULL
);

-- Incidents that changed since they were folded into their block. Written by the triggers below, so
-- that no action can forget it; a report reads these incidents themselves until they are folded.
CREATE TABLE report_stale (
    -- Never used twice: an incident that changes again gets a new mark, by which kept answers know that they are old.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    incident_id BIGINT NOT NULL,
    -- The transaction that wrote it where several may write at once, else 0: one row each is enough.
    mark BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX report_stale_by_incident ON report_stale (incident_id, mark);

-- One row, taken first by whoever folds: nodes that share a database take turns.
CREATE TABLE report_turn (
    id BIGINT PRIMARY KEY,
    taken_at BIGINT NOT NULL
);
INSERT INTO report_turn (id, taken_at) VALUES (1, 0);

-- What a person said about an incident for the reports; empty where the record itself tells.
CREATE TABLE incident_classes (
    incident_id BIGINT PRIMARY KEY REFERENCES incidents (id) ON DELETE CASCADE,
    detected_by TEXT NOT NULL DEFAULT '',
    cause TEXT NOT NULL DEFAULT '',
    environment TEXT NOT NULL DEFAULT '',
    updated_at BIGINT NOT NULL,
    updated_by_name TEXT NOT NULL
);

INSERT INTO report_stale (incident_id) SELECT id FROM incidents;

CREATE TRIGGER report_stale_incidents_insert AFTER INSERT ON incidents BEGIN
    DELETE FROM report_stale WHERE incident_id = NEW.id;
    INSERT INTO report_stale (incident_id) VALUES (NEW.id);
END;
CREATE TRIGGER report_stale_incidents_update AFTER UPDATE OF severity, status, kind, private ON incidents BEGIN
    DELETE FROM report_stale WHERE incident_id = NEW.id;
    INSERT INTO report_stale (incident_id) VALUES (NEW.id);
END;
CREATE TRIGGER report_stale_incidents_delete AFTER DELETE ON incidents BEGIN
    DELETE FROM report_stale WHERE incident_id = OLD.id;
    INSERT INTO report_stale (incident_id) VALUES (OLD.id);
END;
CREATE TRIGGER report_stale_incident_milestones_insert AFTER INSERT ON incident_milestones BEGIN
    DELETE FROM report_stale WHERE incident_id = NEW.incident_id;
    INSERT INTO report_stale (incident_id) VALUES (NEW.incident_id);
END;
CREATE TRIGGER report_stale_incident_milestones_update AFTER UPDATE ON incident_milestones BEGIN
    DELETE FROM report_stale WHERE incident_id = NEW.incident_id;
    INSERT INTO report_stale (incident_id) VALUES (NEW.incident_id);
END;
CREATE TRIGGER report_stale_incident_milestones_delete AFTER DELETE ON incident_milestones BEGIN
    DELETE FROM report_stale WHERE incident_id = OLD.incident_id;
    INSERT INTO report_stale (incident_id) VALUES (OLD.incident_id);
END;
CREATE TRIGGER report_stale_incident_services_insert AFTER INSERT ON incident_services BEGIN
    DELETE FROM report_stale WHERE incident_id = NEW.incident_id;
    INSERT INTO report_stale (incident_id) VALUES (NEW.incident_id);
END;
CREATE TRIGGER report_stale_incident_services_delete AFTER DELETE ON incident_services BEGIN
    DELETE FROM report_stale WHERE incident_id = OLD.incident_id;
    INSERT INTO report_stale (incident_id) VALUES (OLD.incident_id);
END;
CREATE TRIGGER report_stale_incident_status_changes_insert AFTER INSERT ON incident_status_changes BEGIN
    DELETE FROM report_stale WHERE incident_id = NEW.incident_id;
    INSERT INTO report_stale (incident_id) VALUES (NEW.incident_id);
END;
CREATE TRIGGER report_stale_timeline_entries_insert AFTER INSERT ON timeline_entries WHEN NEW.author_id IS NOT NULL BEGIN
    DELETE FROM report_stale WHERE incident_id = NEW.incident_id;
    INSERT INTO report_stale (incident_id) VALUES (NEW.incident_id);
END;
CREATE TRIGGER report_stale_timeline_entries_update AFTER UPDATE OF occurred_at, deleted_at ON timeline_entries WHEN NEW.author_id IS NOT NULL BEGIN
    DELETE FROM report_stale WHERE incident_id = NEW.incident_id;
    INSERT INTO report_stale (incident_id) VALUES (NEW.incident_id);
END;
CREATE TRIGGER report_stale_suspect_verdicts_insert AFTER INSERT ON suspect_verdicts BEGIN
    DELETE FROM report_stale WHERE incident_id = NEW.incident_id;
    INSERT INTO report_stale (incident_id) VALUES (NEW.incident_id);
END;
CREATE TRIGGER report_stale_suspect_verdicts_update AFTER UPDATE ON suspect_verdicts BEGIN
    DELETE FROM report_stale WHERE incident_id = NEW.incident_id;
    INSERT INTO report_stale (incident_id) VALUES (NEW.incident_id);
END;
CREATE TRIGGER report_stale_suspect_verdicts_delete AFTER DELETE ON suspect_verdicts BEGIN
    DELETE FROM report_stale WHERE incident_id = OLD.incident_id;
    INSERT INTO report_stale (incident_id) VALUES (OLD.incident_id);
END;
CREATE TRIGGER report_stale_runbook_runs_insert AFTER INSERT ON runbook_runs BEGIN
    DELETE FROM report_stale WHERE incident_id = NEW.incident_id;
    INSERT INTO report_stale (incident_id) VALUES (NEW.incident_id);
END;
CREATE TRIGGER report_stale_incident_classes_insert AFTER INSERT ON incident_classes BEGIN
    DELETE FROM report_stale WHERE incident_id = NEW.incident_id;
    INSERT INTO report_stale (incident_id) VALUES (NEW.incident_id);
END;
CREATE TRIGGER report_stale_incident_classes_update AFTER UPDATE ON incident_classes BEGIN
    DELETE FROM report_stale WHERE incident_id = NEW.incident_id;
    INSERT INTO report_stale (incident_id) VALUES (NEW.incident_id);
END;
CREATE TRIGGER report_stale_alerts_insert AFTER INSERT ON alerts WHEN NEW.incident_id IS NOT NULL BEGIN
    DELETE FROM report_stale WHERE incident_id = NEW.incident_id;
    INSERT INTO report_stale (incident_id) VALUES (NEW.incident_id);
END;
CREATE TRIGGER report_stale_alerts_to AFTER UPDATE OF incident_id, environment, origin ON alerts
    WHEN NEW.incident_id IS NOT NULL AND (NEW.incident_id IS NOT OLD.incident_id OR NEW.environment <> OLD.environment OR NEW.origin <> OLD.origin) BEGIN
    DELETE FROM report_stale WHERE incident_id = NEW.incident_id;
    INSERT INTO report_stale (incident_id) VALUES (NEW.incident_id);
END;
CREATE TRIGGER report_stale_alerts_from AFTER UPDATE OF incident_id, environment, origin ON alerts
    WHEN OLD.incident_id IS NOT NULL AND (OLD.incident_id IS NOT NEW.incident_id) BEGIN
    DELETE FROM report_stale WHERE incident_id = OLD.incident_id;
    INSERT INTO report_stale (incident_id) VALUES (OLD.incident_id);
END;
