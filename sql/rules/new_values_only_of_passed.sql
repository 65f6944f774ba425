-- new_values_only_of_passed: No change of a candidate that did not pass shows its new value.
-- Counts what breaks it.
SELECT count(*)
FROM changes AS change
WHERE change.candidate_id NOT IN (SELECT passed.candidate_id FROM passed_candidates AS passed)
    AND change.new_value IS NOT NULL;
