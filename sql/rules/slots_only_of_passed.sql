-- slots_only_of_passed: No slot is held in the file of a candidate that did not pass.
-- Counts what breaks it.
SELECT count(*)
FROM published.slots AS slot
WHERE slot.candidate_id NOT IN (SELECT passed.candidate_id FROM passed_candidates AS passed);
