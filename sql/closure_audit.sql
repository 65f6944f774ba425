-- closure_audit: one row for all complete closures, as soon as there is one: how many have their audit row.
-- From closures. A row is filled where it names the queue item, the tracker records, the archive references and the
-- notification target; it is typed as skipped where it says for each that is missing that an operator skipped it, and why.
CREATE VIEW closure_audit AS
SELECT
    count(*) AS complete,
    count(*) FILTER (closure.audit_row = 'filled') AS filled,
    count(*) FILTER (closure.audit_row = 'skipped') AS with_skipped,
    count(*) FILTER (closure.audit_row IN ('wrong', 'none')) AS missing_or_wrong,
    (filled + with_skipped) / complete AS share_with_audit_row
FROM closures AS closure
WHERE closure.state = 'complete'
HAVING count(*) > 0;
