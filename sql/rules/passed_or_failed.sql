-- passed_or_failed: Every candidate either passed or failed, never both and never neither, and its state says which.
-- Counts what breaks it.
SELECT count(*)
FROM candidates AS candidate
WHERE (candidate.publication_state = 'candidate')
    <> (candidate.candidate_id IN (SELECT passed.candidate_id FROM passed_candidates AS passed))
    OR (candidate.publication_state = 'failed_check')
    <> (candidate.candidate_id IN (SELECT failed.candidate_id FROM failed_candidates AS failed));
