"""The ceremony as people hold it, by the command line: keys of their own, and a draft that is passed round."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from dagster_project.integrity.public_trust import follow_public_trust
from dagster_project.store.signing_files import SIGNING_FILE_NAME, load_person_key, load_service_keys
from tests.support.command_line import Answer, CommandLine, fresh_command_line

FAR = "2099-01-01T00:00:00Z"
NAMES = ("kim", "robin", "sam")


class Ceremony:
    """A deployment, the people's key files on machines of their own, and the folder that drafts are passed in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server: CommandLine = fresh_command_line(folder / "server")
        self.elsewhere: CommandLine = fresh_command_line(folder / "elsewhere")
        self.publics = {name: self.new_key(name) for name in NAMES}

    def new_key(self, name: str, file: str | None = None) -> str:
        answer = self.elsewhere("keys", "person", name, "--out", str(self.key_file(file or name)), "--json")
        assert answer.code == 0, answer.err
        return str(answer.json["public"])

    def key_file(self, name: str) -> Path:
        return self.folder / "people" / f"{name}.json"

    def keyid(self, name: str) -> str:
        return load_person_key(self.key_file(name)).key.keyid

    def keys(self, *names: str) -> list[str]:
        return [part for name in names for part in ("--key", str(self.key_file(name)))]

    def people_file(self, **changes: object) -> str:
        """Write the file of people: kim and robin are custodians, sam decides for security."""
        people = {
            "kim": {"roles": ["incident_command"], "custodian": True, "keys": [self.publics["kim"]]},
            "robin": {"roles": ["legal"], "custodian": True, "keys": [self.publics["robin"]]},
            "sam": {"roles": ["security"], "keys": [self.publics["sam"]]},
        }
        path = self.folder / "people.yaml"
        path.write_text(json.dumps({"expires": FAR, "threshold": 2, "people": people, **changes}))
        return str(path)

    def init(self) -> Answer:
        answer = self.server("trust", "init", self.people_file(), *self.keys("kim", "robin"), "--json")
        assert answer.code == 0, answer.err
        return answer

    def shown(self) -> Any:  # noqa: ANN401 - any JSON value
        answer = self.server("trust", "show", "--json")
        assert answer.code == 0, answer.err
        return answer.json

    def person(self, name: str) -> Any:  # noqa: ANN401 - any JSON value
        return {one["person"]: one for one in self.shown()["people"]}[name]

    def draft(self, name: str = "draft.json") -> str:
        return str(self.folder / name)


@pytest.fixture
def ceremony(tmp_path: Path) -> Ceremony:
    return Ceremony(tmp_path)


def refused(answer: Answer, code: str, exit_code: int = 1) -> bool:
    return answer.code == exit_code and f"code:  {code}\n" in answer.err


# ---- keys of people -------------------------------------------------------------------------------------------------


def test_a_persons_key_lies_in_a_file_of_its_owner_alone_and_is_never_printed(ceremony: Ceremony) -> None:
    path = ceremony.folder / "una.json"
    answer = ceremony.elsewhere("keys", "person", "una", "--out", str(path))
    made = load_person_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made.person == "una"
    assert made.key.public.hex() in answer.out
    assert made.key.seed.hex() not in answer.everything
    assert not ceremony.elsewhere.home.exists()
    assert not ceremony.elsewhere.keys.exists()


def test_a_key_file_is_never_replaced(ceremony: Ceremony) -> None:
    before = ceremony.key_file("kim").read_bytes()
    answer = ceremony.elsewhere("keys", "person", "kim", "--out", str(ceremony.key_file("kim")))
    assert refused(answer, "keys_exist", 3)
    assert ceremony.key_file("kim").read_bytes() == before


def test_making_a_key_leaves_the_mode_of_a_folder_that_is_there(ceremony: Ceremony) -> None:
    folder = ceremony.folder / "shared"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    assert ceremony.elsewhere("keys", "person", "una", "--out", str(folder / "una.json")).code == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_key_file_that_others_can_read_signs_nothing(ceremony: Ceremony) -> None:
    ceremony.key_file("robin").chmod(0o644)
    arguments = ["trust", "init", ceremony.people_file(), *ceremony.keys("kim", "robin")]
    assert refused(ceremony.server(*arguments), "keys_exposed", 3)
    ceremony.key_file("robin").chmod(0o600)
    assert ceremony.server(*arguments).code == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"format":"channelsafe-person-key/1","seed":"00"}',
        b'{"format":"channelsafe-person-key/1","person":"kim","seed":"00"}',
        b'{"format":"channelsafe-signing-keys/1","services":{}}',
    ],
)
def test_a_file_that_is_no_persons_key_is_refused_without_its_content(ceremony: Ceremony, content: bytes) -> None:
    ceremony.key_file("robin").write_bytes(content)
    answer = ceremony.server("trust", "init", ceremony.people_file(), *ceremony.keys("kim", "robin"))
    assert refused(answer, "signing_keys_unreadable", 3)


