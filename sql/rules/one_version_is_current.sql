-- one_version_is_current: No package has two released versions at once, and its versions are numbered without a gap.
-- Counts what breaks it.
SELECT count(*)
FROM (
    SELECT package_id
    FROM released_versions
    GROUP BY package_id
    HAVING count(*) FILTER (publication_state = 'released') > 1
        OR max(version) <> count(*)
) AS package;
