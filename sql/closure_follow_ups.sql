-- closure_follow_ups: one row per piece of work that a closure handed to people, resolved ones included.
-- From the store's follow-ups and their evidence, of which only the steps that had written by then are counted.
CREATE VIEW closure_follow_ups AS
SELECT
    item.follow_up_id,
    item.kind,
    item.case_digest,
    item.plan_id,
    item.event_number,
    item.step,
    item.owner_role,
    item.applied_steps,
    item.ended,
    item.opened_at,
    item.resolved_at
FROM published.closure_follow_ups AS item;
