"""One-time links over HTTP: opening one changes nothing, pressing its button answers once.

Previews of messengers and scanners of mail servers open every link, so GET and HEAD write
nothing at all, however often they come. The token is the right to answer, so neither a session
nor a cookie takes part, and no other site can press the button without knowing it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final, cast, get_args
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.api_errors import ApiError
from vigil_cloud.database.engine import writing
from vigil_cloud.http import reply_text
from vigil_cloud.http.reply_text import Asked
from vigil_cloud.identity import attempts
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import ServicesDependency
from vigil_cloud.notify import replies, reply_links
from vigil_cloud.notify.models import Channel, ReplyLink
from vigil_cloud.notify.reply_links import Reply
from vigil_cloud.notify.text import alert_link
from vigil_cloud.services import Services
from vigil_cloud.small_page import HEADERS, Language, html_answer

router = APIRouter(prefix="/r", include_in_schema=False)
Lang = Annotated[str | None, Query()]
"""Whatever is none of the two is left out: who opens a link has nobody to ask."""
_NOBODY: Final[tuple[str, str]] = ("somebody", "某人")
"""In place of a person's name: a link is forwarded and previewed more easily than a page."""
_LONGEST_TOKEN: Final = 64
_LONGEST_CODE: Final = 40


@router.api_route("/{token}", methods=["GET", "HEAD"])
def ask(token: str, request: Request, services: ServicesDependency, lang: Lang = None) -> Response:
    """The page that asks, or says what was answered."""
    return _page(services, request, token, None, lang)


@router.api_route("/{token}/{answer}", methods=["GET", "HEAD"])
def ask_first(
    token: str, answer: str, request: Request, services: ServicesDependency, lang: Lang = None
) -> Response:
    """The same, with this answer before the others."""
    return _page(services, request, token, _reply(answer), lang)


async def entered_code(request: Request) -> str:
    """What stands in the form's one field; the body's size is limited for every request."""
    body = (await request.body()).decode("ascii", "replace")
    return parse_qs(body, max_num_fields=4).get("code", [""])[0].strip()[:_LONGEST_CODE]


@router.post("/{token}/{answer}")
def press(
    token: str,
    answer: str,
    request: Request,
    services: ServicesDependency,
    code: Annotated[str, Depends(entered_code)],
    lang: Lang = None,
) -> Response:
    """Answer. Afterwards the page says what was answered and when, also to a second press."""
    cipher, now, language = Cipher(services.settings.secret), services.now(), _known(lang)

    def act() -> Response:
        if (said := _reply(answer)) is None:
            raise replies.ReplyNotOffered(())
        try:
            proof = replies.verify(services, _shaped(token), said, code)
            with writing(services.sessions) as session:
                outcome = replies.answer(session, cipher, _shaped(token), said, now, proof=proof)
        except ApiError as refused:
            if refused.code not in reply_text.OF_CODES:
                raise
            return _page(services, request, token, said, lang, refused)
        if not outcome.repeated:
            services.changed.announce()
        after = f"/r/{token}" + (f"?lang={language}" if language else "")
        return RedirectResponse(after, 303, headers=HEADERS)

    return _refusals_as_pages(services, request, language, act)


def _page(
    services: Services,
    request: Request,
    token: str,
    first: Reply | None,
    lang: str | None,
    refused: ApiError | None = None,
) -> Response:
    cipher, now, wanted = Cipher(services.settings.secret), services.now(), _known(lang)

    def show() -> Response:
        with services.sessions() as session:
            link = reply_links.find(session, cipher, _shaped(token))
            channel = session.get(Channel, link.channel_id) if link is not None else None
            alert = session.get(AlertRow, link.alert_id) if link is not None else None
            if link is None or channel is None or alert is None:
                raise replies.ReplyUnknown("This link is not known.")
            if link.used is None and reply_links.is_over(link, now):
                raise replies.ReplyExpired("The time of this link is over.")
            language = wanted or _language(channel)
            code = "" if refused is None else refused.code
            asked = _asked(session, link, channel, alert, now, code)
        home = alert_link(services.settings.public_url, asked[0])
        page = reply_text.asking(asked[1], token, first, language, home)
        if refused is not None:
            return html_answer(page, refused.status, refused.headers)
        return html_answer(page, 200)

    return _refusals_as_pages(services, request, wanted, show)


def _asked(
    session: Session,
    link: ReplyLink,
    channel: Channel,
    alert: AlertRow,
    now: datetime,
    refused: str,
) -> tuple[str, Asked]:
    at_home = reply_links.at_home_of(alert)
    personal = alert.person_key is not None
    taken = alert.acknowledged_by if alert.acknowledged else None
    return alert.id, Asked(
        title=alert.title.replace("{person}", _NOBODY[0]),
        title_zh=alert.title_zh.replace("{person}", _NOBODY[1]),
        critical=alert.severity == "critical",
        event_time=alert.event_time,
        over=alert.cleared,
        taken_by="" if personal and taken is not None else taken,
        who=reply_links.who_of(session, channel),
        answers=() if reply_links.is_over(link, now) else reply_links.still_open(link),
        answered=cast(Reply | None, link.answer),
        answered_at=link.used,
        needs_code=at_home is not None and at_home.code_counts(session, alert.id),
        without_code=at_home is not None and not at_home.code_counts(session, alert.id),
        refused=refused,
    )


def _refusals_as_pages(
    services: Services, request: Request, lang: Language | None, act: Callable[[], Response]
) -> Response:
    try:
        return act()
    except ApiError as error:
        refusal = error
        if error.code == replies.ReplyUnknown.code:
            refusal = _count(services, request) or error
    page = reply_text.refusing(refusal.code, lang or _preferred(request))
    return html_answer(page, refusal.status, refusal.headers)


def _count(services: Services, request: Request) -> ApiError | None:
    """Whoever opens links that are nobody's is not answered for ever. What is somebody's is
    answered all the same: in a house with one address it may be a fire's."""
    address = request.client.host if request.client else ""
    try:
        with writing(services.sessions) as session:
            attempts.count(session, attempts.guesses("reply", address), services.now())
    except ApiError as error:
        return error
    return None


def _reply(word: str) -> Reply | None:
    return cast(Reply, word) if word in reply_links.REPLIES else None


def _known(lang: str | None) -> Language | None:
    return cast(Language, lang) if lang in get_args(Language) else None


def _shaped(token: str) -> str:
    return token[:_LONGEST_TOKEN]


def _language(channel: Channel) -> Language:
    return "en" if channel.language == "en" else "zh-TW"


def _preferred(request: Request) -> Language:
    return "en" if request.headers.get("Accept-Language", "").lower().startswith("en") else "zh-TW"
