-- acceptance: one row per incident and bridge with a released version: how many of its versions were accepted without
-- reopening an internal system, and how many were answered at all.
-- From version_origins and receipts. A version is handed off where a receipt says so, and has a verdict where anybody
-- accepted or rejected it. It counts as accepted without reopening only where somebody accepted it, nobody rejected it,
-- and every verdict says that no internal system was reopened: no answer is not a no. Shares are of versions, not of
-- receipts; to add rows up, add the counts and divide then.
CREATE VIEW acceptance AS
WITH heard AS (
    SELECT
        incident,
        bridge,
        version,
        bool_or(kind = 'handed_off') AS handed_off,
        bool_or(kind IN ('accepted', 'rejected')) AS has_verdict,
        bool_or(kind = 'accepted')
            AND NOT bool_or(kind = 'rejected')
            AND NOT bool_or(kind = 'accepted' AND coalesce(reopened_internal, true)) AS accepted
    FROM receipts
    GROUP BY incident, bridge, version
),
counted AS (
    SELECT
        origin.incident,
        origin.bridge,
        count(*) AS versions,
        count(*) FILTER (heard.handed_off) AS handed_off,
        count(*) FILTER (heard.handed_off AND heard.has_verdict) AS with_verdict,
        count(*) FILTER (heard.handed_off AND heard.accepted) AS accepted_without_reopening,
        count(*) FILTER (heard.has_verdict AND NOT heard.handed_off) AS verdicts_without_hand_off
    FROM version_origins AS origin
    LEFT JOIN heard
        ON heard.incident = origin.incident
        AND heard.bridge = origin.bridge
        AND heard.version = origin.version
    GROUP BY origin.incident, origin.bridge
)
SELECT
    counted.incident,
    counted.bridge,
    counted.versions,
    counted.handed_off,
    counted.with_verdict,
    counted.accepted_without_reopening,
    counted.verdicts_without_hand_off,
    counted.with_verdict / nullif(counted.handed_off, 0) AS response_rate,
    counted.accepted_without_reopening / nullif(counted.with_verdict, 0) AS accepted_share
FROM counted;
