-- old_values_only_of_passed: No change shows the old value of a candidate that did not pass.
-- Counts what breaks it.
SELECT count(*)
FROM changes AS change
JOIN candidates AS candidate
    ON candidate.candidate_id = change.candidate_id
LEFT JOIN passed_candidates AS before
    ON before.candidate_id = candidate.predecessor_id
WHERE change.old_value IS NOT NULL
    AND before.candidate_id IS NULL;
