-- manifest_names_its_check: Every internal manifest names a passed release check of its candidate.
-- Counts what breaks it.
SELECT count(*)
FROM manifests AS manifest
WHERE NOT EXISTS (
    SELECT 1
    FROM release_checks AS release_check
    WHERE release_check.check_id = manifest.check_id
        AND release_check.candidate_id = manifest.candidate_id
        AND release_check.passed
);
