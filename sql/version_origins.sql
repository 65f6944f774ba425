-- version_origins: one row per version ever released, with where it comes from.
-- From the store's versions and the internal manifest of each. candidate_id is NULL for the fast acknowledgement, which
-- is rendered from no candidate. approved_changes were approved by people for this version, standing_changes are
-- covered by the approval of the profile; a reaffirmation and a pull carry out none.
CREATE VIEW version_origins AS
SELECT
    origin.incident,
    origin.bridge,
    origin.version,
    origin.package_id,
    origin.candidate_id,
    origin.profile_digest,
    origin.approved_changes,
    origin.standing_changes
FROM published.version_origins AS origin;
