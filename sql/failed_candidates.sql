-- failed_candidates: one row per reason for which a candidate is not in passed_candidates; every such candidate has
-- at least one row, so that nothing falls between the two views.
-- From the reasons of the candidate's latest release check. Where there is none that says why, rule is 'gate' and
-- code is 'not_checked' (no release check yet) or 'no_manifest' (it passed, but was no longer valid at the gate).
-- pointers name the fields concerned; the values of such a candidate are in no view.
CREATE VIEW failed_candidates AS
WITH latest AS (
    SELECT candidate_id, max(check_id) AS check_id
    FROM published.release_checks
    GROUP BY candidate_id
)
SELECT
    candidate.candidate_id,
    candidate.incident,
    candidate.bridge,
    candidate.ordinal,
    candidate.evaluation_instant,
    latest.check_id,
    coalesce(reason.rule, 'gate') AS rule,
    CASE
        WHEN reason.code IS NOT NULL THEN reason.code
        WHEN latest.check_id IS NULL THEN 'not_checked'
        ELSE 'no_manifest'
    END AS code,
    coalesce(reason.pointers, []) AS pointers
FROM published.candidates AS candidate
LEFT JOIN latest
    ON latest.candidate_id = candidate.candidate_id
LEFT JOIN published.release_check_reasons AS reason
    ON reason.check_id = latest.check_id
    AND reason.candidate_id = candidate.candidate_id
WHERE candidate.candidate_id NOT IN (SELECT passed.candidate_id FROM passed_candidates AS passed);
