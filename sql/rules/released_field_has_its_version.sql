-- released_field_has_its_version: Every released field is one of a released version that is not pulled.
-- Counts what breaks it.
SELECT count(*)
FROM released_fields AS field
LEFT JOIN released_versions AS version
    ON version.package_id = field.package_id
    AND version.version = field.version
WHERE version.package_id IS NULL
    OR version.publication_state IN ('suspended', 'withdrawn');
