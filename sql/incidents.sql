-- incidents: one row per incident about which a record was ever admitted.
-- From the store's incidents, with counts over its candidates and open items. pending tells whether records moved
-- since the last refresh (revision above observed_revision). failed_candidates counts candidates, not reasons;
-- open_items counts the unresolved ones.
CREATE VIEW incidents AS
SELECT
    incident.incident,
    incident.revision,
    incident.observed_revision,
    incident.revision > incident.observed_revision AS pending,
    incident.pending_since,
    incident.urgent,
    incident.registered_at,
    (
        SELECT count(DISTINCT candidate.bridge)
        FROM published.candidates AS candidate
        WHERE candidate.incident = incident.incident
    ) AS bridges,
    (
        SELECT count(*)
        FROM published.candidates AS candidate
        WHERE candidate.incident = incident.incident
    ) AS candidates,
    (
        SELECT count(*)
        FROM candidates AS candidate
        WHERE candidate.incident = incident.incident
            AND candidate.publication_state = 'failed_check'
    ) AS failed_candidates,
    (
        SELECT count(*)
        FROM published.open_items AS item
        WHERE item.incident = incident.incident
            AND item.resolved_at IS NULL
    ) AS open_items
FROM published.incidents AS incident;
