"""The pages behind a station's links: whether it works, and, for its host, messages.

Opening one changes nothing and is written down nowhere. It shows nothing of any visit.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from html import escape
from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response

from vigil_cloud.checkin import host_address, hosts
from vigil_cloud.checkin.host_watch import remedy, remedy_zh
from vigil_cloud.checkin.hosts import Status
from vigil_cloud.config import Settings
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.service import UnknownDevice
from vigil_cloud.identity import attempts
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import ServicesDependency
from vigil_cloud.services import Services
from vigil_cloud.small_page import (
    HEADERS,
    LinkPages,
    Text,
    Words,
    client_address,
    html_answer,
    language_of,
    page,
    read_form,
)

router = APIRouter(include_in_schema=False)
Lang = Annotated[str | None, Query()]
KIND: Final = "station-link"
FROM_ONE_NETWORK: Final = 10
OF_ONE_STATION: Final = 20
"""Changes in five minutes (``attempts.WINDOW``)."""
_LARGEST_BODY: Final = 4096
_LONGEST_TOKEN: Final = 64
_REASONS: Final[dict[str, tuple[str, str]]] = {
    "works": ("The station works", "站點運作正常"),
    "deaf": ("The station works; it hears no beacon at all", "站點運作中，但未收到任何訊號"),
    "silent": ("The station is not heard", "站點失去連線"),
    "failed": ("The station does not hear: its radio fails", "站點的無線電故障"),
    "unknown": ("The station has not said anything yet", "站點尚未回報"),
}


@router.api_route("/{token}", methods=["GET", "HEAD"])
def show(token: str, request: Request, services: ServicesDependency, lang: Lang = None) -> Response:
    """Whether the station works; for its host, a form as well."""
    words = Words(language_of(request, lang))

    def act() -> Response:
        cipher, now = Cipher(services.settings.secret), services.now()
        offline_after = timedelta(seconds=services.settings.offline_after_s)
        with services.sessions() as session:
            row, link = hosts.find(session, cipher, token[:_LONGEST_TOKEN])
            status = hosts.status(session, row.device, now, offline_after)
            telling = hosts.telling(session, cipher, row.device) if link == "host" else None
            asked = host_address.asked(session, cipher, row.device, now)
        body = _said(status, services.settings.station_help, words)
        if telling is not None:
            body += _form(telling, token, services.settings, asked, words)
        return html_answer(page(words.of(status.name, status.name_zh), body, words), 200)

    return _as_page(services, request, words, act)


@router.post("/{token}")
async def change(
    token: str, request: Request, services: ServicesDependency, lang: Lang = None
) -> Response:
    """Stop messages, begin them again, or send them elsewhere (the host's link alone)."""
    words = Words(language_of(request, lang))
    body = await read_form(request, _LARGEST_BODY)
    return await run_in_threadpool(_change, services, request, token, body, words)


@router.api_route("/address/{token}", methods=["GET", "HEAD"])
def show_address(
    token: str, request: Request, services: ServicesDependency, lang: Lang = None
) -> Response:
    """Whether this mailbox is to be told of a station. Opening it changes nothing: mail programs
    open links by themselves."""
    words = Words(language_of(request, lang))

    def act() -> Response:
        cipher, now = Cipher(services.settings.secret), services.now()
        with services.sessions() as session:
            row = host_address.find(session, cipher, token[:_LONGEST_TOKEN], now)
            offline_after = timedelta(seconds=services.settings.offline_after_s)
            status = hosts.status(session, row.device, now, offline_after)
        title = words.of("Messages about this station?", "是否接收此站點的通知？")
        action = f"/p/checkin/address/{escape(token[:_LONGEST_TOKEN])}?lang={words.language}"
        yes = words.of("Yes, send messages here", "確認，通知寄到此信箱")
        body = [
            f'<p class="soft">{escape(words.of(status.name, status.name_zh))}</p>',
            f"<h1>{title}</h1>",
            f'<form method="post" action="{action}"><button type="submit">{yes}</button></form>',
        ]
        return html_answer(page(title, body, words), 200)

    return _as_page(services, request, words, act)


@router.post("/address/{token}")
def confirm_address(
    token: str, request: Request, services: ServicesDependency, lang: Lang = None
) -> Response:
    """This mailbox is told from now on."""
    words = Words(language_of(request, lang))

    def act() -> Response:
        cipher, now = Cipher(services.settings.secret), services.now()
        with writing(services.sessions) as session:
            host_address.confirm(session, cipher, services.settings, token[:_LONGEST_TOKEN], now)
        services.changed.announce()
        title = words.of("Messages come here now", "之後將通知此信箱")
        return html_answer(page(title, [f'<h1 role="status">{title}</h1>'], words), 200)

    return _as_page(services, request, words, act)


def _change(
    services: Services, request: Request, token: str, body: bytes, words: Words
) -> Response:
    known = token[:_LONGEST_TOKEN]

    def act() -> Response:
        cipher, now = Cipher(services.settings.secret), services.now()
        what, address = _read(body)
        with services.sessions() as session:
            row, link = hosts.find(session, cipher, known)
        if link != "host":
            raise hosts.StationLinkUnknown  # what hangs on a wall changes nothing
        limits = attempts.posts(
            KIND,
            row.device,
            client_address(request),
            each=FROM_ONE_NETWORK,
            together=OF_ONE_STATION,
        )
        with writing(services.sessions) as session:
            attempts.count(session, limits, now)
        with writing(services.sessions) as session:
            row, _ = hosts.find(session, cipher, known)
            if what == "address":
                host_address.ask(
                    session, cipher, services.settings, row.device, address, words.language, now
                )
            else:
                hosts.set_on(session, row.device, what == "resume", now)
        services.changed.announce()
        after = f"/p/checkin/{known}?lang={words.language}"
        return RedirectResponse(after, 303, headers=HEADERS)

    return _as_page(services, request, words, act)


def _read(body: bytes) -> tuple[str, str]:
    """What is to be done, and the address. Raises ``BadHostAddress``."""
    try:
        form = parse_qs(body.decode("utf-8"), max_num_fields=4, errors="strict")
    except ValueError as error:  # no UTF-8, or no form
        raise hosts.BadHostAddress from error
    what = form.get("do", [""])[0]
    address = form.get("address", [""])[0].strip()
    if what not in {"stop", "resume", "address"} or len(address) > hosts.LONGEST_ADDRESS:
        raise hosts.BadHostAddress
    return what, address


def _said(status: Status, help_line: str, words: Words) -> list[str]:
    name = words.of(status.name, status.name_zh)
    head = words.of(*_REASONS[status.reason])
    mark = "✓" if status.works else "!"
    lines = [
        f'<p class="soft">{escape(name)}</p>',
        f'<h1 role="status"{"" if status.works else " class=alarm"}>{mark} {escape(head)}</h1>',
    ]
    if status.since is not None:
        since = words.time(status.since)
        lines.append(f"<p>{words.of(f'Since {since}', f'自 {since} 起')}</p>")
    if status.last_heard is not None:
        heard = words.time(status.last_heard)
        lines.append(f'<p class="soft">{words.of(f"Last heard {heard}", f"最後連線 {heard}")}</p>')
    if status.aside:
        said = words.of("Work on it is planned: nothing is to be done.", "維護中，無須處理。")
        lines.append(f"<p>{said}</p>")
    elif not status.works:
        failed = status.reason == "failed"
        text = words.of(remedy(failed, help_line), remedy_zh(failed, help_line))
        lines += [f"<h2>{words.of('What to do', '請這樣做')}</h2>", f"<p>{escape(text)}</p>"]
    else:
        call = words.of(f"Questions: call {help_line}.", f"如有問題，請致電 {help_line}。")
        lines.append(f'<p class="soft">{escape(call)}</p>')
    return lines


def _form(
    telling: hosts.Telling,
    token: str,
    settings: Settings,
    asked: host_address.Asked | None,
    words: Words,
) -> list[str]:
    action = f"/p/checkin/{escape(token[:_LONGEST_TOKEN])}?lang={words.language}"
    lines = [f"<h2>{words.of('Messages to you', '通知設定')}</h2>"]
    if telling.on:
        to = f" ({escape(telling.hint)})" if telling.hint else ""
        span, span_zh = _span(settings.station_silent_after_s)
        said = words.of(
            f"You are told when the station has not worked for {span}, and when it is back{to}.",
            f"站點停止運作滿 {span_zh}，以及恢復時，會通知您{to}。",
        )
        stop = words.of("Stop messages", "停止通知")
        lines += [f"<p>{said}</p>", _button(action, "stop", stop)]
    else:
        lines.append(f"<p>{words.of('You are told nothing.', '目前不會通知您。')}</p>")
        lines.append(_button(action, "resume", words.of("Tell me again", "恢復通知")))
    if asked is not None:
        lines.append(f'<p role="status">{escape(_waits(asked, words))}</p>')
    if host_address.possible(settings):
        lines += [
            f'<form method="post" action="{action}">',
            '<input type="hidden" name="do" value="address">',
            f'<label for="address">{words.of("E-mail address", "電子郵件")}</label>',
            '<input id="address" name="address" type="email" autocomplete="email" required'
            f' maxlength="{hosts.LONGEST_ADDRESS}">',
            f'<button type="submit">{words.of("Send messages there", "通知改寄到這裡")}</button>',
            "</form>",
        ]
    else:
        said = words.of(
            "This city sends no e-mail; ask it to enter another way.",
            "本市目前不寄送電子郵件；如需其他通知方式，請洽承辦人員。",
        )
        lines.append(f'<p class="soft">{said}</p>')
    return lines


def _waits(asked: host_address.Asked, words: Words) -> str:
    hint = asked.hint
    if asked.failed:
        return words.of(
            f"The message to {hint} could not be sent. Check the address, or ask the city.",
            f"無法寄出確認信至 {hint}。請確認信箱，或洽承辦人員。",
        )
    if not asked.sent:
        return words.of(f"A message to {hint} is being sent.", f"正在寄出確認信至 {hint}。")
    return words.of(
        f"{hint} was asked: it is told nothing before the link in that message is confirmed.",
        f"已寄出確認信至 {hint}；在信中連結完成確認之前，不會通知該信箱。",
    )


def _span(seconds: float) -> Text:
    """In words."""
    minutes = max(1, round(seconds / 60))
    if minutes % 60 == 0:
        hours = minutes // 60
        return ("an hour" if hours == 1 else f"{hours} hours"), f"{hours} 小時"
    return f"{minutes} min", f"{minutes} 分鐘"


def _button(action: str, what: str, text: str) -> str:
    return (
        f'<form method="post" action="{action}"><input type="hidden" name="do" value="{what}">'
        f'<button type="submit">{text}</button></form>'
    )


_PAGES: Final = LinkPages(
    KIND,
    hosts.StationLinkUnknown.code,
    {
        hosts.StationLinkUnknown.code: (
            ("This link is not valid", "此連結無效"),
            (
                "It was cut off or withdrawn. Scan the code on the box again, or ask the city.",
                "連結可能被截斷或已撤回。請重新掃描設備上的條碼，或洽承辦人員。",
            ),
        ),
        hosts.BadHostAddress.code: (
            ("Please check the address", "請確認電子郵件"),
            ("Go back and write one e-mail address.", "請返回上一頁，輸入一個電子郵件地址。"),
        ),
        host_address.AddressAskedJustNow.code: (
            ("Please wait ten minutes", "請稍候十分鐘"),
            (
                "A message was sent just now: open the link in it, or try again later.",
                "剛才已寄出確認信：請開啟信中的連結，或稍後再試。",
            ),
        ),
        "too-many-attempts": (
            ("Please wait a few minutes", "請稍候幾分鐘"),
            ("Much was changed just now.", "目前變更過於頻繁。"),
        ),
    },
)


def _as_page(
    services: Services, request: Request, words: Words, act: Callable[[], Response]
) -> Response:
    """A station that is there no more is nobody's link."""

    def known() -> Response:
        try:
            return act()
        except UnknownDevice:
            raise hosts.StationLinkUnknown from None

    return _PAGES.answer(services, request, words, known)
