-- values_only_of_passed: No field of a candidate that did not pass shows a value.
-- Counts what breaks it.
SELECT count(*)
FROM fields AS field
WHERE field.candidate_id NOT IN (SELECT passed.candidate_id FROM passed_candidates AS passed)
    AND (field.value IS NOT NULL OR NOT field.withheld);
