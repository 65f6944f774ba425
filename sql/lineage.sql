-- lineage: one row per field and input: which version of which record, and which of its fields, the field read.
-- From the candidate's stored lineage. A profile constant reads nothing and has one row with a NULL source.
-- relation and subtype are OpenLineage's (DIRECT: the value enters the field, INDIRECT: it only decides); masking
-- tells that the input cannot be recovered from the field. data_digest names the record's data, keyed.
CREATE VIEW lineage AS
SELECT
    candidate.candidate_id,
    candidate.incident,
    candidate.bridge,
    candidate.ordinal,
    input.pointer,
    input.source,
    input.recordid,
    input.recordversion,
    input.data_digest,
    input.source_field,
    input.relation,
    input.subtype,
    input.masking,
    input.transformation,
    input.rule_id,
    input.rule_digest
FROM published.lineage AS input
JOIN published.candidates AS candidate
    ON candidate.candidate_id = input.candidate_id;
