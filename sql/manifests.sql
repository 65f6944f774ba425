-- manifests: one row per internal manifest, which only a candidate that passed its release check has.
-- From the manifest's stored body: everything that the candidate was made of, by digest. held are the pointers on
-- hold; withheld counts the values in its annexes. content_digest is plain; manifest_digest and snapshot_digest
-- are keyed.
CREATE VIEW manifests AS
SELECT
    manifest.manifest_digest,
    manifest.candidate_id,
    candidate.incident,
    candidate.bridge,
    candidate.ordinal,
    manifest.check_id,
    manifest.content_digest,
    manifest.valid_until,
    manifest.as_of,
    manifest.evaluation_instant,
    manifest.snapshot_digest,
    manifest.profile_digest,
    manifest.renderer_digest,
    manifest.tzdata_version,
    manifest.predecessor_id,
    manifest.held,
    manifest.withheld,
    manifest.created_at
FROM published.manifests AS manifest
JOIN published.candidates AS candidate
    ON candidate.candidate_id = manifest.candidate_id;
