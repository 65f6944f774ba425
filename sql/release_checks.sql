-- release_checks: one row per release check, passed or failed; the greatest check_id of a candidate is its latest.
-- From the check's stored body; passed is derived from that body, not from a flag. reasons counts why it failed, the
-- reasons are in failed_candidates. content_digest is plain where the candidate passed and keyed where it did not;
-- snapshot_digest and deny_list_digest are keyed.
CREATE VIEW release_checks AS
SELECT
    release_check.check_id,
    release_check.candidate_id,
    candidate.incident,
    candidate.bridge,
    candidate.ordinal,
    release_check.passed,
    (
        SELECT count(*)
        FROM published.release_check_reasons AS reason
        WHERE reason.check_id = release_check.check_id
    ) AS reasons,
    release_check.content_digest,
    release_check.snapshot_digest,
    release_check.profile_digest,
    release_check.deny_list_digest,
    release_check.evaluated_for,
    release_check.valid_until,
    release_check.created_at
FROM published.release_checks AS release_check
JOIN published.candidates AS candidate
    ON candidate.candidate_id = release_check.candidate_id;
