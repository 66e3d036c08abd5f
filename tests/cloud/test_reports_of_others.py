"""Situations from public reports about similar systems, played against this house.

Each names the report that it was taken from: ``owner/repository#number`` on GitHub. Commands and
settings with a real gateway are in ``tests/e2e/test_downlink.py``.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin
from pypdf import PdfReader
from sqlalchemy import func, select

from cases_office import Office, decision, picture
from city_stream import stream
from cloud_city import City, alarm, exceedance, excursion
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.cases.errors import PhotographRefused, PhotographTooLarge
from vigil_cloud.cases.models import CaseVote
from vigil_cloud.cases.photographs import prepare
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Downlink
from vigil_cloud.identity import districts, households
from vigil_cloud.identity.models import HouseholdMember
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.jobs.port import Job
from vigil_cloud.jobs.runner import JobRunner
from vigil_cloud.notify.models import Delivery
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_schemas.gateway import ConfigurationReport
from webhook import Hook, channel, plan


@pytest.fixture
def office(city: City) -> Office:
    return Office(city)


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """All of them at the same moment; what each returned."""
    gate, found = threading.Barrier(len(acts)), [None] * len(acts)

    def do(number: int) -> None:
        gate.wait()
        found[number] = acts[number]()

    threads = [threading.Thread(target=do, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


# -- commands and settings


def test_a_command_for_a_gateway_that_is_away_is_not_called_sent(city: City) -> None:
    """thingsboard/thingsboard#7123: a persistent call was shown as delivered to a device that
    was away."""
    city.later(seconds=200)
    asked = city.client("maintainer").post(
        "/api/v1/devices/sonde-1/commands", json={"action": "restart_source"}
    )
    assert asked.status_code == 202
    with city.services.sessions() as session:
        row = session.get_one(Downlink, asked.json()["id"])
    assert (row.sent, row.answered, row.accepted) == (None, None, None)


def test_two_people_who_change_the_same_settings_at_once_do_not_overwrite_each_other(
    city: City,
) -> None:
    """primeroIMS/primero#508: of two edits of one field the later won in silence."""
    offered = {"sonde-1": {"name": "Weir"}}
    city.send(ConfigurationReport(revision=0, in_force=False, settings=offered), "gw-east")
    city.account("other", Role.MAINTAINER)
    clients = [city.client(name) for name in ("maintainer", "other")]
    body = {"revision": 0, "settings": {"name": "Mill"}}
    answers = at_once(
        *(
            lambda client=client: client.patch("/api/v1/devices/sonde-1/settings", json=body)
            for client in clients
        )
    )
    assert sorted(one.status_code for one in answers) == [202, 409]


# -- jobs


def test_two_machines_whose_clocks_differ_do_a_job_once_a_period(either_city: City) -> None:
    """objectstack-ai/objectstack#14619, mlflow/mlflow#25199: replicas whose clocks differ did
    one turn each."""
    city = either_city
    city.later(days=1)
    turns: list[str] = []

    def job(name: str) -> Job:
        return Job("of-others", timedelta(minutes=10), lambda _turn: turns.append(name))

    runners = {name: JobRunner(city.services, [job(name)], name) for name in ("one", "two")}
    skew = {"one": timedelta(), "two": timedelta(seconds=20)}
    start = city.time
    for minute in range(61):
        for name, runner in runners.items():
            city.time = start + timedelta(minutes=minute) + skew[name]
            runner.look()
            runner.wait()
    assert len(turns) == 7, "at once, and every ten minutes"


# -- cases


def test_two_reviewers_who_press_at_once_are_both_counted(office: Office) -> None:
    """taigaio-like races: two votes of one version, of which one must not vanish."""
    case = office.noise()
    for name in ("ana", "bo"):
        office.city.client(name)
    answers = at_once(
        lambda: office.ask("ana", f"/{case['id']}/decisions", decision(case, "fine", 3000)),
        lambda: office.ask("bo", f"/{case['id']}/decisions", decision(case, "fine", 3000)),
    )
    assert [one.status_code for one in answers] == [200, 200], [one.text for one in answers]
    after = office.see("administrator", case["id"])
    assert (after["state"], after["outcome"], after["amount_twd"]) == ("decided", "fine", 3000)


