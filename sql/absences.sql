-- absences: one row per hold on a part of a candidate where no leaf can stand yet, for example a rejected outage.
-- From the candidate's stored lineage. pointer is the part concerned, slot is where it shows on the page.
-- evidence_records and rejected_inputs count what is behind it.
CREATE VIEW absences AS
SELECT
    candidate.candidate_id,
    candidate.incident,
    candidate.bridge,
    candidate.ordinal,
    absence.pointer,
    absence.slot,
    absence.reason,
    absence.evidence_records,
    absence.rejected_inputs
FROM published.absences AS absence
JOIN published.candidates AS candidate
    ON candidate.candidate_id = absence.candidate_id;
