-- open_item_evidence: one row per record version on a side of an open item.
-- From the open item's stored body, as of the last refresh that found it open. data_digest is keyed: two versions with the same
-- recordversion and unequal digests are conflicting copies.
CREATE VIEW open_item_evidence AS
SELECT
    evidence.open_item_id,
    item.incident,
    item.bridge,
    item.kind,
    evidence.source,
    evidence.recordid,
    evidence.recordversion,
    evidence.data_digest
FROM published.open_item_evidence AS evidence
JOIN published.open_items AS item
    ON item.open_item_id = evidence.open_item_id;
