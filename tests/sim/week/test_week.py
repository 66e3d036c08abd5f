"""``vigil-sim week``: a few hours of a very small city through a real cloud."""

from __future__ import annotations

import contextlib
import gc
import json
import re
import signal
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rehearsed_cloud import RehearsedCloud
from vigil_schemas.aed import AedCall
from vigil_schemas.noise import NoiseExceedance
from vigil_schemas.smoke import SmokeAlarm
from vigil_sim.cli import main
from vigil_sim.demo.processes import interrupts
from vigil_sim.week import command, play, sensitivity
from vigil_sim.week.assumptions import shipped
from vigil_sim.week.behaviour import DAY_S, Period


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["tainan"], "tainan"),
        (["chiayi", "--scale", "0"], "--scale '0'"),
        (["chiayi", "--scale", "much"], "--scale 'much'"),
        (["chiayi", "--scale", "nan"], "--scale 'nan'"),
        (["chiayi", "--seed", "-1"], "--seed '-1'"),
        (["chiayi", "--seed", "99999999999"], "--seed"),
        (["chiayi", "--hours", "1"], "--hours '1'"),
        (["chiayi", "--hours", "2.2"], "--hours '2.2'"),
        (["chiayi", "--out", __file__], "--out"),
    ],
)
def test_what_cannot_be_simulated_is_one_line(
    arguments: list[str], names: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["week", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert re.fullmatch(r"vigil-sim: week-refused-options: .*\n", told.err)
    assert names in told.err


def test_a_disk_without_room_is_said_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "room", lambda _: 1_000_000)
    assert main(["week", "chiayi", "--scale", "1"]) == 2
    assert "TMPDIR" in capsys.readouterr().err


def test_stopped_before_the_end_it_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(command, "play", interrupted)
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(interrupts, "count", 0)
    out = tmp_path / "out"
    assert main(["week", "chiayi", "--out", str(out)]) == 130
    assert not out.exists()
    assert "nothing was written" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before


class _Page(HTMLParser):
    """Whatever a page would fetch, and what it says of languages."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.languages: set[str] = set()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "srcset"}:
                self.fetched.append(f"{tag} {value}")
            if name == "lang" and value:
                self.languages.add(value)


@pytest.fixture
def rehearsed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The cloud in this process: the start of another costs more than the hours in it."""
    collected, switches = gc.get_threshold(), sys.getswitchinterval()
    with contextlib.ExitStack() as opened:
        monkeypatch.setattr(RehearsedCloud, "opened", opened, raising=False)
        monkeypatch.setattr(play, "DrivenCloud", RehearsedCloud)
        monkeypatch.setattr(sensitivity, "_WEEK", Period(7 * DAY_S, 0.1))  # pure, tested apart
        yield
    gc.set_threshold(*collected)  # as it was before ingest settled the interpreter
    gc.unfreeze()
    sys.setswitchinterval(switches)


@pytest.mark.usefixtures("rehearsed")
def test_a_few_hours_of_a_tiny_city(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    arguments = ["chiayi", "--scale", "0.001", "--seed", "11", "--hours", "2"]

    assert main(["week", *arguments, "--out", str(out)]) == 0

    said = json.loads((out / "week.json").read_text("utf-8"))
    told = capsys.readouterr().out
    assert all(target.title in told for target in shipped().targets)
    assert sorted(path.name for path in out.iterdir()) == ["week.html", "week.json"]
    assert said["refused"] == 0
    for kind in (AedCall, NoiseExceedance, SmokeAlarm):
        assert said["messages"][kind.TYPE] >= 1
    assert said["paths"]["readings in them"] == said["points"] > 300
    happened = said["happened"]
    assert happened["noise cases opened"] == happened["noise exceedances"]
    searches = happened.get("searches reported", 0)
    assert happened.get("searches ended", 0) == searches
    _agrees_with_the_cloud(said)
    _is_a_page(out / "week.html")


def _agrees_with_the_cloud(said: dict[str, object]) -> None:
    """What was counted from single cases is what the cloud's own statistics say."""
    figures = {one["key"]: one for one in said["figures"]}  # type: ignore[attr-defined]
    assert set(figures) == {target.key for target in shipped().targets}
    details = said["details"]
    noise = details["statistics_of_the_cloud"]  # type: ignore[index]
    assert noise["decided"] == noise["exceedances"] == figures["actionable"]["count"]
    assert noise["actionable_share"] == pytest.approx(figures["actionable"]["value"])
    median = details["days_to_decision_median"]  # type: ignore[index]
    assert noise["days_to_decision_median"] == pytest.approx(median)
    for figure in figures.values():
        if figure["value"] is not None:
            assert figure["low"] <= figure["value"] <= figure["high"]


def _is_a_page(path: Path) -> None:
    text = path.read_text("utf-8")
    page = _Page()
    page.feed(text)
    assert page.fetched == []
    assert "url(" not in text
    assert "@import" not in text
    assert page.languages == {"zh-Hant-TW", "en"}
    assert {"svg", "table", "style", "main"} <= set(page.tags)
    assert "script" not in page.tags
    assert "@media print" in text
    for target in shipped().targets:
        assert target.title in text
        assert target.title_zh in text
