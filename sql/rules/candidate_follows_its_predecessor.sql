-- candidate_follows_its_predecessor: A candidate's predecessor is an earlier one of the same incident and bridge.
-- Counts what breaks it.
SELECT count(*)
FROM candidates AS candidate
WHERE candidate.predecessor_id IS NOT NULL
    AND NOT EXISTS (
        SELECT 1
        FROM candidates AS before
        WHERE before.candidate_id = candidate.predecessor_id
            AND before.incident = candidate.incident
            AND before.bridge = candidate.bridge
            AND before.ordinal < candidate.ordinal
    );
