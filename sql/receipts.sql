-- receipts: one row per thing that happened to a version at a recipient.
-- From the store's receipts. None is inferred from another: a version may be read aloud that nobody recorded as handed
-- off. reopened_internal is the answer to "did you have to reopen an internal system?", which only a verdict has.
CREATE VIEW receipts AS
SELECT
    receipt.receipt_id,
    receipt.incident,
    receipt.bridge,
    receipt.version,
    receipt.recipient,
    receipt.kind,
    receipt.reopened_internal,
    receipt.happened_at,
    receipt.recorded_at
FROM published.receipts AS receipt;
