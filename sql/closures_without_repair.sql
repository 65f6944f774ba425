-- closures_without_repair: one row for all closures, as soon as there is one: how many reached every system, and the
-- coordinator, without an operator.
-- From closures. What is under way and waits for nobody is counted out of the share; what is stopped, taken back,
-- repaired or waits for people is counted in.
CREATE VIEW closures_without_repair AS
SELECT
    count(*) AS closures,
    count(*) FILTER (closure.state = 'open' AND NOT closure.waits_for_people AND NOT closure.repaired) AS under_way,
    count(*) FILTER (closure.state = 'complete') AS complete,
    count(*) FILTER (closure.state = 'complete' AND NOT closure.repaired) AS without_repair,
    without_repair / nullif(closures - under_way, 0) AS share_without_repair
FROM closures AS closure
HAVING count(*) > 0;
