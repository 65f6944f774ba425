-- passed_has_no_later_failure: No candidate that passed failed a later release check.
-- Counts what breaks it.
SELECT count(*)
FROM passed_candidates AS passed
JOIN release_checks AS later
    ON later.candidate_id = passed.candidate_id
    AND later.check_id > passed.check_id
    AND NOT later.passed;
