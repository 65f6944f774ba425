-- changes: one row per field that differs from the candidate before on the same bridge, with its cause.
-- From the candidate's stored delta; the first candidate of a bridge adds everything. new_value is NULL where this
-- candidate did not pass, old_value where the one before did not; the keyed digests are there in any case.
CREATE VIEW changes AS
SELECT
    candidate.candidate_id,
    candidate.incident,
    candidate.bridge,
    candidate.ordinal,
    change.op,
    change.pointer,
    change.cause,
    change.old_value,
    change.new_value,
    change.old_digest,
    change.new_digest,
    change.evidence_records
FROM published.changes AS change
JOIN published.candidates AS candidate
    ON candidate.candidate_id = change.candidate_id;
