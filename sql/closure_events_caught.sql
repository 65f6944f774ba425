-- closure_events_caught: one row per kind of wrong event, as soon as anything was handed in as an event: how many were
-- caught, and how many before anything was written for them.
-- From the store's deliveries and events, and from closure_follow_ups. An event is a duplicate when it came before, or
-- when another event told of the same disposition: for those nothing is ever planned. The others are counted by their
-- follow-ups, each event and each closure once; where a closure was under way already, its follow-up says how many
-- steps had written by then. Conflicting: one id, and not the same words.
CREATE VIEW closure_events_caught AS
WITH stopped AS (
    SELECT
        CASE item.kind
            WHEN 'stale_disposition' THEN 'stale'
            WHEN 'mismapped_disposition' THEN 'mismapped'
            WHEN 'event_mismatch' THEN 'conflicting'
            WHEN 'step_out_of_bounds' THEN 'out_of_bounds'
        END AS kind,
        item.plan_id,
        item.event_number,
        max(item.applied_steps) AS applied_steps
    FROM closure_follow_ups AS item
    GROUP BY ALL
),
repeated AS (
    FROM published.closure_deliveries AS delivery
    SELECT 'duplicate' AS kind, 0 AS applied_steps
    WHERE delivery.outcome = 'duplicate'
    UNION ALL
    FROM published.closure_events AS event
    SELECT 'duplicate' AS kind, 0 AS applied_steps
    WHERE event.state = 'already_planned'
),
every AS (
    FROM stopped SELECT kind, applied_steps
    UNION ALL
    FROM repeated SELECT kind, applied_steps
)
SELECT
    kinds.kind,
    count(every.kind) AS caught,
    count(every.kind) FILTER (every.applied_steps = 0) AS before_a_write,
    before_a_write / nullif(caught, 0) AS share_before_a_write
FROM (VALUES ('duplicate'), ('stale'), ('mismapped'), ('conflicting'), ('out_of_bounds')) AS kinds (kind)
LEFT JOIN every
    ON every.kind = kinds.kind
WHERE EXISTS (FROM published.closure_deliveries)
GROUP BY kinds.kind;
