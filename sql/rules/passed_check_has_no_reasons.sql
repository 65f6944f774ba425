-- passed_check_has_no_reasons: No release check passed for which there are reasons.
-- Counts what breaks it.
SELECT count(*)
FROM release_checks AS release_check
WHERE release_check.passed
    AND release_check.reasons > 0;
