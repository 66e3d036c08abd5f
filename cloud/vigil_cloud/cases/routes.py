"""Cases over HTTP.

A step that changes where a case stands names the ``version`` that was looked at: 409 says who did
what since. Every request may carry an ``Idempotency-Key``: sent again, it does nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.cases import deadlines, idempotency, listing, opening, work
from vigil_cloud.cases.errors import (
    AccessOver,
    CaseForbidden,
    CaseNeedsReason,
    DecidedAlready,
    NotImpartial,
    OutcomeBarred,
    PhotographRefused,
    PhotographTooLarge,
)
from vigil_cloud.cases.lifecycle import State
from vigil_cloud.cases.listing import Cursor, Wanted
from vigil_cloud.cases.models import CaseRow
from vigil_cloud.cases.port import CaseKinds
from vigil_cloud.cases.presentation import kind_entry, open_up, present, summaries
from vigil_cloud.cases.schema import (
    AddAlert,
    AlertId,
    AskAccess,
    Assignee,
    AssigneeList,
    BeforeCursor,
    Case,
    CaseCounts,
    CaseKindList,
    CaseList,
    CloseCase,
    Code,
    Decide,
    Explained,
    HandOver,
    Looked,
    NoteBody,
    OpenCase,
    SetDeadline,
    View,
)
from vigil_cloud.cases.service import Desk, find
from vigil_cloud.cases.written import WrittenDependency
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import looks
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import CurrentAccount, IdempotencyKey, ServicesDependency
from vigil_cloud.identity.reader import Reader
from vigil_cloud.parameters import Whole
from vigil_cloud.services import Services
from vigil_schemas.types import Domain

PAGE: Final = 50
LARGEST_PAGE: Final = 200

router = APIRouter(prefix="/cases", tags=["cases"])
CaseId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]


_NOTED: Final = (
    *(CaseNeedsReason, AccessOver, CaseForbidden),
    *(NotImpartial, DecidedAlready, OutcomeBarred),
    *(PhotographTooLarge, PhotographRefused),
)
"""Refusals that stand in the audit log."""


def _kinds(request: Request) -> CaseKinds:
    kinds: CaseKinds = request.app.state.case_kinds
    return kinds


@dataclass(frozen=True, slots=True)
class Bench:
    """What each route works with."""

    request: Request
    services: ServicesDependency
    reader: CurrentAccount
    kinds: Annotated[CaseKinds, Depends(_kinds)]
    key: IdempotencyKey = None

    def desk(self, session: Session) -> Desk:
        """For one transaction."""
        return Desk(
            session,
            Cipher(self.services.settings.secret),
            self.kinds,
            self.reader,
            self.services.now(),
            self.services.settings.retention.cases_days,
            self.services.settings.cases_access_hours,
        )

    @contextmanager
    def reading(self) -> Iterator[Desk]:
        """A transaction that only reads."""
        with self.refusals_noted(), self.services.sessions() as session:
            yield self.desk(session)

    @contextmanager
    def writing(self) -> Iterator[Desk]:
        """One that writes."""
        with self.refusals_noted(), writing(self.services.sessions) as session:
            yield self.desk(session)

    @contextmanager
    def refusals_noted(self) -> Iterator[None]:
        """Whoever tries to see a case that is closed to them, to do in one what is not for them,
        or to bring what cannot be taken, is seen trying, by the person's guardian too."""
        try:
            yield
        except _NOTED as refused:
            self.note_refusal(refused)
            raise

    def note_refusal(self, refused: ApiError) -> None:
        """One line in the audit log for whatever is tried again within minutes."""
        case_id = self.request.path_params.get("case_id", "")
        with writing(self.services.sessions) as session:
            row = session.get(CaseRow, case_id)
            if row is None:
                return
            looks.note(
                session,
                now=self.services.now(),
                account=self.reader.username,
                action="case.refused",
                subject=row.id,
                thing=refused.code,
                person_key=row.person_key,
                detail={"case": row.number, "code": refused.code},
            )

    def change(self, asked: str, act: Callable[[Desk], CaseRow]) -> Case:
        """One transaction that changes a case; the case as it then is, for the reader."""
        with self.writing() as desk:
            row = idempotency.once(desk, self.key, asked, lambda: act(desk))
            desk.session.flush()
            # Shown once more also to whom it was the last act: access for a time ends with a case.
            case = present(desk, open_up(desk, row, desk.kinds.require(row.kind)))
        self.services.changed.announce()
        return case


