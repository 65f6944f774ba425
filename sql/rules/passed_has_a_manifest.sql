-- passed_has_a_manifest: Every candidate that passed stands behind an internal manifest.
-- Counts what breaks it.
SELECT count(*)
FROM passed_candidates AS passed
WHERE NOT EXISTS (
    SELECT 1
    FROM manifests AS manifest
    WHERE manifest.candidate_id = passed.candidate_id
);
