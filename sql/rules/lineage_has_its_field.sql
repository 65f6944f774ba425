-- lineage_has_its_field: Every lineage row explains a field that is there.
-- Counts what breaks it.
SELECT count(*)
FROM published.lineage AS input
WHERE NOT EXISTS (
    SELECT 1
    FROM published.fields AS field
    WHERE field.candidate_id = input.candidate_id
        AND field.pointer = input.pointer
);