BenchDependency = Annotated[Bench, Depends(Bench)]


def asked(request: Request, body: BaseModel) -> str:
    """What tells one request from another."""
    return idempotency.digest(request.method, request.url.path, body.model_dump_json())


def note_look(services: Services, reader: Reader, row: CaseRow, action: str, thing: str) -> None:
    """Who looked at which case: one line for each look."""
    with writing(services.sessions) as session:
        looks.note(
            session,
            now=services.now(),
            account=reader.username,
            action=action,
            subject=row.id,
            thing=thing,
            person_key=row.person_key,
            detail={"case": row.number, "what": thing},
        )


@router.get("/kinds", operation_id="list_case_kinds")
def list_case_kinds(bench: BenchDependency) -> CaseKindList:
    """Kinds of cases that the reader sees or may open."""
    with bench.reading() as desk:
        shown = [
            kind_entry(desk, kind)
            for kind in desk.kinds
            if desk.reader.has(*kind.sees, *kind.on_request, *kind.may("open"))
        ]
    return CaseKindList(kinds=shown)


@router.get("/counts", operation_id="count_cases")
def count_cases(bench: BenchDependency) -> CaseCounts:
    """How many cases wait, of all that the reader sees."""
    with bench.reading() as desk:
        found = listing.counts(desk.session, desk.kinds, desk.reader, desk.now)
    return CaseCounts.model_validate(found)


def _wanted(
    view: View = "open",
    state: Annotated[list[State] | None, Query()] = None,
    domain: Domain | None = None,
    kind: Code | None = None,
    alert: AlertId | None = None,
) -> Wanted:
    return Wanted(view, frozenset(state or ()), domain, kind, alert)


@router.get("", operation_id="list_cases")
def list_cases(
    bench: BenchDependency,
    wanted: Annotated[Wanted, Depends(_wanted)],
    limit: Annotated[Whole, Query(ge=1, le=LARGEST_PAGE)] = PAGE,
    before: Annotated[BeforeCursor, Query()] = None,
) -> CaseList:
    """Cases that the reader sees, newest first; what is overdue comes by how long it is."""
    after = None if before is None else Cursor.parse(before)
    with bench.reading() as desk:
        rows, ended = listing.page(
            desk.session, desk.kinds, desk.reader, wanted, desk.now, limit, after
        )
        found = summaries(desk, rows)
    return CaseList(cases=found, next=None if ended is None else str(ended))


@router.post("", operation_id="open_case", status_code=201)
def open_case(body: OpenCase, request: Request, bench: BenchDependency) -> Case:
    """Open a case from alerts, which accepts them, or by hand where its kind allows it."""
    wanted = opening.Wanted(**body.model_dump())
    return bench.change(asked(request, body), lambda desk: opening.take_up(desk, wanted))


@router.get("/{case_id}", operation_id="get_case")
def get_case(case_id: CaseId, bench: BenchDependency) -> Case:
    """One case. The look is written down."""
    with bench.reading() as desk:
        row, kind = find(desk, case_id)
        case = present(desk, open_up(desk, row, kind))
    note_look(bench.services, bench.reader, row, "case.read", "page")
    return case


@router.get("/{case_id}/assignees", operation_id="list_case_assignees")
def list_case_assignees(case_id: CaseId, bench: BenchDependency) -> AssigneeList:
    """Whom it can be handed to."""
    with bench.reading() as desk:
        _, kind = find(desk, case_id)
        found = work.candidates(desk.session, kind)
    return AssigneeList(
        accounts=[Assignee(username=name, display_name=shown) for name, shown in found]
    )


@router.post("/{case_id}/take", operation_id="take_case")
def take_case(case_id: CaseId, body: Looked, request: Request, bench: BenchDependency) -> Case:
    """The reader works on it from now on."""
    return bench.change(asked(request, body), lambda desk: work.take(desk, case_id, body.version))


