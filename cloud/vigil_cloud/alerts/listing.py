"""Which alerts a list shows, page by page, and how many there are beyond the page.

Each scope of a reader (a domain that a role opens, a person who consented) is a walk along an
index of its own that ends after a page. However many alerts there are, a page costs what it
shows: no table is read whole, and only the ends of the walks are put in order
(tests/cloud/alerts/test_plans.py). A word alone has no index: it is compared with each alert of
the walk until a page is full; days shorten the walk.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    case,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import Session

from vigil_cloud.alerts.coverage import is_held
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.schema import Doubt, Work
from vigil_cloud.alerts.visibility import scopes
from vigil_cloud.alerts.work import PRIORITIES
from vigil_cloud.identity.reader import Reader
from vigil_schemas.types import Domain

DOUBTS: Final[tuple[Doubt, ...]] = (
    "time_quality",
    "owner_doubtful",
    "shape_doubtful",
    "unconfirmed_since",
)
_SHOWN: Final = (
    AlertRow.id,
    AlertRow.version,
    AlertRow.domain,
    AlertRow.kind,
    AlertRow.gateway,
    AlertRow.device,
    AlertRow.title,
    AlertRow.title_zh,
    AlertRow.severity,
    AlertRow.active,
    AlertRow.called_on,
    AlertRow.acknowledged,
    AlertRow.confirmed,
    AlertRow.shelved_until,
    AlertRow.out_of_service,
    AlertRow.out_of_service_until,
    AlertRow.device_shelf,
    AlertRow.device_shelf_until,
    AlertRow.priority,
    AlertRow.raised,
    AlertRow.event_time,
    AlertRow.cleared,
    AlertRow.acknowledged_by,
    AlertRow.acknowledged_at,
    AlertRow.evidence_sha256,
    AlertRow.person_key,
    AlertRow.person_name,
    AlertRow.case_id,
    AlertRow.household,
    AlertRow.district,
    AlertRow.only_roles,
    AlertRow.latitude,
    AlertRow.longitude,
    AlertRow.detail["phase"].as_string().label("phase"),
    *(
        case((AlertRow.detail[doubt].as_string().is_not(None), 1), else_=0).label(doubt)
        for doubt in DOUBTS
    ),
)
"""What a list's row shows: of ``detail``, which may hold a curve, only what is named here."""

Order = Literal["newest", "urgent"]
"""``urgent``: by priority (``work``), then the newest."""


class Cursor(NamedTuple):
    """Where a page ended."""

    raised: datetime
    id: str
    priority: int | None = None

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Of what ``__str__`` gave; the route has checked its form."""
        *priority, raised, alert = text.split("_")
        # Through whole microseconds: a float would miss the row that the cursor names.
        whole, fraction = raised.split(".")
        at = datetime.fromtimestamp(int(whole), UTC).replace(microsecond=int(fraction))
        return cls(at, alert, int(priority[0]) if priority else None)

    def __str__(self) -> str:
        where = f"{int(self.raised.timestamp())}.{self.raised.microsecond:06d}_{self.id}"
        return where if self.priority is None else f"{self.priority}_{where}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. ``mine``: taken by the reader."""

    work: frozenset[Work] = frozenset()
    mine: bool = False
    domain: Domain | None = None
    device: str | None = None
    active: bool | None = None
    """Part 9's Retain, as scripts of the first release ask for it."""
    text: str | None = None
    """Part of a title, or of the name of the device or gateway; capitals count alike."""
    since: datetime | None = None
    until: datetime | None = None
    """Raised before."""

    @property
    def states(self) -> frozenset[Work]:
        """What is mine is what I have in hand, unless other states are named."""
        return self.work or (frozenset({"in_progress"}) if self.mine else frozenset())

    @property
    def order(self) -> Order:
        """Work that waits is shown by urgency, what happened by time."""
        return "urgent" if self.mine or (self.states and "done" not in self.states) else "newest"


def page(
    session: Session, reader: Reader, wanted: Wanted, limit: int, after: Cursor | None
) -> tuple[Sequence[Row[Any]], Cursor | None]:
    """One page of what the reader may see, and where the next begins. One statement."""
    walks = _walks(reader, wanted, after)
    if not walks:
        return [], None
    rows = session.execute(_merged(walks, wanted.order, limit + 1)).all()
    if len(walks) > 1:
        rows = sorted(rows, key=lambda row: row.position)
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    ended = Cursor(last.raised, last.id, last.priority if wanted.order == "urgent" else None)
    return rows[:limit], ended


def by_id(session: Session, ids: Collection[str]) -> Sequence[Row[Any]]:
    """These rows, whoever may see them: the caller asks ``visibility`` for each reader."""
    return session.execute(select(*_SHOWN).where(AlertRow.id.in_(ids))).all() if ids else []


