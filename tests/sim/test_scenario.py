"""Scenarios: what is shipped can be played, and every mistake is named where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigil_sim.checkin.domain import people
from vigil_sim.checkin.scenario import Walk
from vigil_sim.noise.scenario import NoiseCamera, Passage
from vigil_sim.scenario import CityScenario, find, load, parse
from vigil_sim.scenario_model import ScenarioError

SMALL = """\
name = "small"
title = "Small"
title_zh = "小"
duration_s = 20.0
latitude = 23.48
longitude = 120.44

[[gateway]]
id = "gw-one"
name = "One"
name_zh = "一"
at = [0.0, 0.0]

[[noise]]
device = "noise-one"
gateway = "gw-one"
name = "Camera"
name_zh = "照相"
at = [1.0, 2.0]

[[schedule]]
at_s = 3.0
what = "passage"
device = "noise-one"
plate = "ABC-1234"
LAFmax_db = 95.0
"""


@pytest.mark.parametrize("name", ["city-night", "quiet-street"])
def test_the_shipped_scenarios_are_sound(name: str) -> None:
    scenario = load(name)
    assert scenario.name == name
    assert scenario.schedule


def test_the_city_night_tells_every_story_within_75_seconds() -> None:
    scenario = load("city-night")
    assert {happening.what for happening in scenario.schedule} == {
        *("passage", "discharge", "walk", "missing", "found", "fire", "aed", "unplugged")
    }
    assert scenario.duration_s / scenario.speed <= 75
    carried = {tag for person in people(scenario) for tag in person.tags}
    assert {h.tag for h in scenario.schedule if isinstance(h, Walk)} <= carried


def test_a_scenario_is_found_by_path_by_name_and_by_file_name(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(SMALL, "utf-8")
    assert find(str(own)) == own
    assert find("city-night") == find("city-night.toml") == find("elsewhere/city-night.toml")
    with pytest.raises(ScenarioError, match=r"no scenario 'nowhere'.*city-night\.toml"):
        find("nowhere")


def test_what_is_not_written_has_sensible_values() -> None:
    scenario = parse(SMALL)
    assert isinstance(scenario, CityScenario)
    passage = scenario.schedule[0]
    assert isinstance(passage, Passage)
    assert passage.title == "passage"
    assert passage.vehicle == "scooter"
    assert scenario.tables("noise", NoiseCamera)[0].channels == 4


@pytest.mark.parametrize(
    ("good", "bad", "line", "words"),
    [
        ("duration_s = 20.0", 'duration_s = "long"', 4, "duration_s"),
        ('plate = "ABC-1234"', 'plate = "abc"', 25, "schedule.0.plate"),
        ("LAFmax_db = 95.0", "LAFmax_db = 950.0", 26, "schedule.0.LAFmax_db"),
        ('what = "passage"', 'what = "eclipse"', 23, "eclipse"),
        ('id = "gw-one"', 'id = "GW One"', 9, "gateway.0.id"),
        ("at = [1.0, 2.0]", "at = [1.0]", 19, "noise.0.at.1"),
        ('name_zh = "照相"', 'name_zh = "照相"\nchanels = 4', 19, "noise.0.chanels"),
    ],
)
def test_a_mistake_is_named_by_its_line_and_key(good: str, bad: str, line: int, words: str) -> None:
    assert good in SMALL
    with pytest.raises(ScenarioError) as caught:
        parse(SMALL.replace(good, bad), "night.toml")
    assert words in str(caught.value)
    if words != "eclipse":
        assert f"night.toml:{line}:" in str(caught.value)


@pytest.mark.parametrize(
    ("plate", "exists"),
    [
        *((plate, True) for plate in ("ABC-1234", "ABC-123", "123-ABC", "AB-1234", "1234-AB")),
        *((plate, False) for plate in ("ABO-1234", "ABCD-12", "A-1234", "ABC1234", "AB-CD")),
    ],
)
def test_plates_are_such_as_taiwan_issues(plate: str, exists: bool) -> None:
    text = SMALL.replace("ABC-1234", plate)
    if exists:
        assert isinstance(passage := parse(text).schedule[0], Passage)
        assert passage.plate == plate
    else:
        with pytest.raises(ScenarioError, match=r"schedule\.0\.plate"):
            parse(text)


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ('gateway = "gw-one"', 'gateway = "gw-two"', "unknown gateway 'gw-two'"),
        ('device = "noise-one"\nplate', 'device = "noise-two"\nplate', "names 'noise-two'"),
        ("at_s = 3.0", "at_s = 30.0", "after the end of the play"),
        ("[[schedule]]", '[[fault]]\ndevice = "x"\nkind = "drop"\n[[schedule]]', "unknown device"),
    ],
)
def test_what_does_not_fit_together_is_refused(good: str, bad: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        parse(SMALL.replace(good, bad))


def test_several_mistakes_are_all_named() -> None:
    broken = SMALL.replace("duration_s = 20.0", "duration_s = -1.0").replace("23.48", "123.48")
    with pytest.raises(ScenarioError) as caught:
        parse(broken)
    assert len(str(caught.value).splitlines()) == 2


def test_text_that_is_not_toml_says_where() -> None:
    with pytest.raises(ScenarioError, match=r"not TOML.*line 2"):
        parse('name = "x"\ntitle = \n')


@pytest.mark.parametrize("text", ["x = " + "9" * 5000, "x = " + "[" * 100_000])
def test_numbers_and_lists_without_end_are_not_toml(text: str) -> None:
    with pytest.raises(ScenarioError, match="not TOML"):
        parse(text)


def test_a_file_that_cannot_be_read_is_a_scenario_error(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(ScenarioError, match="cannot be read"):
        load(str(path))
