-- passed_has_a_passed_check: Every candidate that passed has a passed release check over the same content.
-- Counts what breaks it.
SELECT count(*)
FROM passed_candidates AS passed
WHERE NOT EXISTS (
    SELECT 1
    FROM release_checks AS release_check
    WHERE release_check.check_id = passed.check_id
        AND release_check.candidate_id = passed.candidate_id
        AND release_check.content_digest = passed.content_digest
        AND release_check.passed
);
