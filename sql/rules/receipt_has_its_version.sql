-- receipt_has_its_version: Every receipt and every finding is about a released version.
-- Counts what breaks it.
SELECT count(*)
FROM (
    SELECT incident, bridge, version FROM receipts
    UNION ALL
    SELECT incident, bridge, version FROM findings
) AS heard
LEFT JOIN version_origins AS origin
    ON origin.incident = heard.incident
    AND origin.bridge = heard.bridge
    AND origin.version = heard.version
WHERE origin.incident IS NULL;
