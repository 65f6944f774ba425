-- closure_recoveries: one row per step of a closure that a system held up: how long until it was done, and whether by
-- itself.
-- From closure_steps and closures. The time runs from the first attempt that failed, or was put off because the system
-- had failed others, until the step was done with its receipt read back. Outages of the case-review system and the
-- archive hold a step up too; an event that could not be verified yet has no step.
CREATE VIEW closure_recoveries AS
SELECT
    step.plan_id,
    step.step,
    step.direction,
    step.first_held_up_at,
    step.ended,
    step.finished_at,
    CASE
        WHEN step.ended NOT IN ('done', 'already_completed') THEN 'not_done'
        WHEN closure.repaired THEN 'after_a_command'
        ELSE 'by_itself'
    END AS recovered,
    CASE WHEN recovered <> 'not_done' THEN date_diff('second', step.first_held_up_at, step.finished_at) END AS seconds,
    (
        SELECT count(*)
        FROM closure_steps AS other
        WHERE other.plan_id = step.plan_id
            AND other.direction = step.direction
            AND other.step <> step.step
            AND other.ended IN ('done', 'already_completed')
            AND other.finished_at >= step.first_held_up_at
            AND other.finished_at < coalesce(step.finished_at, 'infinity'::TIMESTAMP)
    ) AS done_meanwhile
FROM closure_steps AS step
JOIN closures AS closure
    ON closure.plan_id = step.plan_id
WHERE step.first_held_up_at IS NOT NULL;
