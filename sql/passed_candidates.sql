-- passed_candidates: one row per candidate that stands behind an internal manifest.
-- From the candidate, its internal manifest, and the release check that the manifest names. All three must speak of
-- the same content digest, the check must have passed, and no later check of the same candidate may have failed.
-- Nothing else in these files says that a candidate passed: every other view asks this one.
CREATE VIEW passed_candidates AS
SELECT
    candidate.candidate_id,
    candidate.incident,
    candidate.bridge,
    candidate.ordinal,
    candidate.content_number,
    candidate.content_digest,
    candidate.evaluation_instant,
    candidate.as_of,
    manifest.valid_until,
    candidate.outcome,
    manifest.manifest_digest,
    release_check.check_id
FROM published.candidates AS candidate
JOIN published.manifests AS manifest
    ON manifest.candidate_id = candidate.candidate_id
    AND manifest.content_digest = candidate.content_digest
JOIN published.release_checks AS release_check
    ON release_check.check_id = manifest.check_id
    AND release_check.candidate_id = candidate.candidate_id
    AND release_check.content_digest = candidate.content_digest
    AND release_check.passed
WHERE NOT EXISTS (
    SELECT 1
    FROM published.release_checks AS later
    WHERE later.candidate_id = candidate.candidate_id
        AND later.check_id > release_check.check_id
        AND NOT later.passed
);
