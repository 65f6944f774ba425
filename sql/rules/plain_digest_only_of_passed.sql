-- plain_digest_only_of_passed: The content digest of a candidate that did not pass is keyed wherever it stands.
-- Counts what breaks it.
SELECT count(*)
FROM (
    SELECT candidate_id, content_digest FROM candidates
    UNION ALL
    SELECT candidate_id, content_digest FROM release_checks
    UNION ALL
    SELECT candidate_id, content_digest FROM manifests
) AS named
WHERE named.candidate_id NOT IN (SELECT passed.candidate_id FROM passed_candidates AS passed)
    AND NOT starts_with(named.content_digest, 'hmac-sha256:');
