-- closure_steps: one row per step of a closure and direction.
-- From the store's steps. How far an unfinished step has come is not told: it may change with every attempt.
CREATE VIEW closure_steps AS
SELECT
    step.plan_id,
    step.step,
    step.direction,
    step.ended,
    step.first_held_up_at,
    step.finished_at
FROM published.closure_steps AS step;
