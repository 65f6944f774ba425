-- annexes: one row per candidate and audience with values kept inside.
-- From the candidate's stored annex, of which only the number of values is copied, never a value or its digest.
CREATE VIEW annexes AS
SELECT
    candidate.candidate_id,
    candidate.incident,
    candidate.bridge,
    candidate.ordinal,
    annex.audience,
    annex.withheld
FROM published.annexes AS annex
JOIN published.candidates AS candidate
    ON candidate.candidate_id = annex.candidate_id;
