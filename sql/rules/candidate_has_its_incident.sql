-- candidate_has_its_incident: Every candidate is of an incident that is there.
-- Counts what breaks it.
SELECT count(*)
FROM candidates AS candidate
WHERE candidate.incident NOT IN (SELECT incident.incident FROM incidents AS incident);
