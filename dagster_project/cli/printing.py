"""Printing: one candidate, one incident, one history as text.

Belongs here: how typed answers read on a terminal. Package values only; of records only ids and versions.
"""

from collections.abc import Iterable, Iterator

from dagster_project.application.checks import CheckedCandidate
from dagster_project.application.explain import ExplainedInput, Explanation
from dagster_project.application.overview import CandidateOverview, IncidentOverview, OpenItem, Reason
from dagster_project.application.refresh import RefreshReport
from dagster_project.application.verify_published import VerifiedPackage
from dagster_project.cli.output import short


def counted(number: int, noun: str) -> str:
    """Return ``1 field`` or ``3 fields``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def reason_text(reasons: Iterable[Reason]) -> str:
    """Return reasons as ``rule: code at pointers``."""
    return "; ".join(f"{one.rule}: {one.code} at {', '.join(one.pointers) or 'the whole'}" for one in reasons)


def candidate_line(report: RefreshReport, one: CheckedCandidate) -> str:
    """Return one line on what a refresh made for one bridge."""
    result = "passed" if one.manifest_digest is not None else f"FAILED ({reason_text(one.check.reasons) or 'expired'})"
    change = f"content {one.row.content_number}" if one.row.content_changed else "no visible change"
    where = f"{report.snapshot.refresh.incident} {one.row.bridge}"
    return f"{where}: {change}, {one.row.outcome.value}, release check {result}"


def headline(overview: CandidateOverview) -> str:
    """Return incident status, severity and the affected capabilities in one line."""
    content = overview.content
    affected = [
        f"{content['names'].get(name, name)} {capability.get('capability_status', '-')}"
        for name, capability in sorted(content["affected_capabilities"].items())
    ]
    state = f"{content.get('incident_status', '-')}, {content.get('severity_code', '-')}"
    return f"{state}; " + (", ".join(affected) or "no capability affected")


def held_text(overview: CandidateOverview) -> str:
    """Return what is on hold: slot, state, deciding role, number of fields."""
    slots = []
    for name, slot in sorted(overview.content["held"].items()):
        if slot["slot_state"] != "none_declared":
            fields = f", {counted(len(slot['fields']), 'field')}" if slot["fields"] else ""
            slots.append(f"{name} {slot['slot_state']} ({slot['review_role']}{fields})")
    return "; ".join(slots) or "nothing"


def history_lines(history: Iterable[CandidateOverview]) -> Iterator[str]:
    """Yield a line or two per content that differs from the one before, and one per candidate that failed."""
    for one in history:
        if not one.content_changed and one.publication_state == "candidate":
            continue
        causes = ", ".join(f"{count} {cause}" for cause, count in one.changes_by_cause.items())
        yield (
            f"{short(one.evaluated_at)}  {one.bridge}  content {one.content_number}  "
            f"{one.publication_state}, {one.outcome}  [{causes or 'no visible change'}]"
        )
        yield f"    {headline(one)}"
        yield f"    on hold: {held_text(one)}"
        if one.publication_state == "failed_check":
            yield f"    NOT PASSED: {reason_text(one.reasons)}"


def incident_lines(one: IncidentOverview) -> Iterator[str]:
    """Yield where an incident stands."""
    pending = "pending change" if one.pending else "up to date"
    yield f"{one.incident}: {pending}, {one.open_items} open items, {one.rejected_inputs} rejected inputs"
    for candidate in one.candidates:
        until = short(candidate.valid_until)
        state = f"content {candidate.content_number}, {candidate.publication_state}"
        review = "; its current version is UNDER REVIEW" if candidate.bridge in one.under_review else ""
        yield f"  {candidate.bridge}: {state}, valid until {until}{review}"
        yield f"    {headline(candidate)}"


def open_item_line(item: OpenItem) -> str:
    """Return one open item: what, where, both sides by record id, who, and what resolves it."""
    sides = ", ".join(f"{one.recordid} v{one.recordversion} of {one.source}" for one in item.evidence[:4])
    more = f" and {len(item.evidence) - 4} more" if len(item.evidence) > 4 else ""  # noqa: PLR2004
    kept = f" kept aside: {len(item.rejected)}" if item.rejected else ""
    return (
        f"{item.bridge}: {item.kind} in slot {item.slot}, {counted(len(item.fields), 'field')}; {sides}{more}{kept}\n"
        f"      {item.owner_role} resolves it by: {item.resolved_by}"
    )


def explanation_lines(one: Explanation) -> Iterator[str]:
    """Yield a field's lineage."""
    yield f"{one.pointer} = {one.value!r}"
    yield f"  on {one.bridge}, candidate {one.ordinal}, evaluated at {short(one.evaluated_at)}"
    yield f"  rule {one.rule_id} ({one.transformation}) of profile {one.profile}, {one.rule_digest[:19]}"
    if one.hold_reason:
        yield f"  ON HOLD: {one.hold_reason}, shown in slot {one.slot}"
    for absence in one.absences:
        yield f"  on hold without a leaf: {absence.pointer} ({absence.reason})"
    for entry in one.inputs:
        yield f"  <- {_input_text(entry)}"
    if not one.inputs:
        yield "  <- the profile alone"


def _input_text(one: ExplainedInput) -> str:
    value = f" = {one.value!r}" if one.shown else " (value kept inside)"
    where = f"{one.recordid} v{one.recordversion} of {one.source}"
    return f"{where}, {one.source_field}{value}  {one.relation}/{one.subtype}, recorded {short(one.recorded_at)}"


def verified_lines(verified: VerifiedPackage) -> Iterator[str]:
    """Yield what an outsider learns of a published package that was verified."""
    if verified.demo:
        yield "DEMO: the keys are those of a demonstration, and nothing in it is real"
    yield (
        f"{verified.package_id}: verified {counted(verified.files, 'file')} of {counted(verified.versions, 'version')} "
        f"({verified.pulled} pulled), index {verified.index_version} good until {short(verified.index_expires)}, "
        f"trust {verified.trust_version} of deployment {verified.deployment}"
    )
    if verified.current is None:
        yield "no version is current: use none of them"
    else:
        age = "its data is PAST THAT" if verified.is_stale else "good until then"
        yield f"current is version {verified.current}, stale after {short(verified.stale_after)}: {age}"
    if not verified.seen_before:
        yield "seen for the first time: there was nothing older to compare it with"
    yield f"what was seen is kept in {verified.state_file}"
