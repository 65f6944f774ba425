-- closures: one row per closure: a disposition that was verified, and is propagated.
-- From the store's plans, steps, follow-ups and commands. A closure is repaired as soon as an operator acted on it, on
-- the event that began it, or on a follow-up about either, whatever the command was; another delivery that bears the
-- event's id and says something else is no fault of the closure. An event that was never verified has no closure.
CREATE VIEW closures AS
WITH about AS (
    SELECT
        plan.plan_id,
        item.follow_up_id,
        item.ended
    FROM published.closure_plans AS plan
    JOIN closure_follow_ups AS item
        ON item.plan_id = plan.plan_id
        OR (item.event_number = plan.event_number AND item.kind <> 'event_mismatch')
),
stepped AS (
    SELECT
        step.plan_id,
        count(*) AS steps,
        count(*) FILTER (step.ended <> 'unfinished') AS finished_steps,
        count(*) FILTER (step.ended = 'skipped_by_operator') AS skipped_steps
    FROM closure_steps AS step
    WHERE step.direction = 'apply'
    GROUP BY step.plan_id
)
SELECT
    plan.plan_id,
    plan.event_number,
    plan.case_digest,
    plan.state,
    plan.audit_row,
    coalesce(stepped.steps, 0) AS steps,
    coalesce(stepped.finished_steps, 0) AS finished_steps,
    coalesce(stepped.skipped_steps, 0) AS skipped_steps,
    coalesce(stepped.skipped_steps, 0) > 0 OR EXISTS (
        FROM published.closure_commands AS command
        WHERE command.plan_id = plan.plan_id
            OR command.event_number = plan.event_number
            OR command.follow_up_id IN (SELECT about.follow_up_id FROM about WHERE about.plan_id = plan.plan_id)
    ) AS repaired,
    plan.state = 'stopped' OR EXISTS (
        FROM about
        WHERE about.plan_id = plan.plan_id AND about.ended = 'open'
    ) AS waits_for_people,
    plan.created_at,
    plan.finished_at
FROM published.closure_plans AS plan
LEFT JOIN stepped
    ON stepped.plan_id = plan.plan_id;
