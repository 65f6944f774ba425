-- decisions: one row per decision about an incident that was accepted, automatic pulls included.
-- From the store's decisions; what a decision says stays with its signature. decided_by is a keyed digest of the person.
-- bridge is '' for a hold of the whole incident. Decisions about profiles are about no incident and are not here.
CREATE VIEW decisions AS
SELECT
    decision.decision_id,
    decision.incident,
    decision.bridge,
    decision.act,
    decision.decided_by,
    decision.received_at
FROM published.decisions AS decision;
