-- origin_of_every_released_version: Every origin has its released version, and a candidate behind it is of its bridge.
-- Counts what breaks it.
SELECT count(*)
FROM version_origins AS origin
LEFT JOIN released_versions AS version
    ON version.package_id = origin.package_id
    AND version.version = origin.version
LEFT JOIN candidates AS candidate
    ON candidate.candidate_id = origin.candidate_id
    AND candidate.incident = origin.incident
    AND candidate.bridge = origin.bridge
WHERE version.package_id IS NULL
    OR (origin.candidate_id IS NOT NULL AND candidate.candidate_id IS NULL);
