-- candidates: one row per candidate ever rendered, whether it passed or not.
-- From the store's candidates. publication_state is 'candidate' where it is in passed_candidates, else 'failed_check';
-- what was released of it is in version_origins. outcome is 'held' where a field or slot is on hold; holds counts
-- them, leafless ones included. carried_forward counts the fields that are as in the candidate before. content_digest
-- is plain where the candidate passed and keyed where it did not; snapshot_digest is always keyed.
CREATE VIEW candidates AS
SELECT
    candidate.candidate_id,
    candidate.incident,
    candidate.bridge,
    candidate.ordinal,
    candidate.content_number,
    candidate.content_changed,
    CASE WHEN passed.candidate_id IS NULL THEN 'failed_check' ELSE 'candidate' END AS publication_state,
    candidate.outcome,
    candidate.holds,
    candidate.carried_forward,
    candidate.evaluation_instant,
    candidate.as_of,
    passed.valid_until,
    candidate.predecessor_id,
    candidate.content_digest,
    candidate.profile,
    candidate.profile_digest,
    candidate.renderer_digest,
    candidate.tzdata_version,
    candidate.snapshot_digest,
    candidate.created_at
FROM published.candidates AS candidate
LEFT JOIN passed_candidates AS passed
    ON passed.candidate_id = candidate.candidate_id;
