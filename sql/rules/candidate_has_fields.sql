-- candidate_has_fields: Every candidate has fields.
-- Counts what breaks it.
SELECT count(*)
FROM candidates AS candidate
WHERE candidate.candidate_id NOT IN (SELECT field.candidate_id FROM fields AS field);