# ---- the first version ----------------------------------------------------------------------------------------------


def test_two_custodians_begin_trust_at_once(ceremony: Ceremony) -> None:
    assert ceremony.init().json["version"] == 1
    shown = ceremony.shown()
    assert (shown["version"], shown["threshold"], shown["demo"], shown["expired"]) == (1, 2, False, False)
    assert ceremony.person("sam") == {
        "person": "sam",
        "roles": ["security"],
        "custodian": False,
        "keys": [{"keyid": ceremony.keyid("sam"), "revoked_at": None}],
    }
    made = load_service_keys(ceremony.server.keys)
    assert shown["services"] == {service: [key.keyid for key in keys] for service, keys in made.items()}
    assert stat.S_IMODE((ceremony.server.keys / SIGNING_FILE_NAME).stat().st_mode) == 0o600


def test_a_draft_is_signed_where_no_deployment_is_and_adopted_where_it_is(ceremony: Ceremony) -> None:
    first = ceremony.server("trust", "init", ceremony.people_file(), "--draft", ceremony.draft(), "--json")
    assert (first.code, first.json["missing"], first.json["draft"]) == (1, 2, ceremony.draft())
    assert refused(ceremony.server("trust", "show"), "no_trust", 3)
    for name in ("kim", "robin"):
        read = ceremony.elsewhere("trust", "show", "--draft", ceremony.draft(), "--json")
        assert [one["person"] for one in read.json["people"]] == ["kim", "robin", "sam"]
        assert read.json["trust_digest"] == first.json["trust_digest"]
        assert ceremony.elsewhere("trust", "sign", ceremony.draft(), *ceremony.keys(name), "--only-sign").code == 0
    assert not ceremony.elsewhere.home.exists()
    adopted = ceremony.server("trust", "sign", ceremony.draft(), "--json")
    assert (adopted.code, adopted.json["missing"]) == (0, 0)
    assert ceremony.shown()["trust_digest"] == first.json["trust_digest"]


def test_while_custodians_are_missing_the_command_says_how_many_and_names_no_key(ceremony: Ceremony) -> None:
    arguments = ["trust", "init", ceremony.people_file(), "--draft", ceremony.draft()]
    answer = ceremony.server(*arguments, *ceremony.keys("kim"))
    assert answer.code == 1
    assert "at least 1 more custodians must sign" in answer.out
    assert "kim" not in answer.everything
    assert ceremony.keyid("kim") not in answer.everything
    again = ceremony.server("trust", "sign", ceremony.draft(), *ceremony.keys("kim", "sam"))
    assert again.code == 1
    assert "at least 1 more" in again.out
    assert ceremony.server("trust", "sign", ceremony.draft(), *ceremony.keys("robin")).code == 0


def test_a_draft_that_is_there_is_never_replaced(ceremony: Ceremony) -> None:
    arguments = ["trust", "init", ceremony.people_file(), "--draft", ceremony.draft()]
    assert ceremony.server(*arguments, *ceremony.keys("kim")).code == 1
    before = Path(ceremony.draft()).read_bytes()
    assert refused(ceremony.server(*arguments), "trust_file_unavailable", 3)
    assert Path(ceremony.draft()).read_bytes() == before


def test_trust_is_never_begun_anew(ceremony: Ceremony) -> None:
    ceremony.init()
    before, seeds = ceremony.shown(), (ceremony.server.keys / SIGNING_FILE_NAME).read_bytes()
    again = ceremony.server("trust", "init", ceremony.people_file(), *ceremony.keys("kim", "robin"))
    assert refused(again, "trust_exists")
    assert ceremony.shown() == before
    assert (ceremony.server.keys / SIGNING_FILE_NAME).read_bytes() == seeds


