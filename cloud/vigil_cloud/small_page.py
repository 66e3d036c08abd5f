"""A small page as HTML that works without a script, for people without an account: in two
languages, on any telephone, at once. Whatever comes from outside is escaped by whoever writes the
body."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Final, Literal

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from vigil_cloud.api_errors import ApiError
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import attempts
from vigil_cloud.services import Services

Language = Literal["en", "zh-TW"]
_STYLE: Final = """
:root{color-scheme:light dark;--ink:#17211e;--soft:#4c5a55;--line:#c6d0cc;--page:#f4f6f5;
--card:#fff;--accent:#0b6350;--on:#fff;--alarm:#a3160f}
@media(prefers-color-scheme:dark){:root{--ink:#eef3f1;--soft:#b4c1bc;--line:#45514d;--page:#121816;
--card:#1b2320;--accent:#5fd0b2;--on:#06231b;--alarm:#ff9b90}}
body{margin:0;padding:20px 16px 40px;background:var(--page);color:var(--ink);
font:1.0625rem/1.55 system-ui,"Noto Sans TC","PingFang TC",sans-serif}
main{max-width:34rem;margin:0 auto;padding:20px;border:1px solid var(--line);border-radius:14px;
background:var(--card)}
h1{margin:0 0 8px;font-size:1.4rem;line-height:1.3;overflow-wrap:anywhere}
p{margin:8px 0}.soft{color:var(--soft);font-size:.9375rem}.alarm{color:var(--alarm);font-weight:700}
form{margin:12px 0 0}
label{display:block;margin:14px 0 4px;font-weight:700}
input,select,textarea{box-sizing:border-box;width:100%;min-height:48px;padding:8px 12px;
border:1px solid var(--soft);border-radius:10px;background:var(--page);
color:var(--ink);font:inherit}
form>button{margin-top:18px}
button{width:100%;min-height:56px;padding:0 16px;border:2px solid var(--accent);border-radius:12px;
background:none;color:var(--accent);font:inherit;font-weight:700}
button.first{background:var(--accent);color:var(--on)}
a{display:inline-block;min-height:44px;line-height:44px;color:var(--accent)}
button:focus-visible,a:focus-visible,input:focus-visible,select:focus-visible,
textarea:focus-visible{outline:3px solid var(--ink);outline-offset:2px}
footer{margin-top:18px;border-top:1px solid var(--line)}
"""


def _hash(text: str) -> str:
    """As a content security policy names an inline style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_POLICY: Final = (
    f"default-src 'none'; style-src {_hash(_STYLE)}; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Content-Security-Policy": _POLICY,
}
"""Beside those that every answer has."""


@dataclass(frozen=True, slots=True)
class Words:
    """In the reader's language."""

    language: Language

    def of(self, english: str, chinese: str) -> str:
        """The one of the two."""
        return english if self.language == "en" else chinese

    def time(self, moment: datetime) -> str:
        """As the city's clocks show it."""
        return f"{moment.astimezone(CITY_ZONE):%Y-%m-%d %H:%M:%S}"


def page(title: str, body: Sequence[str], words: Words) -> str:
    """The whole of it; ``body`` is HTML."""
    other, name = ("zh-TW", "中文") if words.language == "en" else ("en", "English")
    return (
        f'<!doctype html><html lang="{words.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="robots" content="noindex,nofollow,noarchive">'
        f"<title>{escape(title)} · Vigil 守望</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(body)}"
        f'<footer><a href="?lang={other}" lang="{other}">{name}</a></footer></main></body></html>'
    )


def language_of(request: Request, lang: str | None) -> Language:
    """As the address says (``?lang=``), else as the browser does."""
    if lang in ("en", "zh-TW"):
        return "en" if lang == "en" else "zh-TW"
    english = request.headers.get("Accept-Language", "").lower().startswith("en")
    return "en" if english else "zh-TW"


def html_answer(
    text: str, status: int, headers: Mapping[str, str] | None = None, *, script: str = ""
) -> HTMLResponse:
    """A page as it is sent. ``script``: the one inline script that it may run, in full."""
    policy = f"{_POLICY}; script-src {_hash(script)}" if script else _POLICY
    own = {**(headers or {}), **HEADERS, "Content-Security-Policy": policy}
    return HTMLResponse(text, status, headers=own)


async def read_form(request: Request, largest: int) -> bytes:
    """The body of a small form; of a larger one only so much that it is seen to be too large."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > largest:
            break
    return bytes(received)


Text = tuple[str, str]
"""In English and Chinese."""


@dataclass(frozen=True, slots=True)
class LinkPages:
    """Pages behind links of one kind, which whoever has the link opens without an account."""

    kind: str
    """Under which guesses of such links are counted (``attempts``)."""
    unknown: str
    """The code of the refusal that tells a link to be nobody's."""
    refusals: Mapping[str, tuple[Text, Text]]
    """By code: title and text of what is refused as a page; everything else is raised."""

    def answer(
        self, services: Services, request: Request, words: Words, act: Callable[[], Response]
    ) -> Response:
        """What ``act`` answers, or its refusal as a page. Whoever tries links that are nobody's is
        not answered for ever."""
        try:
            return act()
        except ApiError as error:
            refusal = error
        if refusal.code == self.unknown:
            refusal = self._count(services, request) or refusal
        if refusal.code not in self.refusals:
            raise refusal
        title, text = self.refusals[refusal.code]
        body = [f"<h1>{words.of(*title)}</h1>", f"<p>{words.of(*text)}</p>"]
        return html_answer(page(words.of(*title), body, words), refusal.status, refusal.headers)

    def _count(self, services: Services, request: Request) -> ApiError | None:
        try:
            with writing(services.sessions) as session:
                guesses = attempts.guesses(self.kind, client_address(request))
                attempts.count(session, guesses, services.now())
        except ApiError as error:
            return error
        return None


def client_address(request: Request) -> str:
    """Of whoever asks; empty where nobody knows."""
    return request.client.host if request.client else ""
