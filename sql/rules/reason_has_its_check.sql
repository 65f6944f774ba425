-- reason_has_its_check: Every reason belongs to a failed release check of its candidate.
-- Counts what breaks it.
SELECT count(*)
FROM published.release_check_reasons AS reason
WHERE NOT EXISTS (
    SELECT 1
    FROM published.release_checks AS release_check
    WHERE release_check.check_id = reason.check_id
        AND release_check.candidate_id = reason.candidate_id
        AND NOT release_check.passed
);