@pytest.mark.parametrize(
    ("changes", "code", "exit_code"),
    [
        ({"threshold": 1}, "trust_threshold_impossible", 1),
        ({"threshold": 3}, "trust_threshold_impossible", 1),
        ({"people": {}}, "trust_threshold_impossible", 1),
        ({"people": {"Kim": {}}}, "trust_person_id", 1),
        ({"people": {"kim": {"roles": ["sales"]}}}, "trust_unknown_role", 1),
        ({"people": {"kim": {"keys": ["1" * 63]}}}, "public_key_unreadable", 2),
        ({"people": {"kim": {"keys": ["0" * 64]}}}, "trust_key_weak", 1),
        ({"people": {"kim": {"role": "legal"}}}, "people_file_unreadable", 2),
        ({"people": ["kim"]}, "people_file_unreadable", 2),
        ({"expires": "soon"}, "people_file_unreadable", 2),
        ({"expires": "2020-01-01T00:00:00Z"}, "trust_expired", 1),
    ],
)
def test_a_file_of_people_that_could_not_hold_is_refused_and_begins_nothing(
    ceremony: Ceremony, changes: dict[str, object], code: str, exit_code: int
) -> None:
    arguments = ceremony.keys("kim", "robin") if code == "trust_expired" else []
    answer = ceremony.server("trust", "init", ceremony.people_file(**changes), *arguments, "--draft", ceremony.draft())
    assert refused(answer, code, exit_code)
    assert not Path(ceremony.draft()).exists()
    assert refused(ceremony.server("trust", "show"), "no_trust", 3)


def test_a_file_of_people_that_is_missing_or_no_yaml_is_refused(ceremony: Ceremony) -> None:
    path = ceremony.folder / "people.yaml"
    assert refused(ceremony.server("trust", "init", str(path)), "trust_file_unavailable", 3)
    path.write_text("people: [")
    assert refused(ceremony.server("trust", "init", str(path)), "people_file_unreadable", 2)


# ---- changes --------------------------------------------------------------------------------------------------------


def change(ceremony: Ceremony, *arguments: str, signers: tuple[str, ...] = ("kim", "robin")) -> Answer:
    answer = ceremony.server("trust", *arguments, *ceremony.keys(*signers), "--draft", ceremony.draft())
    assert answer.code == 0, answer.err
    return answer


def test_a_person_is_added_gets_further_roles_and_loses_them_again(ceremony: Ceremony) -> None:
    ceremony.init()
    public = ceremony.new_key("una")
    change(ceremony, "add", "una", "--role", "legal", "--public", public)
    change(ceremony, "add", "una", "--role", "security", "--custodian")
    assert (ceremony.person("una")["roles"], ceremony.person("una")["custodian"]) == (["legal", "security"], True)
    change(ceremony, "revoke", "una", "--role", "legal")
    assert ceremony.person("una")["roles"] == ["security"]
    change(ceremony, "revoke", "una")
    person = ceremony.person("una")
    assert (person["roles"], person["custodian"]) == ([], False)
    assert all(key["revoked_at"] for key in person["keys"])
    assert [one["version"] for one in ceremony.shown()["versions"]] == [1, 2, 3, 4, 5]


def test_a_rotated_key_signs_no_further_change(ceremony: Ceremony) -> None:
    ceremony.init()
    public = ceremony.new_key("kim", "kim-2")
    change(ceremony, "rotate", "kim", "--public", public, signers=("kim", "kim-2", "robin"))
    late = ["trust", "renew", "--expires", "2098-01-01T00:00:00Z", "--draft", ceremony.draft()]
    assert ceremony.server(*late, *ceremony.keys("kim", "robin")).code == 1
    assert ceremony.server("trust", "sign", ceremony.draft(), *ceremony.keys("kim-2")).code == 0
    assert ceremony.shown()["expires"] == "2098-01-01T00:00:00Z"


def test_one_key_is_revoked_and_the_others_stay(ceremony: Ceremony) -> None:
    ceremony.init()
    change(ceremony, "add", "sam", "--public", ceremony.new_key("sam", "sam-2"))
    change(ceremony, "revoke", "sam", "--keyid", ceremony.keyid("sam"))
    revoked = {key["keyid"]: key["revoked_at"] is not None for key in ceremony.person("sam")["keys"]}
    assert revoked == {ceremony.keyid("sam"): True, ceremony.keyid("sam-2"): False}
    assert ceremony.person("sam")["roles"] == ["security"]


def test_a_service_gets_a_new_key_and_the_others_keep_theirs(ceremony: Ceremony) -> None:
    ceremony.init()
    before = ceremony.shown()["services"]
    change(ceremony, "rotate", "index")
    after = ceremony.shown()["services"]
    assert {name for name in before if before[name] != after[name]} == {"index"}
    newest = load_service_keys(ceremony.server.keys)["index"][-1]
    assert after["index"] == [newest.keyid]
    assert newest.seed.hex() not in ceremony.server("trust", "show").everything