def open_counts(session: Session, reader: Reader, now: datetime) -> Sequence[Row[Any]]:
    """Of each device with open alerts that are not shelved: how many of each priority, how many
    of these the reader has taken, and where they are. What is critical is counted whatever of its
    device is put aside. One statement along the open ones alone."""
    mine = case((AlertRow.acknowledged_by == reader.username, 1), else_=0)
    aside = and_(is_held(now), AlertRow.severity != "critical")
    shelved = and_(AlertRow.shelved_until.is_not(None), AlertRow.shelved_until > now)
    parts = [
        select(
            AlertRow.domain,
            AlertRow.device,
            AlertRow.priority,
            func.count().label("number"),
            func.sum(mine).label("mine"),
            func.max(AlertRow.latitude).label("latitude"),
            func.max(AlertRow.longitude).label("longitude"),
        )
        .where(scope, AlertRow.priority > 0, not_(shelved), not_(aside))
        .group_by(AlertRow.domain, AlertRow.device, AlertRow.priority)
        for scope in scopes(reader)
    ]
    return session.execute(union_all(*parts)).all() if parts else []


def _walks(
    reader: Reader, wanted: Wanted, after: Cursor | None
) -> list[tuple[ColumnElement[bool], ...]]:
    """The conditions of each walk: disjoint, and each along one index."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.mine:
        conditions.append(AlertRow.acknowledged_by == reader.username)
    if wanted.device is not None:
        conditions.append(AlertRow.device == wanted.device)
    if wanted.states:
        conditions.append(_in_states(wanted.states))
    if wanted.active is not None:
        retained = or_(AlertRow.active, AlertRow.called_on, not_(AlertRow.acknowledged))
        conditions.append(retained if wanted.active else not_(retained))
    if wanted.since is not None:
        conditions.append(AlertRow.raised >= wanted.since)
    if wanted.until is not None:
        conditions.append(AlertRow.raised < wanted.until)
    if wanted.text is not None:
        # What is sealed (a person's name) is not in these, and nobody searches for it here.
        searched = (AlertRow.title, AlertRow.title_zh, AlertRow.device, AlertRow.gateway)
        found = (column.icontains(wanted.text, autoescape=True) for column in searched)
        conditions.append(or_(false(), *found))
    if after is not None:
        conditions.append(_beyond(after))
    return [(scope, *conditions) for scope in scopes(reader, wanted.domain)]


def _in_states(states: frozenset[Work]) -> ColumnElement[bool]:
    bounds = sorted(PRIORITIES[state] for state in states)
    merged = [bounds[0]]
    for low, high in bounds[1:]:  # neighbours become one stretch of the index
        if low == merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return or_(
        false(),
        *(
            AlertRow.priority == low if low == high else AlertRow.priority.between(low, high)
            for low, high in merged
        ),
    )


def _beyond(after: Cursor) -> ColumnElement[bool]:
    """Compared as one: the walk begins there instead of leaving out what lies before."""
    if after.priority is None:
        return tuple_(AlertRow.raised, AlertRow.id) < tuple_(after.raised, after.id)
    ended = tuple_(after.priority, after.raised, after.id)
    return tuple_(AlertRow.priority, AlertRow.raised, AlertRow.id) < ended


def _merged(
    walks: Sequence[tuple[ColumnElement[bool], ...]], order: Order, limit: int
) -> Select[Any]:
    """Each walk ends after a page, so that what is left to sort are a few pages at most; of several
    the rows' ``position`` says their order. Walks are of what orders them alone, and what is shown
    is fetched of the page: whoever looks after two hundred people has as many walks, and a
    statement that names forty columns in each takes longer to write than to answer."""
    names = ("priority", "raised", "id") if order == "urgent" else ("raised", "id")
    ordering = [getattr(AlertRow, name) for name in names]
    falling = [column.desc() for column in ordering]
    if len(walks) == 1:
        return select(*_SHOWN).where(*walks[0]).order_by(*falling).limit(limit)
    # Columns by their names alone: to look them up in each walk costs as much as the walk's text.
    named = [
        literal_column(name, column.type) for name, column in zip(names, ordering, strict=True)
    ]
    walk = select(*ordering).order_by(*falling).limit(limit)
    pages = [select(*named).select_from(walk.where(*conditions).subquery()) for conditions in walks]
    found = union_all(*pages).subquery()
    last = [found.c[name].desc() for name in names]
    placed = select(found.c.id, func.row_number().over(order_by=last).label("position"))
    page = placed.order_by(*last).limit(limit).subquery()
    return select(*_SHOWN, page.c.position).join(page, page.c.id == AlertRow.id)
