-- slots: one row per placeholder slot of each candidate that passed; every slot of the profile is there.
-- From the 'held' part of the candidate's stored content. fields are the pointers on hold that show in the slot.
-- Candidates that did not pass have no rows here, as their content is not shown; their holds are in fields.
CREATE VIEW slots AS
SELECT
    candidate.candidate_id,
    candidate.incident,
    candidate.bridge,
    candidate.ordinal,
    slot.slot,
    slot.category,
    slot.slot_state,
    slot.review_role,
    slot.fields
FROM published.slots AS slot
JOIN passed_candidates AS candidate
    ON candidate.candidate_id = slot.candidate_id;
