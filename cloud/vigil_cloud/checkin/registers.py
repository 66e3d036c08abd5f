"""Who is enrolled and what they carry, as registers: names and tags, and never a place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from vigil_cloud.checkin import enrolment
from vigil_cloud.identity import audit, consents, persons
from vigil_cloud.identity.ends_soon import LONGEST
from vigil_cloud.identity.guardian_consents import CHOSEN_BEFOREHAND, make_guardian, not_called
from vigil_cloud.identity.service import account_named
from vigil_cloud.identity.whereabouts import Scope
from vigil_cloud.registers.port import Act, BadEntry, Column, Entry, Register
from vigil_schemas.types import isoformat_utc


def _people(act: Act) -> Sequence[Entry]:
    later: dict[str, list[str]] = {}
    for silent in not_called(act.session, act.now + LONGEST):
        later.setdefault(silent.person, []).append(silent.account)
    return [
        {
            "person": one.key,
            "name": one.name,
            "guardians": list(one.guardians),
            "not_called": list(one.not_called),
            "not_called_soon": sorted({*later.get(one.key, ())} - {*one.not_called}),
            "tags": list(one.carries),
            "created": isoformat_utc(one.created),
        }
        for one in enrolment.people(act.session, act.cipher, act.now)
    ]


def _enrol(act: Act, key: str, entry: Entry) -> None:
    persons.enrol(act.session, act.cipher, key=key, name=str(entry["name"]), now=act.now)
    _noted(act, key, "person.enrolled")
    _guardians(act, key, entry)


def _rename(act: Act, key: str, entry: Entry) -> None:
    persons.require_enrolled(act.session, key)
    if "name" in entry:
        persons.enrol(act.session, act.cipher, key=key, name=str(entry["name"]), now=act.now)
        _noted(act, key, "person.renamed")
    _guardians(act, key, entry)


def _noted(act: Act, key: str, action: str) -> None:
    # Without the name: the log outlives an erasure.
    audit.append(act.session, at=act.now, account=act.by, action=action, subject="", person_key=key)


def _guardians(act: Act, key: str, entry: Entry) -> None:
    """Whoever is named is one from now on, whoever is not is none any more. Who is new sees and is
    told of what the entry says beside."""
    wanted, said = entry.get("guardians"), entry.get("guardians_may")
    if not isinstance(wanted, list):
        return
    before = consents.guardians_of(act.session, key)
    for username in wanted:
        account = account_named(act.session, username)
        if username not in before:
            if "family" not in account.roles:
                raise BadEntry("guardians", f"the account {username!r} has not the role family")
            make_guardian(
                act.session,
                person_key=key,
                account=account,
                by=act.by,
                now=act.now,
                scopes=[Scope(one) for one in said] if isinstance(said, list) else [],
            )
    for username in sorted(set(before) - set(wanted)):
        account = account_named(act.session, username)
        consents.remove_guardian(
            act.session, person_key=key, account=account, by=act.by, now=act.now
        )


PEOPLE: Final = Register(
    name="people",
    title="People",
    title_zh="個案",
    key="person",
    columns=(
        Column(name="person", title="Key", title_zh="代號", required=True, fixed=True),
        Column(name="name", title="Name", title_zh="姓名", required=True, longest=120),
        Column(name="guardians", title="Guardians", title_zh="監護人", kind="words"),
        Column(
            name="guardians_may",
            title="New guardians see and are told of",
            title_zh="新監護人可查看與被通知的內容",
            kind="words",
            secret=True,  # their consents say it, until when and what was taken back
            options=CHOSEN_BEFOREHAND,
            beforehand=CHOSEN_BEFOREHAND,
        ),
        Column(
            name="not_called",
            title="Guardians who are not called (no consent to alerts)",
            title_zh="不會被通知的監護人（沒有通知的同意）",
            kind="words",
            shown=True,
        ),
        Column(
            name="not_called_soon",
            title="Guardians who are not called in a month (their consent ends)",
            title_zh="一個月內將不再被通知的監護人（同意到期）",
            kind="words",
            shown=True,
        ),
        Column(name="tags", title="Tags", title_zh="標籤", kind="words", shown=True),
        Column(name="created", title="Since", title_zh="登錄於", kind="time", shown=True),
    ),
    rows=_people,
    told_by=("person.", "tag.", "consent.", "guardian.", "amulet."),  # no look at where they are
    add=_enrol,
    change=_rename,
    people=True,
)


def _tags(act: Act) -> Sequence[Entry]:
    return [{"tag": tag, "person": person} for tag, person in enrolment.tags(act.session)]


def _give(act: Act, key: str, entry: Entry) -> None:
    person = entry.get("person")
    if isinstance(person, str):
        enrolment.give_typed_tag(act.session, key, person, by=act.by, now=act.now)


def _take(act: Act, key: str) -> None:
    enrolment.take_tag(act.session, key, by=act.by, now=act.now)


TAGS: Final = Register(
    name="tags",
    title="Tags",
    title_zh="標籤",
    key="tag",
    columns=(
        Column(name="tag", title="Tag", title_zh="標籤", required=True, fixed=True),
        Column(name="person", title="Carried by", title_zh="持有人代號", required=True),
    ),
    rows=_tags,
    told_by=("tag.", "amulet."),
    add=_give,
    change=_give,
    retire=_take,
)