def test_a_double_press_is_one_vote(office: Office) -> None:
    case = office.noise()
    office.city.client("ana")
    send = decision(case, "fine", 3000)
    answers = at_once(*[lambda: office.ask("ana", f"/{case['id']}/decisions", send)] * 3)
    assert sorted(one.status_code for one in answers)[0] == 200
    with office.city.services.sessions() as session:
        votes = session.scalar(select(func.count()).where(CaseVote.case_id == case["id"]))
    assert votes == 1
    assert office.see("administrator", case["id"])["state"] == "in_progress"


def test_an_alert_that_two_people_open_a_case_from_at_once_is_in_one(office: Office) -> None:
    office.city.send(exceedance(office.city.time, "exceedance-9"), "mic-1")
    (alert,) = office.city.listed("inspector", domain="noise", limit=1)
    body = {"kind": "noise-exceedance", "alerts": [alert["id"]]}
    for name in ("inspector", "other-inspector"):
        office.city.client(name)
    answers = at_once(
        lambda: office.ask("inspector", "", body), lambda: office.ask("other-inspector", "", body)
    )
    assert sorted(one.status_code for one in answers) == [201, 409]


# -- photographs and paper


def turned(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(prepare(content).content))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_stands_upright_whatever_its_tag_says(orientation: int) -> None:
    """frappe/frappe#37998, Rouji/Hupl#23: the tag was removed and the picture lay on its side.
    Given a picture whose upper left quarter is red once it is turned as its tag says."""
    upright = Image.new("RGB", (80, 40), "blue")
    upright.paste("red", (0, 0, 40, 20))
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if undo is None else upright.transpose(undo)
    exif = stored.getexif()
    exif[ExifTags.Base.Orientation] = orientation
    written = io.BytesIO()
    stored.save(written, "PNG", exif=exif)

    kept = turned(written.getvalue())
    assert kept.size == (80, 40)
    red, _, blue = kept.getpixel((10, 10))  # type: ignore[misc]  # of an RGB picture
    assert red > 200 > 100 > blue
    assert Image.Exif() == kept.getexif()


def hidden(format: str) -> bytes:
    """A place in every corner that a format has for it."""
    image = Image.open(io.BytesIO(picture(format="JPEG")))
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf exif:GPSLatitude="23,28.8N"/></x:xmpmeta>'
    told = PngImagePlugin.PngInfo()
    told.add_text("XML:com.adobe.xmp", xmp.decode())
    told.add_itxt("Comment", "23.48, 120.44")
    all_options: dict[str, dict[str, Any]] = {
        "JPEG": {"xmp": xmp, "comment": b"23.48, 120.44"},
        "PNG": {"pnginfo": told},
        "WEBP": {"xmp": xmp},
    }
    written = io.BytesIO()
    image.save(written, format, exif=image.getexif(), **all_options[format])
    return written.getvalue() + b"GPS 23.48, 120.44 behind the picture"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_no_place_survives_in_any_corner_of_a_photograph(format: str) -> None:
    """CartoDB/cartodb#15241, QuilibriumNetwork/quorum-desktop#216, helpyio/helpy#1697."""
    prepared = prepare(hidden(format))
    assert prepared.location_removed
    for sign in (b"GPS", b"23.48", b"120.44", b"xmp", b"Taipei Phones", b"Exif"):
        assert sign not in prepared.content, sign


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_notes_of_a_camera_cost_themselves_and_not_the_photograph() -> None:
    """Given a picture whose Exif block says nonsense: it is kept."""
    content = picture((48, 32))
    at = content.index(b"Exif\0\0") + 14
    prepared = prepare(content[:at] + b"\xff" * 40 + content[at + 40 :])
    assert prepared.taken is None
    assert (prepared.width, prepared.height) in {(48, 32), (32, 48)}


def test_a_picture_that_unpacks_to_a_giant_is_refused_with_a_limit(office: Office) -> None:
    """GHSA-rr89-w3h9-m66j and its kind: a few bytes that take gigabytes of memory."""
    case = office.water()
    written = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(written, "PNG")
    answer = office.send_photograph("inspector", case["id"], written.getvalue())
    assert (answer.status_code, answer.json()["code"]) == (413, "photograph-too-large")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_photograph_is_refused_and_breaks_nothing(data: st.DataObject) -> None:
    """Given pictures of each format of which bytes were changed, cut out or doubled."""
    content = bytearray(picture((48, 32), data.draw(st.sampled_from(["JPEG", "PNG", "WEBP"]))))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        length = data.draw(st.integers(0, 8))
        content[at : at + length] = data.draw(st.binary(max_size=8))
    with contextlib.suppress(PhotographRefused, PhotographTooLarge):
        prepare(bytes(content))


