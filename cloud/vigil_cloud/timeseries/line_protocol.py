"""Points as InfluxDB line protocol: ``domain,device=…,gateway=… value=1.5,flag=1i µs``."""

from __future__ import annotations

from collections.abc import Iterable

from vigil_cloud.timeseries.port import Point, Series

_TAG = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_MEASUREMENT = str.maketrans({",": r"\,", " ": r"\ "})


class Formatter:
    """Keeps each series' escaped head, which is most of a line, so that it is made once."""

    def __init__(self, remembered: int = 100_000) -> None:
        self._heads: dict[Series, str] = {}
        self._remembered = remembered

    def lines(self, points: Iterable[Point]) -> bytes:
        """One line per point, joined by line feeds. A missing value leaves only its flag."""
        heads = self._heads
        lines: list[str] = []
        append = lines.append
        for series, time_us, value, flag in points:
            head = heads.get(series)
            if head is None:
                head = self._remember(series)
            if value is None:
                append(f"{head} flag={flag}i {time_us}")
            else:
                append(f"{head} value={value!r},flag={flag}i {time_us}")
        return "\n".join(lines).encode()

    def _remember(self, series: Series) -> str:
        if len(self._heads) >= self._remembered:
            self._heads.clear()
        measurement = series.domain.translate(_MEASUREMENT)
        tags = ",".join(
            f"{key}={text.translate(_TAG)}"
            for key, text in (
                ("device", series.device),
                ("gateway", series.gateway),
                ("parameter", series.parameter),
            )
        )
        head = self._heads[series] = f"{measurement},{tags}"
        return head
