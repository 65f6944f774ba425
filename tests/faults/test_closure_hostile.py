"""Hostile events, records and reasons: of every byte that a support system received none is theirs.

The systems are behind HTTP and keep each request as it came: path, headers and body. What may be in one is written down
here by hand.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import pytest

from dagster_project.application.closing_commands import ClosureAct
from dagster_project.closure.targets import TargetRequest
from dagster_project.connections.targets.support_systems import edit_subject, enter_disposition
from dagster_project.errors import UnsafeOrRejected
from tests.support.closure_sites import STEPS, Site, site_at
from tests.support.closure_targets import ARCHIVE, LEDGER, NOTICES, PACKET, QUEUE, TRACKER
from tests.support.closure_targets import disposition as final_disposition
from tests.support.target_server import Fault, Received

CANARY: Final = "we promised the customer a credit of 500"
SPELLINGS: Final = (
    CANARY.encode(),
    b64encode(CANARY.encode())[:-4],
    CANARY.encode("utf-16-le"),
    b"promised",
    b"credit",
)
_REFERENCES: Final = {"closure_packet", "closure_packet_digest", "internal_review_note", "internal_review_note_digest"}
_WHEN: Final = {"disposition_version", "closed_at"}
MAY_RECEIVE: Final = {
    ARCHIVE: _REFERENCES | _WHEN,
    TRACKER: {"review_state"} | _REFERENCES | _WHEN,
    LEDGER: {"review_marker"} | _WHEN,
    QUEUE: {"queue_state"} | _WHEN,
    NOTICES: {"coordinator", "case", "escalation", "episode", "notice", "skipped"} | _WHEN,
}
MAY_HEAD: Final = {
    *("host", "accept-encoding", "accept", "connection", "content-type", "content-length"),
    *("idempotency-key", "x-fence", "if-match"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_at(tmp_path_factory.mktemp("hostile"), database_url=None, support_url=None, over_http=True) as made:
        yield made


def received(site: Site) -> list[tuple[str, Received]]:
    assert site.server is not None
    return [(name, one) for name, system in site.server.systems.items() for one in system.requests]


def judge(site: Site, *, restored: str = "") -> int:
    """Look at every byte that was received; return how many requests there were. One target may get its own back."""
    found = received(site)
    for name, one in found:
        told = b"\n".join([*(f"{k}: {v}".encode() for k, v in one.headers.items()), one.body, one.path.encode()])
        told += unquote_to_bytes(one.path)
        spellings = () if name == restored else SPELLINGS
        assert not [text for text in spellings if text in told], f"{name} was told"
        assert {header.lower() for header in one.headers} <= MAY_HEAD
        if one.method == "PUT" and "/fences/" not in one.path:
            values = json.loads(one.body)
            assert set(values) <= MAY_RECEIVE[name]
            assert len(one.body) < 2000
            assert all(isinstance(value, str | int | None) or name == NOTICES for value in values.values())
        else:
            assert one.body == b"" or set(json.loads(one.body)) == {"fence"}
    return len(found)


def hostile(case: str) -> dict[str, bytes]:
    good: dict[str, Any] = json.loads(site_body(case))

    def with_(**members: object) -> bytes:
        return json.dumps({**good, **members}).encode()

    references = {"reference": PACKET.reference, "digest": PACKET.digest}
    return {
        "an extra field": with_(transcript=CANARY),
        "many extra fields": with_(**{f"{name} {n}": CANARY for n, name in enumerate(["note", "credit"] * 500)}),
        "a nested object": with_(episode={"id": "EP-1", "note": CANARY}),
        "an extra field in a reference": with_(closure_packet={**references, "text": CANARY}),
        "text for an id": with_(case=CANARY),
        "text for a reference": with_(closure_packet={**references, "reference": CANARY}),
        "text for a digest": with_(closure_packet={**references, "digest": CANARY}),
        "an id with a line end": with_(event_id=f"evt\r\nX-Note: {CANARY}"),
        "a path for an id": with_(case=f"../{CANARY}"),
        "text for a step": with_(requested_steps=[CANARY]),
        "a step that sends": with_(requested_steps=["send_credit_note"]),
        "the members of a record": with_(state=CANARY, tracker_record=CANARY, coordinator=CANARY),
        "a key twice": site_body(case)[:-1] + b',"case":' + json.dumps(CANARY).encode() + b"}",
        "ten megabytes": with_(transcript=CANARY * 250_000),
        "ten megabytes of depth": b"[" * 5_000_000 + CANARY.encode() + b"]" * 5_000_000,
        "a list": json.dumps([good, CANARY]).encode(),
        "another encoding": with_(transcript=CANARY).decode().encode("utf-16"),
        "no JSON": CANARY.encode(),
    }


def site_body(case: str) -> bytes:
    return json.dumps(
        {
            "event_id": f"evt-{case}",
            "source": "case-review",
            "case": case,
            "escalation": "ESC-77",
            "episode": "EP-1",
            "disposition_version": 3,
            "closure_packet": {"reference": PACKET.reference, "digest": PACKET.digest},
            "internal_review_note": {"reference": "archive/notes/1042", "digest": "sha256:" + "b" * 64},
        }
    ).encode()


@pytest.mark.parametrize("name", hostile("CASE-0"))
def test_a_hostile_event_tells_no_system_anything_and_the_true_one_goes_on(site: Site, name: str) -> None:
    case = site.new_case()
    told = answer_to(site, hostile(case)[name])
    assert CANARY not in told
    site.work()
    assert site.effects_of(case) == dict.fromkeys(STEPS, 0)
    judge(site)
    if name == "a step that sends":
        return  # it has the form of an event: its id is taken, and what it asks for is a follow-up
    site.admit(site.body(case))
    site.work()
    site.assert_closed_once(case)
    assert judge(site) > 0


def answer_to(site: Site, body: bytes) -> str:
    try:
        return str(site.admit(body))
    except UnsafeOrRejected as refused:
        return str(refused)


TEXTS: Final = ("escalation", "episode", "state", "tracker_record", "ledger_record", "queue_item", "coordinator")


@pytest.mark.parametrize("field", [*TEXTS, "closed_at"])
@pytest.mark.parametrize("text", [CANARY, f"x\r\nX-Note: {CANARY}", "../" + "credit/" * 40, {"note": CANARY}])
def test_a_record_that_holds_text_where_an_identifier_belongs_is_handed_to_people(
    site: Site, field: str, text: object
) -> None:
    case = site.new_case()
    value = text if isinstance(text, str) else json.dumps(text)
    enter_disposition(site.engine, final_disposition(case, **{field: value}))
    site.admit(site.body(case))
    site.work()
    assert site.effects_of(case) == dict.fromkeys(STEPS, 0)
    overview = site.overview(case)
    assert len(overview.follow_ups) == 1
    assert CANARY not in str(overview)
    judge(site)


def test_what_an_operator_says_stays_inside(site: Site) -> None:
    assert site.server is not None
    case = site.announced(site.new_case())
    site.server.systems[LEDGER].switch_on(Fault.REFUSES)
    site.work()
    plan = site.plan(case).plan
    site.command(ClosureAct.SKIP, case=case, plan=plan, step="ledger_marked", reason=CANARY)
    site.server.systems[LEDGER].switch_off()
    assert site.finish(case) == "complete"
    assert site.shown(case)[NOTICES]["notice"] == "incomplete, skipped: ledger_marked"
    site.command(ClosureAct.REVERT, case=case, plan=plan, reason=CANARY)
    assert site.finish(case) == "reverted"
    judge(site)


def test_what_stood_in_a_target_before_goes_back_there_and_nowhere_else(site: Site) -> None:
    case = site.new_case()
    edit_subject(site.engine, QUEUE, f"Q-{case}", {"queue_state": CANARY})
    site.announced(case)
    site.work()
    site.revert(case)
    assert site.finish(case) == "reverted"
    assert site.shown(case)[QUEUE]["queue_state"] == CANARY
    judge(site, restored=QUEUE)


def test_the_judge_sees_what_it_looks_for(site: Site) -> None:
    target, case = site.systems.targets[LEDGER], site.new_case()
    target.apply(TargetRequest(key="k", subject=f"LED-{case}", values={"review_marker": CANARY}, fence=1))
    with pytest.raises(AssertionError, match="was told"):
        judge(site, restored=QUEUE)