@pytest.mark.parametrize("language", ["zh-TW", "en"])
def test_whatever_people_write_is_set_on_paper(office: Office, language: str) -> None:
    """eclipse-birt/birt#2328, suitenumerique/docs#1337, mkolisnyk/cucumber-reports#35,
    classeur/classeur#56: characters that end an export or vanish from it. And none is a command
    to whoever sets the page."""
    case = office.water()
    written = " ".join(
        (
            "\U000282e2 \U0002980c \u35ce",  # rare Chinese
            "\U0001f64b\u200d\u2640\ufe0f \U0001f469\u200d\U0001f466",  # joined emoji
            "\u202ereversed\u202c \u200b \ufeff",
            '#import "x" $x^2$ *bold* `raw` <label> @ref \\ #panic()',
            "長" * 400,
        )
    )
    office.do("inspector", f"/{case['id']}/notes", {"text": written})
    answer = office.city.client("inspector").get(
        f"/api/v1/cases/{case['id']}/dossier.pdf", params={"language": language}
    )
    assert answer.status_code == 200, answer.text[:300]
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
    assert "#panic()" in text
    assert text.count("長") >= 400


# -- rights, while somebody looks


def at_home(city: City, key: str, device: str) -> None:
    """The family lives there, and this stands there."""
    told: dict[str, Any] = {"by": "operator", "now": city.time}
    with writing(city.services.sessions) as session:
        households.put(session, city.cipher, key, households.Described(key), **told)
        households.give_device(session, key, device, **told)
        households.add_member(session, key, account=account_named(session, "family"), **told)


def moves_out(city: City, key: str) -> None:
    with writing(city.services.sessions) as session:
        number = session.scalars(
            select(HouseholdMember.id).where(HouseholdMember.household == key)
        ).one()
        households.remove_member(session, key, number, by="operator", now=city.time)
    city.services.changed.announce()


def test_who_left_a_home_hears_nothing_more_on_an_open_page(city: City) -> None:
    """baserow/baserow#1461, daytonaio/daytona#5104, open-webui/open-webui#23650: an open socket
    went on telling whoever had been removed from a group."""
    at_home(city, "left", "alarm-1")
    at_home(city, "stays", "alarm-2")
    with stream(city, "family") as told:
        city.send(alarm(city.time), "alarm-1")
        first = told.next("alert")
        assert first is not None
        assert first.data["device"] == "alarm-1"
        moves_out(city, "left")
        city.send(alarm(city.time, condition="tamper", id="alarm-0002"), "alarm-1")
        city.send(alarm(city.time, active=False), "alarm-1")
        city.send(alarm(city.time, id="alarm-0003"), "alarm-2")
        second = told.next("alert")
        assert second is not None
        assert second.data["device"] == "alarm-2"
        assert [one["device"] for one in city.listed("family")] == ["alarm-2"]


def test_a_demoted_account_hears_nothing_more_on_an_open_page(city: City) -> None:
    """calimero-network/core#3410: authority was resolved once, when the page was opened."""
    with stream(city, "dispatcher") as told:
        with writing(city.services.sessions) as session:
            account_named(session, "dispatcher").roles = [Role.REVIEWER.value]
        city.services.changed.announce()
        city.send(alarm(city.time), "alarm-1")
        city.send(exceedance(city.time), "mic-1")
        first = told.next("alert")
        assert first is not None
        assert first.data["domain"] == "noise"


def test_a_device_that_moves_to_another_district_leaves_the_open_page(city: City) -> None:
    city.account("east", Role.INSPECTOR)
    told_by: dict[str, Any] = {"by": "operator", "now": city.time}
    with writing(city.services.sessions) as session:
        for name in ("east", "west"):
            districts.put(session, name, name, name, **told_by)
        districts.limit(session, account_named(session, "east"), ["east"], **told_by)
        districts.place(session, "device", "mic-1", "east", **told_by)
        districts.place(session, "device", "sonde-1", "east", **told_by)
    with stream(city, "east") as told:
        city.send(exceedance(city.time, "exceedance-1"), "mic-1")
        assert told.next("alert") is not None
        with writing(city.services.sessions) as session:
            districts.place(session, "device", "mic-1", "west", **told_by)
        city.services.changed.announce()
        city.send(exceedance(city.time, "exceedance-2"), "mic-1")
        city.send(excursion(city.time), "sonde-1")
        second = told.next("alert")
        assert second is not None
        assert second.data["device"] == "sonde-1"
        assert [one["device"] for one in city.listed("east")] == ["sonde-1"]


