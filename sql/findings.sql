-- findings: one row per thing found wrong with a field of a version after its release.
-- From the store's findings, as people recorded them: a restricted detail that left (leak), a state that was no longer
-- so (stale), a true value that misled (misleading).
CREATE VIEW findings AS
SELECT
    finding.finding_id,
    finding.incident,
    finding.bridge,
    finding.version,
    finding.pointer,
    finding.kind,
    finding.found_at
FROM published.findings AS finding;
