"""The small page behind a one-time link: what it says, in two languages.

It is drawn here and not by the pages' program: it has to work on any telephone, at once, and for
people who have no account. Everything that comes from outside is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Final

from vigil_cloud.notify.reply_links import REPLIES, Reply
from vigil_cloud.small_page import Language, Words, page


@dataclass(frozen=True, slots=True)
class Asked:
    """An alert that waits for an answer, or has it."""

    title: str
    title_zh: str
    critical: bool
    event_time: datetime
    over: datetime | None
    taken_by: str | None
    """Whoever has acknowledged it; empty: somebody who is not named to this reader."""
    who: str
    """In whose name the answer is given."""
    answers: tuple[Reply, ...]
    """What may be said, or still be said."""
    answered: Reply | None = None
    answered_at: datetime | None = None
    needs_code: bool = False
    """A false alarm is taken with the home's code alone."""
    without_code: bool = False
    """The home has set none that counts: a false alarm is noted, and help comes all the same."""
    refused: str = ""
    """Code of the refusal of what was entered just now."""


def asking(asked: Asked, token: str, first: Reply | None, language: Language, home: str) -> str:
    """The page that asks; ``first``: which answer's link was opened. ``home``: the alert's page
    for whoever has an account."""
    words = Words(language)
    body = [*_head(asked, words)]
    if asked.answered is not None and asked.answered_at is not None:
        body += _answered(asked, asked.answered, asked.answered_at, words)
        for answer in sorted(asked.answers, key=lambda one: one != first):
            body += _button(token, answer, words, asked, first=answer == first)
    else:
        said = words.of(
            f"You answer as {asked.who}. Nothing has been answered yet: press one.",
            f"您將以「{asked.who}」的名義回覆。目前尚未回覆，請按下其中一個按鈕。",
        )
        body.append(f"<p>{escape(said)}</p>")
        order = sorted(asked.answers, key=lambda one: one != (first or asked.answers[0]))
        for number, answer in enumerate(order):
            body += _button(token, answer, words, asked, first=number == 0)
    body += [
        f'<p><a href="{escape(home)}">'
        f"{words.of('Open the alert (with an account)', '開啟警報（需登入）')}</a></p>"
    ]
    return page(asked.title if language == "en" else asked.title_zh, body, words)


def refusing(code: str, language: Language) -> str:
    """A page for a link that answers nothing (any more)."""
    words = Words(language)
    title, text = _REFUSALS.get(code, _ANOTHER)
    body = [
        f"<h1>{words.of(*title)}</h1>",
        f"<p>{words.of(*text)}</p>",
        '<p class="alarm">' + words.of(*_EMERGENCY) + "</p>",
    ]
    return page(words.of(*title), body, words)


_ONCE: Final = (
    "Each answer of the link counts once. To say something else, sign in and open the alert.",
    "此連結的每個回覆只計一次。若要更改回覆，請登入並開啟警報。",
)
_MORE: Final = (
    "What you said stands. You can still say what you see:",
    "您的回覆已記錄。仍可回報您所見的情況：",
)
_WITH_CODE: Final = (
    "With the code nobody is called, or whoever was called is told that there is no fire.",
    "輸入正確密碼後不再通報；已受通報者會收到無火災的通知。",
)
_TAKEN: Final = (
    "The others see that you are on it. It takes nothing back: 119 is called all the same.",
    "其他人會看到由您處理，但這不會取消通報，仍會通報 119。",
)
_WITHOUT_CODE: Final = (
    "This home has set no code: your word is noted, and 119 is called all the same.",
    "此住家尚未設定密碼：您的回覆會記錄，但仍會通報 119。",
)
OF_CODES: Final = {
    "home-code-needed": ("Enter the code of the home.", "請輸入住家密碼。"),
    "fire-code-wrong": (
        "This is not the code. The alarm goes on.",
        "密碼錯誤，警報持續。",
    ),
    "fire-code-locked": (
        "The code was entered wrong too often and is locked. Help comes. If nobody is in danger,"
        " call 119.",
        "密碼多次輸入錯誤，已鎖定，救援將會前往。若無人身危險，請致電 119 說明。",
    ),
    "fire-code-not-set": (
        "This home had set no code as the alarm rang. If nobody is in danger, call 119.",
        "警報響起時此住家尚未設定密碼。若無人身危險，請致電 119 說明。",
    ),
    "fire-code-takes-nothing-back": (
        "The code is right, but the fire was confirmed: help comes all the same. Get out.",
        "密碼正確，但火警已獲證實，救援仍會前往。請立即離開。",
    ),
    "too-busy": ("Too many are tried at once: press again.", "系統忙碌，請再按一次。"),
}
"""Beside the field, when the code takes nothing back."""
_EMERGENCY: Final = ("If people are in danger, call 119.", "若有人身危險，請立即撥打 119。")
_REFUSALS: Final = {
    "reply-unknown": (
        ("This link is not valid", "此連結無效"),
        (
            "It was cut off or changed on its way, or the alert is no longer kept. Use the link"
            " of the newest message, or sign in.",
            "連結可能在傳送時被截斷或更改，或警報已不再保存。請使用最新訊息中的連結，或登入系統。",
        ),
    ),
    "reply-expired": (
        ("This link has expired", "此連結已過期"),
        (
            "It answers nothing any more. Use the link of a newer message, or sign in.",
            "此連結已不能用於回覆。請使用較新訊息中的連結，或登入系統。",
        ),
    ),
    "forbidden": (
        ("This link may no longer answer", "此連結已無法回覆"),
        (
            "Whoever it was sent to may not answer this alert any more.",
            "收到此連結的人已無權回覆此警報。",
        ),
    ),
    "reply-not-offered": (
        ("This answer is not offered", "無法以此方式回覆"),
        (
            "Open the link of the message again and press one of its answers.",
            "請重新開啟訊息中的連結，並按下其中一個回覆。",
        ),
    ),
    "too-many-attempts": (
        ("Too many invalid links", "無效連結次數過多"),
        (
            "Too many links that are not valid were opened from here. Wait a few minutes.",
            "從這裡開啟了過多無效的連結，請稍候幾分鐘再試。",
        ),
    ),
}
_ANOTHER: Final = (
    ("This cannot be answered right now", "目前無法回覆"),
    (
        "Nothing was answered. Try again in a moment, or sign in and open the alert.",
        "回覆未送出。請稍候再試，或登入系統並開啟警報。",
    ),
)
"""Of a refusal that this page has no words for."""
_EFFECTS: Final[dict[Reply, tuple[str, str]]] = {
    "accepted": (
        "The others see that you are on it, and nobody further is called.",
        "其他人會看到由您處理，系統不再通知更多人。",
    ),
    "declined": (
        "The others are asked instead. It is shown that you cannot.",
        "系統會改問其他人，並顯示您無法處理。",
    ),
    "false-alarm": (
        "Everybody sees that you say so, and nobody further is called. The alarm itself stays"
        " shown until it is silent.",
        "所有人都會看到您的回覆，系統不再通知更多人。警報在裝置停止前仍會顯示。",
    ),
    "burns": (
        "Neighbours, guardians and 119 are called at once.",
        "立即通報鄰居、監護人與 119。",
    ),
}


