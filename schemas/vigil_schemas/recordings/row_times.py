"""When each row of a recording was: its columns, their zone, and the order of their dates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from vigil_schemas.recordings import layout
from vigil_schemas.recordings.errors import RecordingEmpty, TimesUnreadable
from vigil_schemas.recordings.layout import Rows, cell, clock_text, date_text
from vigil_schemas.recordings.recording import Recording
from vigil_schemas.recordings.tally import Tally
from vigil_schemas.recordings.times import (
    UNKNOWN_CST,
    TimeReader,
    decide_order,
    is_republic,
    order_in_header,
    order_matters,
)
from vigil_schemas.recordings.zones import (
    in_header,
    speaks_of_a_zone,
    speaks_of_cst,
    speaks_of_local_time,
    zone,
)

_TRIED: Final = 100
"""Rows in which a date must show that day and month can be taken for each other."""


class RowTimes:
    """``given`` is the offset that was asked for, of times that state no zone.

    Raises ``ColumnUnknown`` and ``ColumnAmbiguous``.
    """

    def __init__(
        self,
        recording: Recording,
        name: str,
        sample: Rows,
        taken: Iterable[int],
        given: tzinfo | None,
        tally: Tally,
    ) -> None:
        self._recording, self._name, self._sample, self._tally = recording, name, sample, tally
        self.columns, joined = layout.time_columns(recording, name, sample, taken)
        if joined:
            tally.guessed.append(joined)
        self.zone_at = layout.zone_column(recording, sample)
        self._zones: dict[str, tzinfo | None] = {}
        self._asked_for = given
        self._says_zone = False
        """Whether the header, or a line before it, does."""
        self.reader = tally.reader = self._reader(given)
        self._decide_order()

    @property
    def has_whole_date(self) -> bool:
        """Whether the date's cell alone says it all."""
        return self.columns.clock is None and self.zone_at is None

    def text(self, cells: list[str]) -> str:
        """A row's date and clock."""
        date = cell(cells, self.columns.date)
        if self.columns.clock is None:
            return date
        return f"{date_text(date)} {clock_text(cell(cells, self.columns.clock))}".strip()

    def texts(self, rows: Sequence[list[str]]) -> list[str] | None:
        """Of whole rows; ``None`` where the text alone does not say the time."""
        if self.zone_at is not None:
            return None
        if self.columns.clock is None:
            return [cells[self.columns.date] for cells in rows]
        return [self.text(cells) for cells in rows]

    def read(self, text: str, cells: list[str]) -> datetime | None:
        """In UTC, by the row's own zone where it has one."""
        if self.zone_at is None:
            return self.reader.read(text)
        letters = cell(cells, self.zone_at).strip()
        if not letters:
            self._tally.blank_zones += 1
            return self.reader.read(text)
        if letters not in self._zones:
            self._zones[letters] = zone(letters, self.reader.cst)
        found = self._zones[letters]
        # A zone that is not known leaves the time unknown: never a wrong default.
        return None if found is None else self.reader.read(text, found)

    def take_units(self, not_readings: set[int]) -> None:
        """The zone that a row of units gives below the time, where nothing else does."""
        if self._asked_for is not None or self.zone_at is not None or self._says_zone:
            return
        places = [at for at in self.columns if at is not None]
        for line, cells in self._sample:
            for text in (cell(cells, at).strip() for at in places if line in not_readings):
                found = zone(text, self.reader.cst) or in_header(text, self.reader.cst)
                if found is not None:
                    self.reader.offset = found
                    self._tally.stated.append(
                        f"times without a zone are {found}, as the row of units says"
                    )
                    return
                if self._told_of(text):
                    return

    def check(self, not_readings: set[int]) -> None:
        """That there are rows, and that one of them has a time: mostly the first.

        Raises ``RecordingEmpty`` and ``TimesUnreadable``.
        """
        first: tuple[int, str] | None = None
        for line, cells in self._recording.rows():
            if line in not_readings:
                continue
            text = self.text(cells)
            if self.read(text, cells) is not None:
                self._tally.blank_zones = 0
                return
            first = first or (line, text)
        path = self._recording.path
        if first is None:
            raise RecordingEmpty(path, "a header and no rows")
        hint = "name another column"
        if self.reader.seen[UNKNOWN_CST]:
            hint = "CST is the time of Chicago and of Taipei: say --utc-offset -06:00 or +08:00"
        raise TimesUnreadable(path, self._name, *first, hint)

    def _reader(self, given: tzinfo | None) -> TimeReader:
        recording, stated = self._recording, self._tally.stated
        said = layout.stated_zone(recording, self.columns)
        self._says_zone = said is not None
        cst = layout.meaning_of_cst(
            recording, self._sample, self.columns.date, self.zone_at, given or said
        )
        if said is None and given is None:
            said = self._doubtful_zone(cst)
        if given is not None and said is not None and given != said:
            stated.append(f"the header says {said}; --utc-offset {given} is followed")
        elif said is not None and self.zone_at is None:
            stated.append(f"times without a zone are {said}, as the header says")
        if self.zone_at is not None:
            stated.append(f"each row's zone is in column {recording.header[self.zone_at]!r}")
        return TimeReader(offset=given or said or UTC, cst=cst)

    def _doubtful_zone(self, cst: tzinfo | None) -> tzinfo | None:
        """What the header's ``CST`` means; a zone that is not understood is told."""
        recording, guessed = self._recording, self._tally.guessed
        if speaks_of_cst(recording.header[self.columns.date]):
            if cst is None:
                guessed.append(
                    "the header's CST is the time of Chicago and of Taipei; times are taken as"
                    " UTC: say --utc-offset -06:00 or +08:00"
                )
            return cst
        if self.zone_at is None:
            names = (recording.header[at] for at in self.columns if at is not None)
            for text in (*names, *filter(speaks_of_a_zone, recording.preface)):
                if self._told_of(text):
                    break
        return None

    def _told_of(self, text: str) -> bool:
        """A zone that is named and not known must not become UTC in silence."""
        if not (speaks_of_a_zone(text) or speaks_of_local_time(text) or speaks_of_cst(text)):
            return False
        self._tally.guessed.append(
            f"the zone in {text[:60]!r} is not known here; times are taken as UTC"
            " (--utc-offset says otherwise)"
        )
        return True

    def _decide_order(self) -> None:
        name = self._recording.header[self.columns.date]
        stated = order_in_header(name)
        if stated is not None:
            self.reader.order = stated
            return
        tried = self._sample[:_TRIED]
        if not any(order_matters(self.text(cells)) for _, cells in tried):
            return
        found = decide_order(self.text(cells) for _, cells in self._recording.rows())
        self.reader.order = found.order
        self.reader.republic = any(
            re.search("[\u4e00-\u9fff]", header) for header in self._recording.header
        ) or any(is_republic(self.text(cells)) for _, cells in self._sample)
        if not found.certain:
            self._tally.guessed.append(
                f"no number in column {name!r} tells day from month; read with the"
                f" {found.order} first, under which time runs most evenly"
            )
