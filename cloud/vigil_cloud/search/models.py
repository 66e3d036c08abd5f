"""Tables of searches. What people wrote is sealed under the person's own key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import SINCE, Base, KeptHash, Sealed


class Search(Base):
    """What a case of kind ``search`` knows beyond the case. One person is searched for once."""

    __tablename__ = "searches"
    __table_args__ = (Index("ix_searches_open", "person_key", "ended"),)

    case_id: Mapped[str] = mapped_column(
        ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True
    )
    person_key: Mapped[str] = mapped_column(String(64))
    opened: Mapped[datetime]
    ended: Mapped[datetime | None]
    watch_until: Mapped[datetime]
    clothes: Mapped[bytes | None] = mapped_column(Sealed("search.clothes"))
    place: Mapped[bytes | None] = mapped_column(Sealed("search.place"))
    """Where they were last seen, in the reporter's words."""
    last_seen: Mapped[datetime | None]
    """By whoever reports."""
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)
    """Of where they were last seen, WGS 84, degrees."""
    call_id: Mapped[str] = mapped_column(String(36))
    """The alert that calls the police; it names nobody."""
    alert_id: Mapped[str] = mapped_column(String(36))
    """The alert about the person, for those who may know where they are."""
    link_nonce: Mapped[str | None] = mapped_column(String(32))
    """Of the link for passers-by, while there is one; see ``search.tips``."""
    link_sha256: Mapped[str | None] = mapped_column(
        KeptHash(64, "search tips v1"), unique=True, index=True
    )


class SearchHit(Base):
    """The person was at a station while they were searched for: one row for one stay."""

    __tablename__ = "search_hits"
    __table_args__ = (UniqueConstraint("case_id", "device", "first"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("searches.case_id", ondelete="CASCADE"))
    gateway: Mapped[str] = mapped_column(String(63))
    device: Mapped[str] = mapped_column(String(64))
    first: Mapped[datetime]
    last: Mapped[datetime]
    received: Mapped[datetime]
    """Of the first word of it."""
    at_once: Mapped[bool]
    """From the watch list; else from a visit."""
    doubts: Mapped[list[str]] = mapped_column(JSON)
    """What is doubtful of it: ``time``, ``owner``."""
    position_state: Mapped[str | None] = mapped_column(String(12))
    """Of a station that moves: whether it knew where it was; ``None``: it stands."""
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)
    within_m: Mapped[float | None] = mapped_column(Float)
    """Of one that moves: where it was, and how far off that may be, metres."""


class SearchEntry(Base):
    """What people brought to a search: somebody was seen, or a place was searched."""

    __tablename__ = "search_entries"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(
        ForeignKey("searches.case_id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(String(16))
    """``seen`` or ``searched``; ``tip``: a passer-by says so, whom nobody knows."""
    at: Mapped[datetime]
    """When it was."""
    entered: Mapped[datetime]
    account: Mapped[str | None] = mapped_column(String(64))
    """``None``: of a passer-by."""
    contact: Mapped[bytes | None] = mapped_column(Sealed("search.contact"))
    """How a passer-by can be asked, where they said."""
    text: Mapped[bytes | None] = mapped_column(Sealed("search.entry"))
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)
    radius_m: Mapped[float | None] = mapped_column(Float)
    area: Mapped[list[list[float]] | None] = mapped_column(JSON(none_as_null=True))
    """A polygon's corners, longitude and latitude; in place of a point."""
    worth: Mapped[float | None] = mapped_column(Float)
    """How reliable what was seen is, or how probably they would have been found where it was
    searched (POD); ``None``: as ``likely.WORTH`` says."""


class SearchLikely(Base):
    """Where the person probably is, as the worker drew it last; gone with the search's end."""

    __tablename__ = "search_likely"

    case_id: Mapped[str] = mapped_column(
        ForeignKey("searches.case_id", ondelete="CASCADE"), primary_key=True
    )
    at: Mapped[datetime] = mapped_column(info=SINCE)
    """For which moment."""
    drawn: Mapped[dict[str, Any]] = mapped_column(JSON)
    """``likely.Drawn``, as JSON."""


class CityStreets(Base):
    """The streets on which people are followed; the latest import counts, alone."""

    __tablename__ = "city_streets"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    imported: Mapped[datetime]
    lines: Mapped[bytes] = mapped_column(LargeBinary)
    """zlib of a JSON list of lines of [longitude, latitude]."""