def test_the_threshold_and_the_custodians_change_together(ceremony: Ceremony) -> None:
    ceremony.init()
    alone = ["trust", "revoke", "robin", *ceremony.keys("kim", "robin"), "--draft", ceremony.draft()]
    assert refused(ceremony.server(*alone), "trust_threshold_impossible")
    change(ceremony, "add", "sam", "--custodian", "--threshold", "3", signers=("kim", "robin", "sam"))
    change(ceremony, "revoke", "robin", "--threshold", "2", signers=("kim", "robin", "sam"))
    assert ceremony.shown()["threshold"] == 2


def test_of_two_drafts_of_the_same_version_the_second_is_refused(ceremony: Ceremony) -> None:
    ceremony.init()
    for name in ("legal", "security"):
        answer = ceremony.server("trust", "add", "sam", "--role", name, "--draft", ceremony.draft(f"{name}.json"))
        assert answer.code == 1
    assert ceremony.server("trust", "sign", ceremony.draft("legal.json"), *ceremony.keys("kim", "robin")).code == 0
    late = ceremony.server("trust", "sign", ceremony.draft("security.json"), *ceremony.keys("kim", "robin"))
    assert refused(late, "trust_version_not_next")
    assert ceremony.shown()["version"] == 2


def test_a_key_that_is_nobodys_signs_nothing(ceremony: Ceremony) -> None:
    ceremony.init()
    ceremony.new_key("eve")
    arguments = ["trust", "renew", "--draft", ceremony.draft()]
    assert refused(ceremony.server(*arguments, *ceremony.keys("kim", "eve")), "key_not_listed")
    assert not Path(ceremony.draft()).exists()
    assert ceremony.server(*arguments, *ceremony.keys("kim")).code == 1
    before = Path(ceremony.draft()).read_bytes()
    signed = ceremony.elsewhere("trust", "sign", ceremony.draft(), *ceremony.keys("eve"), "--only-sign")
    assert refused(signed, "key_not_listed")
    assert Path(ceremony.draft()).read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("revoke", "una"), "person_unknown"),
        (("rotate", "una", "--public", "11" * 32), "person_unknown"),
        (("revoke", "kim", "--keyid", "sha256:0"), "key_unknown"),
        (("add", "una", "--public", "zz"), "public_key_unreadable"),
        (("renew", "--expires", "soon"), "instant_unreadable"),
        (("renew", "--threshold", "0"), None),
        (("rotate", "index", "--public", "11" * 32), None),
        (("rotate", "kim"), None),
        (("revoke", "kim", "--keyid", "sha256:0", "--role", "legal"), None),
    ],
)
def test_a_change_that_cannot_be_understood_is_refused(
    ceremony: Ceremony, arguments: tuple[str, ...], code: str | None
) -> None:
    ceremony.init()
    answer = ceremony.server("trust", *arguments, *ceremony.keys("kim", "robin"))
    assert answer.code == 2
    assert code is None or refused(answer, code, 2)
    assert ceremony.shown()["version"] == 1


def test_a_file_that_is_no_draft_is_refused(ceremony: Ceremony) -> None:
    ceremony.init()
    Path(ceremony.draft()).write_text("{}")
    for arguments in (("sign", ceremony.draft(), *ceremony.keys("kim")), ("show", "--draft", ceremony.draft())):
        assert refused(ceremony.server("trust", *arguments), "trust_draft_unreadable")
    assert refused(ceremony.server("trust", "sign", ceremony.draft("absent.json")), "trust_file_unavailable", 3)


# ---- what outsiders get ---------------------------------------------------------------------------------------------


def test_the_public_file_holds_the_whole_chain_and_no_name(ceremony: Ceremony) -> None:
    ceremony.init()
    change(ceremony, "rotate", "release")
    public = ceremony.folder / "public.json"
    answer = ceremony.server("trust", "show", "--public", str(public))
    assert answer.code == 0
    assert "kim: incident_command, custodian" in answer.out
    assert "version 2: adopted" in answer.out
    chain = follow_public_trust(public.read_bytes())
    assert [one.version for one in chain.versions] == [1, 2]
    assert list(chain.current.service_keys("release")) == ceremony.shown()["services"]["release"]
    payloads = str(chain.versions)
    assert not any(name in payloads for name in NAMES)
    assert ceremony.keyid("sam") not in payloads
    assert ceremony.keyid("kim") in payloads


def test_the_public_file_is_not_written_before_there_is_trust(ceremony: Ceremony) -> None:
    public = ceremony.folder / "public.json"
    assert ceremony.server("keys", "create").code == 0
    assert refused(ceremony.server("trust", "show", "--public", str(public)), "no_trust", 3)
    assert not public.exists()
    assert not any(path.name.startswith(".") for path in ceremony.folder.iterdir())