# -- people are told


def states(city: City) -> Counter[str]:
    with city.services.sessions() as session:
        return Counter(session.scalars(select(Delivery.state)))


def test_a_service_that_limits_is_told_later_and_once(city: City, hook: Hook) -> None:
    """SigNoz/signoz#12891, marimo-team/marimohub#207: a message answered with 429 was lost, or
    tried again at once whatever the service asked for."""
    channel(city, hook.url, role=Role.DISPATCHER)
    sender = NotificationSender(city.services)
    hook.status, hook.headers = 429, {"Retry-After": "120"}
    city.send(alarm(city.time), "alarm-1")
    plan(city)
    sender.deliver_due()
    city.later(seconds=60)
    hook.status, hook.headers = 200, {}
    sender.deliver_due()
    assert hook.received == [], "it asked for two minutes"
    city.later(seconds=61)
    sender.deliver_due()
    sender.deliver_due()
    assert (len(hook.received), states(city)) == (1, Counter(sent=1))


def test_two_processes_that_plan_and_send_at_once_tell_once(city: City, hook: Hook) -> None:
    """target/goalert#912, target/goalert#1764: several entries for one event, and doubled
    messages."""
    channel(city, hook.url, role=Role.DISPATCHER)
    for number in range(5):
        city.send(alarm(city.time, id=f"alarm-{number:04}"), f"home-{number}")
    senders = [NotificationSender(city.services) for _ in range(3)]

    def work(sender: NotificationSender) -> Callable[[], None]:
        def run() -> None:
            sender.plan_all()
            while sender.deliver_due():
                pass

        return run

    at_once(*(work(sender) for sender in senders))
    told = " ".join(one["message"] for one in hook.received)
    assert [told.count(f"home-{number}") for number in range(5)] == [1] * 5
    assert states(city) == Counter(sent=5)
    assert hook.requests == len(hook.received)


def test_what_is_long_over_is_told_to_nobody_days_later(city: City, hook: Hook) -> None:
    """ix-ai/alertmanager-notifier#8: after an outage people got alerts of days ago."""
    channel(city, hook.url, role=Role.DISPATCHER)
    sender = NotificationSender(city.services)
    hook.status = 503
    city.send(alarm(city.time), "alarm-1")
    plan(city)
    sender.deliver_due()
    city.later(minutes=10)
    city.send(alarm(city.time, active=False), "alarm-1")
    plan(city)
    for _ in range(48):
        city.later(hours=1)
        sender.deliver_due()
    hook.status = 200
    plan(city)
    sender.deliver_due()
    city.later(hours=1)
    sender.deliver_due()
    assert hook.received == []
    assert set(states(city)) <= {"skipped", "failed"}


def test_an_acknowledged_alert_stays_so_for_the_same_and_opens_for_worse(city: City) -> None:
    """alerta/alerta#263: a repetition reopened what somebody had taken on."""
    city.send(alarm(city.time, condition="battery_alert"), "alarm-1")
    (listed,) = city.listed("dispatcher")
    client = city.client("dispatcher")
    answer = client.post(f"/api/v1/alerts/{listed['id']}/acknowledge", json={"comment": "seen"})
    assert answer.is_success, answer.text
    city.send(alarm(city.time, condition="battery_alert"), "alarm-1")
    (again,) = city.alerts("dispatcher")
    assert again["state"]["acknowledged"]
    city.send(alarm(city.time, id="alarm-0002"), "alarm-1")
    assert len(city.listed("dispatcher")) == 2, "librenms/librenms#12983: nor does it hide another"


def test_an_alert_that_is_removed_and_comes_again_is_told_as_new_and_its_end_once(
    city: City, hook: Hook
) -> None:
    """alerta/alerta#416: ends of alerts that nobody remembered were told hours later."""
    channel(city, hook.url, role=Role.DISPATCHER, follow_ups=["all-clear"])
    sender = NotificationSender(city.services)
    city.send(alarm(city.time, active=False), "alarm-1")
    plan(city)
    while sender.deliver_due():
        pass
    with city.services.sessions() as session:
        active = session.scalars(select(AlertRow.active)).all()
    assert active == [False]
    assert not any("ALL CLEAR" in title for title in hook.titles), "of what nobody was told"
