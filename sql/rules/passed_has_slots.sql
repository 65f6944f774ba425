-- passed_has_slots: Every candidate that passed shows its slots.
-- Counts what breaks it.
SELECT count(*)
FROM passed_candidates AS passed
WHERE passed.candidate_id NOT IN (SELECT slot.candidate_id FROM slots AS slot);
