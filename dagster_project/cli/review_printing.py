"""Review printing: what waits, one page under review, versions and who had what, as text.

Belongs here: how the answers of review and release read on a terminal. Package values only.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from dagster_project.application.exposure import ExposedSpan
from dagster_project.application.profile_desk import ProfileOverview
from dagster_project.application.review_desk import HoldOverview, ReviewedChange, ReviewPage, WaitingBridge
from dagster_project.application.version_history import DecisionOverview, ReceiptRow, VersionHistory, VersionOverview
from dagster_project.cli.output import short
from dagster_project.cli.printing import counted, reason_text

_UNKNOWN = "unknown"
_MOST_FIELDS = 6
_MOST_WORDS = 500


def waiting_lines(one: WaitingBridge) -> Iterator[str]:
    """Yield what one bridge waits for."""
    if one.current_version is None:
        current = "no current version"
    else:
        current = f"version {one.current_version} is current, stale after {short(one.stale_after)}"
    yield f"{one.incident} {one.bridge}: {counted(one.changes, 'change')} not covered; {current}"
    if one.changes_by_class:
        yield f"    by class: {_counts(one.changes_by_class)}"
    if one.roles_missing:
        yield f"    waits for: {', '.join(one.roles_missing)}"
    if one.rejected:
        yield f"    rejected: {one.rejected}"
    if one.holds:
        yield f"    HELD: {counted(one.holds, 'hold')} in force"
    told = "" if one.is_news else ", and says what the bridge was told already"
    yield f"    the page as it stands {_may_leave(one.missing)}{told}"


def page_lines(page: ReviewPage) -> Iterator[str]:
    """Yield one bridge as a reviewer looks at it."""
    current = (
        "none" if page.current_version is None else f"{page.current_version}, stale after {short(page.stale_after)}"
    )
    yield f"{page.incident} {page.bridge}, candidate {page.candidate}; current version: {current}"
    yield f"{counted(len(page.changes), 'change')}"
    for change in page.changes:
        yield from change_lines(change)
    for hold in page.holds:
        yield from _hold_lines(hold)
    if page.pulled:
        yield f"pulled and not restored: {', '.join(page.pulled)}"
    yield f"the page that would leave {_may_leave(page.missing)}"
    if page.reasons:
        yield f"    NOT PASSED: {reason_text(page.reasons)}"
    if not page.is_news:
        yield "    it says what the bridge was told already"
    yield f"page {page.page_digest}"
    if page.page_text:
        yield from (f"  | {line}".rstrip() for line in page.page_text.splitlines())


def change_lines(change: ReviewedChange) -> Iterator[str]:
    """Yield one change: what it says, its classes, who is asked and who is missing."""
    says = f"{change.pointer}: {_value(change.old)} -> {_value(change.new)}"
    yield f"  {says}  [{change.op}; {', '.join(change.classes)}]"
    recorders = ", ".join(change.recorded_by) or ("" if change.recorder_unknown else "the profile")
    unknown = "somebody its source does not name" if change.recorder_unknown else ""
    said = " and ".join(part for part in (recorders, unknown) if part)
    if change.state == "standing":
        yield f"      covered by the profile's own approval; recorded by {said}"
        return
    waits = f"waits for {', '.join(change.roles_missing)}"
    yield f"      {waits if change.state == 'waits' else change.state}; recorded by {said}"


def _hold_lines(hold: HoldOverview) -> Iterator[str]:
    where = f"bridge {hold.bridge}" if hold.bridge else "the whole incident"
    yield f"HELD by {hold.person} as {hold.role} since {short(hold.since)}: {where}; {_printable(hold.reason)}"
    yield f"      hold {hold.digest}"


def version_history_lines(history: VersionHistory) -> Iterator[str]:
    """Yield the versions, and then the decisions; what is not recorded reads as unknown."""
    yield "Versions" if history.versions else "Versions: none was released"
    for version in history.versions:
        yield from (f"  {line}" for line in _version_lines(version))
    if history.decisions:
        yield "Decisions"
        yield from (f"  {_decision_line(one)}" for one in history.decisions)


def version_lines_in_short(history: VersionHistory) -> Iterator[str]:
    """Yield a line for each version: when it was shared, what became of it, who approved it, what stayed inside."""
    for one in history.versions:
        since = "" if one.state == "released" or one.state_since is None else f" since {short(one.state_since)}"
        people = ", ".join(dict.fromkeys(approval.person for approval in one.approvals or ()))
        approved = f"; approved by {people}" if people else ""
        withheld = _UNKNOWN if one.withheld is None else _counts(one.withheld) or "nothing"
        yield (
            f"{one.bridge} version {one.version} ({one.kind}), released {short(one.issued_at)}, {one.state}{since}"
            f"{approved}; withheld: {withheld}"
        )


def _version_lines(one: VersionOverview) -> Iterator[str]:
    since = _UNKNOWN if one.state_since is None else short(one.state_since)
    yield f"{one.bridge} version {one.version} ({one.kind}): {one.state} since {since}"
    folder = "not yet" if one.in_folder_since is None else short(one.in_folder_since)
    yield f"    released {short(one.issued_at)}; in the published folder: {folder}"
    seen = "" if one.reaffirmed_at is None else f", reaffirmed {short(one.reaffirmed_at)}"
    yield f"    as of {short(one.as_of)}, stale after {short(one.stale_after)}{seen}"
    for approval in one.approvals or ():
        yield f"    approved by {approval.person} {short(approval.received_at)}: {_few(approval.fields)}"
    if one.approvals is None:
        yield f"    approvals of single changes: {_UNKNOWN}, not recorded for this kind"
    if one.standing_fields:
        yield f"    covered by the profile's own approval: {_few(one.standing_fields)}"
    yield f"    annexes withheld: {_UNKNOWN if one.withheld is None else _counts(one.withheld) or 'none'}"
    yield from (f"    {_receipt_text(receipt)}" for receipt in one.receipts)
    if not one.receipts:
        yield f"    receipts: none recorded; whether it was read is {_UNKNOWN}"
    for finding in one.findings:
        yield f"    FOUND {short(finding.found_at)}: {finding.kind} at {finding.field_pointer}"


def _decision_line(one: DecisionOverview) -> str:
    parts = [f"version {one.version}"] if one.version is not None else []
    parts += [f"as {one.role}"] if one.role else []
    parts += [_few(one.fields)] if one.fields else []
    parts += [f"{counted(one.other_changes, 'change')} that no version carried out"] if one.other_changes else []
    parts += [f"of {one.refers_to}"] if one.refers_to else []
    what = f" ({'; '.join(parts)})" if parts else ""
    return f"{short(one.received_at)}  {one.bridge or 'whole incident'}: {one.person} {one.act}{what}"


def _receipt_text(one: ReceiptRow) -> str:
    answers = {True: ", reopened an internal system", False: ", without reopening an internal system", None: ""}
    return f"{one.kind} {short(one.at)}: {one.recipient}{answers[one.reopened_internal]}"


def exposure_lines(pointer: str, spans: Iterable[ExposedSpan]) -> Iterator[str]:
    """Yield who had which value of a field from when to when."""
    yield pointer
    for one in spans:
        until = "until now" if one.until is None else f"until {short(one.until)}"
        first, last = one.versions[0], one.versions[-1]
        versions = f"version {first}" if first == last else f"versions {first} to {last}"
        yield f"  {one.bridge}: {_exposed(one)}, from {short(one.since)} {until} ({versions})"
        if one.taken_back_at is not None:
            yield f"      taken back {short(one.taken_back_at)}"
        if one.on_hold:
            continue
        yield from (f"      {_receipt_text(receipt)}" for receipt in one.receipts)
        if not one.receipts:
            yield f"      who had it is {_UNKNOWN}: no receipt is recorded"


def _exposed(one: ExposedSpan) -> str:
    if one.on_hold:
        return "on hold, no value"
    if one.pulled:
        return f"a value that was taken back ({str(one.value_digest)[:24]})"
    return _value(one.value)


def profile_lines(one: ProfileOverview) -> Iterator[str]:
    """Yield where a proposed profile stands."""
    state = "in force" if one.in_force else "REJECTED" if one.rejected else "not in force"
    yield f"{one.name} ({one.channel}): {state}, {one.profile_digest}"
    replaces = f", to replace {one.replaces}" if one.replaces else ""
    yield f"    proposed by {one.proposer} {short(one.proposed_at)}{replaces}"
    for decision in one.decisions:
        yield f"    {decision.person} {decision.act} {short(decision.received_at)}"
    if one.roles_missing:
        yield f"    waits for: {', '.join(one.roles_missing)}"


def _may_leave(missing: tuple[str, ...]) -> str:
    return f"may not leave: {', '.join(missing)}" if missing else "may leave"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(Counter(counts).items()))


def _printable(words: str) -> str:
    """Return a person's words as they may stand on a terminal, whatever made them: on one line, nothing that acts."""
    safe = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in words)
    return safe if len(safe) <= _MOST_WORDS else f"{safe[:_MOST_WORDS]}..."


def _few(fields: Sequence[str]) -> str:
    """Return fields by pointer: some, and how many more there are; JSON names them all."""
    more = f" and {len(fields) - _MOST_FIELDS} more" if len(fields) > _MOST_FIELDS else ""
    return ", ".join(fields[:_MOST_FIELDS]) + more


def _value(value: object) -> str:
    return "nothing" if value is None else f"{value!r}"
