-- released_versions: one row per version ever released; with released_fields the one view that the public file fills.
-- From the signed index (publication_state), the signed statement and the signed package of each, and nothing else, so
-- it says no more than the bridge itself can see. package_id is opaque; in the internal file version_origins says which
-- incident and bridge it is. stale_after limits the age of the data and promises nothing.
CREATE VIEW released_versions AS
SELECT
    version.package_id,
    version.version,
    version.kind,
    version.publication_state,
    version.channel,
    version.profile_label,
    version.content_digest,
    version.issued_at,
    version.as_of,
    version.stale_after,
    version.reaffirmed_at
FROM published.released_versions AS version;
