-- released_fields: one row per leaf of each released version, slots' leaves included.
-- From the signed package. Versions that are suspended or withdrawn have no rows: what was pulled is shown nowhere.
-- value is the package value as text (lists and numbers as JSON); NULL is a NULL in the package.
CREATE VIEW released_fields AS
SELECT
    field.package_id,
    field.version,
    field.pointer,
    field.value
FROM published.released_fields AS field;
