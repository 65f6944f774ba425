-- field_has_lineage: Every field has lineage.
-- Counts what breaks it.
SELECT count(*)
FROM published.fields AS field
WHERE NOT EXISTS (
    SELECT 1
    FROM published.lineage AS input
    WHERE input.candidate_id = field.candidate_id
        AND input.pointer = field.pointer
);
