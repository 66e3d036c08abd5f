"""The page behind a search's link: "I saw this person", for whoever passes by, without an account.

Opening it changes nothing and is written down nowhere. It shows no name, no picture and no place
of whoever is searched for: those are on the notice that the family chose to hang up.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Annotated, ClassVar, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response

from vigil_cloud.api_errors import ApiError
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import attempts
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import ServicesDependency
from vigil_cloud.search import checkins, tips
from vigil_cloud.search.said_times import AHEAD
from vigil_cloud.services import Services
from vigil_cloud.small_page import (
    HEADERS,
    LinkPages,
    Words,
    client_address,
    html_answer,
    language_of,
    page,
    read_form,
)

router = APIRouter(include_in_schema=False)
Lang = Annotated[str | None, Query()]
AGES: Final = (("0", "just now", "剛才"), ("15", "15 minutes ago", "15 分鐘前"),
               ("60", "an hour ago", "1 小時前"), ("180", "3 hours ago", "3 小時前"),
               ("720", "12 hours ago", "12 小時前"))  # fmt: skip
LONGEST: Final = 500
LONGEST_CONTACT: Final = 100
_LARGEST_BODY: Final = 16_384
_LONGEST_TOKEN: Final = 64
_LONGEST_FORM: Final = 64
_POSITION: Final = ("latitude", "longitude", "accuracy")
_EARLIEST_YEAR: Final = 2000
_SUREST_M: Final = 10.0
_LEAST_SURE_M: Final = 20_000.0
_SCRIPT: Final = """
const press = document.getElementById("here"), said = document.getElementById("said");
const put = (name, value) => { document.getElementById(name).value = value; };
if (navigator.geolocation) press.hidden = false;
press.addEventListener("click", () => {
  said.textContent = said.dataset.waiting;
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      put("latitude", coords.latitude);
      put("longitude", coords.longitude);
      put("accuracy", coords.accuracy);
      said.textContent = said.dataset.given;
    },
    () => { said.textContent = said.dataset.denied; },
    { enableHighAccuracy: true, timeout: 20000 },
  );
});
"""
"""Without it the page works as well: a position is a help, and given by a press alone."""


class BadTip(ApiError):
    """The form is empty, too long, or no form."""

    code: ClassVar[str] = "bad-tip"
    remedy: ClassVar[str] = "Say in a few words where you saw the person."
    status: ClassVar[int] = 422

    def __init__(self) -> None:
        super().__init__(f"Say where you saw the person, in at most {LONGEST} characters.")


class TipInFuture(ApiError):
    """The time at which somebody says they saw the person has not come yet."""

    code: ClassVar[str] = "tip-in-future"
    remedy: ClassVar[str] = "Go back and say when you saw the person."
    status: ClassVar[int] = 422

    def __init__(self) -> None:
        super().__init__("The time of a report lies in the future.")


@router.api_route("/{token}", methods=["GET", "HEAD"])
def ask(
    token: str,
    request: Request,
    services: ServicesDependency,
    lang: Lang = None,
    sent: Annotated[str | None, Query()] = None,
) -> Response:
    """The form, or the thanks after it."""
    words = Words(language_of(request, lang))

    def show() -> Response:
        with services.sessions() as session:
            cipher = Cipher(services.settings.secret)
            _, case = tips.find(session, cipher, token[:_LONGEST_TOKEN])
            stations = checkins.stations(session)
        title = words.of("Somebody is missing", "協尋走失者")
        if sent is not None:
            return html_answer(page(title, _thanks(words), words), 200)
        form = _form(case.number, token, stations, words)
        return html_answer(page(title, form, words), 200, script=_SCRIPT)

    return _PAGES.answer(services, request, words, show)


@router.post("/{token}")
async def tell(
    token: str, request: Request, services: ServicesDependency, lang: Lang = None
) -> Response:
    """One report; the page then says thanks, also where it is loaded again."""
    words = Words(language_of(request, lang))
    body = await read_form(request, _LARGEST_BODY)
    return await run_in_threadpool(_tell, services, request, token, body, words)


def _tell(services: Services, request: Request, token: str, body: bytes, words: Words) -> Response:
    now = services.now()

    def act() -> Response:
        tip = _read(body, now)
        cipher, known = Cipher(services.settings.secret), token[:_LONGEST_TOKEN]
        with services.sessions() as session:
            tips.find(session, cipher, known)
        with writing(services.sessions) as session:
            attempts.count(session, tips.limits(known, client_address(request)), now)
        with writing(services.sessions) as session:
            tips.take(session, cipher, known, tip, now)
        services.changed.announce()
        after = f"/p/search/{known}?sent=1&lang={words.language}"
        return RedirectResponse(after, 303, headers=HEADERS)

    return _PAGES.answer(services, request, words, act)


def _read(body: bytes, now: datetime) -> tips.Tip:
    """Raises ``BadTip``, ``TipInFuture``."""
    try:
        form = parse_qs(body.decode("utf-8"), max_num_fields=16, errors="strict")
    except ValueError as error:  # no UTF-8, or no form
        raise BadTip from error
    said = {key: values[0].strip() for key, values in form.items()}
    text, contact = said.get("where", ""), said.get("contact", "")
    age = said.get("age", "0")
    bad = "\0" in text + contact or age not in {key for key, _, _ in AGES}
    if bad or not 2 <= len(text) <= LONGEST or len(contact) > LONGEST_CONTACT:
        raise BadTip
    at = _moment(said["at"]) if said.get("at") else now - timedelta(minutes=int(age))
    if at > now + AHEAD:
        raise TipInFuture
    form_of = said.get("form", "")[:_LONGEST_FORM]
    return tips.Tip(min(at, now), text, said.get("near", "")[:64], contact, _place(said), form_of)


def _moment(text: str) -> datetime:
    """As ``datetime-local`` writes it, by the city's clock. Raises ``BadTip``."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadTip from error
    if at.tzinfo is not None or at.year < _EARLIEST_YEAR:
        raise BadTip
    return at.replace(tzinfo=CITY_ZONE).astimezone(UTC)


