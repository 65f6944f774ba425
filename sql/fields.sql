-- fields: one row per leaf of each candidate's content, slots' leaves included.
-- From the candidate's stored content and lineage. value is the package value as text (lists and numbers as JSON);
-- where the candidate did not pass its check, value is NULL and withheld is true: what failed may hold what must not
-- leave. A NULL value with withheld false is a NULL in the package. on_hold tells that the value stands in for one
-- that is kept back, with the slot in which that shows and the reason. value_digest is keyed: equal digests are equal
-- values.
CREATE VIEW fields AS
SELECT
    candidate.candidate_id,
    candidate.incident,
    candidate.bridge,
    candidate.ordinal,
    field.pointer,
    field.field_class,
    field.value,
    field.withheld,
    field.value_digest,
    field.on_hold,
    field.slot,
    field.reason,
    field.rule_id,
    field.rule_digest,
    field.transformation
FROM published.fields AS field
JOIN published.candidates AS candidate
    ON candidate.candidate_id = field.candidate_id;
