"""Whether a web page with which an address answers 200 is its service's answer. Pure.

A captive portal, a proxy or a single sign-on in front of a service answers in its place, with 200,
and nothing was delivered. Services exist as well that deliver and answer with a page of their own:
to send to them again and again would be wrong. So a page is no answer only where it says so itself:
it asks to sign in, it does nothing but lead elsewhere, or it is another host's.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urljoin, urlsplit

SIGN_IN: Final = "a page to sign in on answered in place of the service"
LEADS_AWAY: Final = "the address leads elsewhere: a page answered that only leads on"
OTHER_HOST: Final = "the address leads elsewhere: a page of another host answered"
REDIRECTED: Final = "the address leads elsewhere (redirection): nothing was delivered"
_FEW: Final = 12
"""Words of a page that only asks to wait until it leads on."""
_TAG: Final = 1_000
"""A longer tag is none: nobody's page may cost more than its length to look at."""
_BEGINS: Final = re.compile(r"\s*(?:<!--.{0,400}?-->\s*)?<(?:!doctype\s+html|html)\b", re.I | re.S)
_PASSWORD: Final = re.compile(
    rf"<input\b[^<>]{{0,{_TAG}}}?\btype\s{{0,9}}=\s{{0,9}}[\"']?password\b", re.I
)
_SINGLE_SIGN_ON: Final = re.compile(
    rf"<input\b[^<>]{{0,{_TAG}}}?\bname\s{{0,9}}=\s{{0,9}}[\"']?(?:SAMLRequest|SAMLResponse|wresult)\b",
    re.I,
)
"""A form of SAML 2.0's HTTP POST binding, or of WS-Federation, that sends itself."""
_WISPR: Final = re.compile(r"<WISPAccessGatewayParam\b", re.I)
"""What a Wi-Fi portal says to programs (Wireless ISP roaming, WISPr 1.0)."""
_REFRESH: Final = re.compile(
    rf"<meta\b(?=[^<>]{{0,{_TAG}}}?\bhttp-equiv\s{{0,9}}=\s{{0,9}}[\"']?refresh\b)"
    rf"[^<>]{{0,{_TAG}}}?\burl\s{{0,9}}=\s{{0,9}}[\"']?([^\"'<>\s]{{1,{_TAG}}})",
    re.I,
)
_SCRIPTED: Final = re.compile(
    r"\blocation(?:\.href|\.replace|\.assign)?\s{0,9}(?:=|\()\s{0,9}[\"']", re.I
)
_UNSEEN: Final = re.compile(
    r"<(script|style|head)\b.*?(?:</\1\s{0,9}>|$)|<!--.*?(?:-->|$)", re.I | re.S
)
_TAGS: Final = re.compile(rf"<[^<>]{{0,{_TAG}}}>")
_SHOWN: Final = re.compile(r"<(?:img|button|form|iframe|svg)\b", re.I)


def is_page(content_type: str, body: bytes) -> bool:
    """Whether it is a page for people, by what is said of it or how it begins."""
    return "html" in content_type.lower() or _BEGINS.match(_text(body[:1024])) is not None


def not_of_the_service(asked: str, answered: str, body: bytes) -> str:
    """Why this page is no answer of the service; empty where nothing speaks against it. ``asked``,
    ``answered``: the address that was asked, and the one that the page came from at last."""
    if _host(asked) != _host(answered):
        return OTHER_HOST
    page = _text(body)
    if any(sign.search(page) for sign in (_PASSWORD, _SINGLE_SIGN_ON, _WISPR)):
        return SIGN_IN
    return LEADS_AWAY if _leads_away(answered, page) else ""


def _leads_away(address: str, page: str) -> bool:
    refresh = _REFRESH.search(page)
    if refresh is None and _SCRIPTED.search(page) is None:
        return False
    seen = _UNSEEN.sub(" ", page)
    if _SHOWN.search(seen) is not None:
        return False
    # A page that says something may move on as well, and be its service's all the same.
    words = len(_TAGS.sub(" ", seen).split())
    away = refresh is not None and _host(urljoin(address, refresh[1])) != _host(address)
    return words == 0 or (away and words <= _FEW)


def _host(address: str) -> str:
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.")


def _text(body: bytes) -> str:
    """What is looked for is ASCII; only UTF-16 spells it otherwise."""
    if body[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return body.decode("utf-16", "replace")
    return body.decode("latin-1")
