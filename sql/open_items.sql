-- open_items: one row per conflict or question for a person, resolved ones included.
-- From the store's open items. resolved_at is NULL while it is open; an item that recurs is opened again under its
-- id. owner_role is who resolves it, resolved_by what resolves it. bridge is '' where it concerns all bridges.
-- The records on its sides are in open_item_evidence; rejected_inputs counts rejected input among them.
CREATE VIEW open_items AS
SELECT
    item.open_item_id,
    item.incident,
    item.bridge,
    item.kind,
    item.slot,
    item.fields,
    item.owner_role,
    item.resolved_by,
    item.rejected_inputs,
    item.opened_at,
    item.resolved_at
FROM published.open_items AS item;
