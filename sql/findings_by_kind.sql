-- findings_by_kind: one row per kind of finding, those without a finding included, as soon as a version was released.
-- From findings and version_origins. versions counts every version ever released, pulled ones and reaffirmations
-- included, so findings_per_version is a rate over all that left.
CREATE VIEW findings_by_kind AS
WITH released AS (
    SELECT count(*) AS versions
    FROM version_origins
)
SELECT
    kinds.kind,
    count(finding.finding_id) AS findings,
    count(DISTINCT (finding.incident, finding.bridge, finding.version))
        FILTER (finding.finding_id IS NOT NULL) AS versions_concerned,
    released.versions,
    count(finding.finding_id) / released.versions AS findings_per_version
FROM (VALUES ('leak'), ('stale'), ('misleading')) AS kinds (kind)
CROSS JOIN released
LEFT JOIN findings AS finding
    ON finding.kind = kinds.kind
WHERE released.versions > 0
GROUP BY kinds.kind, released.versions;