def _place(said: Mapping[str, str]) -> tips.Place | None:
    """Where the telephone says that it is; ``None``: nobody pressed. Raises ``BadTip``."""
    if not said.get("latitude") and not said.get("longitude"):
        return None
    try:
        latitude, longitude = float(said["latitude"]), float(said["longitude"])
        sure_m = float(said.get("accuracy") or 0)
    except (KeyError, ValueError) as error:
        raise BadTip from error
    # What is no number is within nothing.
    if not (abs(latitude) <= 90 and abs(longitude) <= 180 and sure_m >= 0):
        raise BadTip
    return tips.Place(latitude, longitude, min(max(sure_m, _SUREST_M), _LEAST_SURE_M))


def _form(number: str, token: str, stations: Sequence[checkins.Station], words: Words) -> list[str]:
    options = "".join(
        f'<option value="{escape(one.device)}">{escape(words.of(one.name, one.name_zh))}</option>'
        for one in stations
    )
    ages = "".join(
        f'<option value="{key}">{words.of(english, chinese)}</option>'
        for key, english, chinese in AGES
    )
    case = words.of(f"Case {number}", f"案件 {number}")
    return [
        f"<h1>{words.of('Did you see the person on the notice?', '您看到海報上的人了嗎？')}</h1>",
        f'<p class="soft">{escape(case)}</p>',
        '<p class="alarm">'
        + words.of("If somebody is in danger, call 110.", "若有人身危險，請立即撥打 110。")
        + "</p>",
        f'<form method="post" action="/p/search/{escape(token)}?lang={words.language}">',
        f'<input type="hidden" name="form" value="{secrets.token_urlsafe(16)}">',
        f'<label for="where">{words.of("Where, and what you saw", "在哪裡、看到什麼")}</label>',
        f'<textarea id="where" name="where" rows="3" required minlength="2" maxlength="{LONGEST}">'
        "</textarea>",
        f'<label for="near">{words.of("Near (optional)", "附近地點（選填）")}</label>',
        f'<select id="near" name="near"><option value="">–</option>{options}</select>',
        *_here(words),
        f'<label for="age">{words.of("When", "什麼時候")}</label>',
        f'<select id="age" name="age">{ages}</select>',
        f'<label for="at">{words.of("Or exactly when (optional)", "或確切時間（選填）")}</label>',
        '<input id="at" name="at" type="datetime-local">',
        '<label for="contact">'
        + words.of("How you can be asked back (optional)", "聯絡方式（選填）")
        + "</label>",
        f'<input id="contact" name="contact" autocomplete="tel" maxlength="{LONGEST_CONTACT}">',
        f'<button type="submit" class="first">{words.of("I saw this person", "我看到了")}</button>',
        "</form>",
        '<p class="soft">'
        + words.of(
            "The family and the police of this case read it. It is kept with the case.",
            "本案的家屬與警方會看到您的回報，並隨案件保存。",
        )
        + "</p>",
    ]


def _here(words: Words) -> list[str]:
    """A position that is given by a press, while one still stands there."""
    press = words.of("I am still there: add my position", "我仍在現場：附上目前位置")
    waiting = words.of("Asking your telephone…", "正在取得位置…")
    given = words.of("Your position goes with the report.", "回報將附上目前位置。")
    denied = words.of(
        "Your telephone does not say where it is. Say it in words.",
        "手機未提供位置，請以文字說明。",
    )
    return [
        f'<p><button type="button" id="here" hidden>{press}</button></p>',
        f'<p id="said" role="status" class="soft" data-waiting="{escape(waiting)}"'
        f' data-given="{escape(given)}" data-denied="{escape(denied)}"></p>',
        *(f'<input type="hidden" id="{name}" name="{name}">' for name in _POSITION),
        f"<script>{_SCRIPT}</script>",
    ]


def _thanks(words: Words) -> list[str]:
    said = words.of("Thank you. The people who search were told.", "謝謝您，已通知協尋人員。")
    stay = words.of(
        "If the person is still there, stay near if you can, and call 110.",
        "若此人仍在現場，請盡可能在旁陪伴並撥打 110。",
    )
    return [f'<h1 role="status">{said}</h1>', f"<p>{stay}</p>"]


_PAGES: Final = LinkPages(
    tips.KIND,
    tips.TipLinkUnknown.code,
    {
        tips.TipLinkUnknown.code: (
            ("This link is not valid", "此連結無效"),
            (
                "It was cut off, it was withdrawn, or the search has ended.",
                "連結可能被截斷、已撤回，或協尋已結束。",
            ),
        ),
        BadTip.code: (
            ("Please say where", "請說明地點"),
            (
                f"Go back and say in a few words, at most {LONGEST} characters, where it was.",
                f"請返回上一頁，以 {LONGEST} 字以內說明在哪裡看到。",
            ),
        ),
        TipInFuture.code: (
            ("This time has not come yet", "時間尚未到"),
            (
                "Go back and say when you saw the person.",
                "請返回上一頁，填寫看到的時間。",
            ),
        ),
        "too-many-attempts": (
            ("Please wait a few minutes", "請稍候幾分鐘"),
            (
                "Much has been reported just now. If it is urgent, call 110.",
                "目前回報過於頻繁。若情況緊急，請撥打 110。",
            ),
        ),
        "case-full": (
            ("Please call 110", "請撥打 110"),
            ("This search has more reports than it can hold.", "此案回報已滿，無法再新增。"),
        ),
    },
)