def _head(asked: Asked, words: Words) -> list[str]:
    title = words.of(asked.title, asked.title_zh)
    lines = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{words.of("Time", "時間")} {words.time(asked.event_time)}</p>',
    ]
    if asked.critical:
        lines.append(f'<p class="alarm">{words.of(*_EMERGENCY)}</p>')
    if asked.over is not None:
        over = words.time(asked.over)
        lines.append(f"<p>{words.of(f'It is over since {over}.', f'已於 {over} 解除。')}</p>")
    if asked.taken_by is not None and asked.answered is None:
        name = asked.taken_by or words.of("somebody", "其他人")
        taken = words.of(f"Taken on already by {name}.", f"已由 {name} 接手。")
        lines.append(f"<p>{escape(taken)}</p>")
    return lines


def _answered(asked: Asked, answer: Reply, at: datetime, words: Words) -> list[str]:
    said = words.of(*REPLIES[answer])
    told = words.of(
        f"Answered as {asked.who} at {words.time(at)}: {said}.",
        f"已於 {words.time(at)} 以「{asked.who}」回覆：{said}。",
    )
    once = words.of(*(_MORE if asked.answers else _ONCE))
    return [
        f'<p role="status"><b>{escape(told)}</b></p>',
        f"<p>{words.of(*_EFFECTS[answer])}</p>",
        f'<p class="soft">{once}</p>',
    ]


def _button(token: str, answer: Reply, words: Words, asked: Asked, *, first: bool) -> Sequence[str]:
    kind = ' class="first"' if first else ""
    action = f"/r/{escape(token)}/{answer}?lang={words.language}"
    effect, field = words.of(*_EFFECTS[answer]), ""
    if answer == "false-alarm" and asked.needs_code:
        effect = words.of(*_WITH_CODE)
        field = _code_field(asked, words, first=first)
    elif answer == "false-alarm" and asked.without_code:
        effect = words.of(*_WITHOUT_CODE)
    elif answer == "accepted" and (asked.needs_code or asked.without_code):
        effect = words.of(*_TAKEN)
    return (
        f'<form method="post" action="{action}">{field}'
        f'<button type="submit"{kind}>{words.of(*REPLIES[answer])}</button></form>',
        f'<p class="soft">{effect}</p>',
    )


def _code_field(asked: Asked, words: Words, *, first: bool) -> str:
    error, described = "", ""
    if asked.refused:
        text = words.of(*OF_CODES[asked.refused])
        error = f'<p class="alarm" id="code-error" role="alert">{text}</p>'
        described = ' aria-invalid="true" aria-describedby="code-error"'
    focus = " autofocus" if first else ""
    return (
        f'{error}<label for="code">{words.of("Code of the home", "住家密碼")}</label>'
        f'<input id="code" name="code" type="password" inputmode="numeric" autocomplete="off"'
        f' maxlength="12" required{described}{focus}>'
    )