@router.post("/{case_id}/hand-over", operation_id="hand_over_case")
def hand_over_case(
    case_id: CaseId, body: HandOver, request: Request, bench: BenchDependency
) -> Case:
    """Somebody else works on it from now on."""
    return bench.change(
        asked(request, body),
        lambda desk: work.hand_over(desk, case_id, body.version, body.to, body.text),
    )


@router.post("/{case_id}/decisions", operation_id="decide_case")
def decide_case(case_id: CaseId, body: Decide, request: Request, bench: BenchDependency) -> Case:
    """The reader's own decision; the domain's rule says when the case is decided."""
    said = work.Decided(**body.model_dump(exclude={"version"}))
    return bench.change(
        asked(request, body),
        lambda desk: work.decide(desk, case_id, body.version, said),
    )


@router.post("/{case_id}/refer", operation_id="refer_case")
def refer_case(case_id: CaseId, body: Explained, request: Request, bench: BenchDependency) -> Case:
    """Handed to the authority that acts on it; ``text`` says to whom."""
    return bench.change(
        asked(request, body), lambda desk: work.refer(desk, case_id, body.version, body.text)
    )


@router.post("/{case_id}/close", operation_id="close_case")
def close_case(case_id: CaseId, body: CloseCase, request: Request, bench: BenchDependency) -> Case:
    """Nothing more is to be done."""
    return bench.change(
        asked(request, body),
        lambda desk: work.close(desk, case_id, body.version, body.resolution, body.text),
    )


@router.post("/{case_id}/appeal", operation_id="appeal_case")
def appeal_case(case_id: CaseId, body: Explained, request: Request, bench: BenchDependency) -> Case:
    """The person concerned objects: other people decide anew."""
    return bench.change(
        asked(request, body), lambda desk: work.appeal(desk, case_id, body.version, body.text)
    )


@router.post("/{case_id}/reopen", operation_id="reopen_case")
def reopen_case(case_id: CaseId, body: Explained, request: Request, bench: BenchDependency) -> Case:
    """There is something new: it is in progress again."""
    return bench.change(
        asked(request, body), lambda desk: work.reopen(desk, case_id, body.version, body.text)
    )


@router.post("/{case_id}/notes", operation_id="add_case_note")
def add_case_note(
    case_id: CaseId,
    body: NoteBody,
    request: Request,
    bench: BenchDependency,
    written: WrittenDependency,
) -> Case:
    """Something that is to be remembered. Possible in every state, and sent later by a phone that
    had no network: then with when it was written."""
    return bench.change(
        asked(request, body), lambda desk: work.note(desk, case_id, body.text, written)
    )


@router.post("/{case_id}/alerts", operation_id="add_case_alert")
def add_case_alert(
    case_id: CaseId, body: AddAlert, request: Request, bench: BenchDependency
) -> Case:
    """Another alert of the same matter."""
    return bench.change(
        asked(request, body), lambda desk: opening.add_alert(desk, case_id, body.alert)
    )


@router.post("/{case_id}/deadlines", operation_id="set_case_deadline")
def set_case_deadline(
    case_id: CaseId, body: SetDeadline, request: Request, bench: BenchDependency
) -> Case:
    """Something is to be done by then."""
    return bench.change(
        asked(request, body), lambda desk: deadlines.set_custom(desk, case_id, body.due, body.text)
    )


@router.post("/{case_id}/deadlines/{deadline}/meet", operation_id="meet_case_deadline")
def meet_case_deadline(
    case_id: CaseId,
    deadline: Annotated[Whole, Path(ge=1, le=2**31 - 1)],
    request: Request,
    bench: BenchDependency,
) -> Case:
    """What was to be done is done. Idempotent."""
    asked_for = idempotency.digest(request.method, request.url.path)
    return bench.change(asked_for, lambda desk: deadlines.meet(desk, case_id, deadline))


@router.post("/{case_id}/access", operation_id="ask_case_access")
def ask_case_access(
    case_id: CaseId, body: AskAccess, request: Request, bench: BenchDependency
) -> Case:
    """See one case for a time, with a reason that stands in its history."""
    return bench.change(
        asked(request, body), lambda desk: work.ask_access(desk, case_id, body.reason)
    )
