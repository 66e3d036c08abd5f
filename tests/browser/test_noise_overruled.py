"""From the list of what was vetoed to a case: heard, overruled with a reason, decided by others."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from browser.conftest import DESKTOP, PHONE, OpenWindow
from browser.evidence import reference, sealed_passage
from browser.test_layout import settle
from browser.town import Town, _exceedance
from browser.town_seed import MICROPHONE
from vigil_schemas.noise import Classification, Judgement

WORDS = {
    "en": (
        "Taken for no vehicle",
        "Listen and look",
        "It is a vehicle",
        "What you heard and saw",
        "Open the case",
        "A vehicle's sound",
        "Plate camera",
    ),
    "zh-TW": (
        "判為非車輛",
        "聆聽與觀看",
        "確為車輛",
        "您所聽見與看見之情形",
        "立案",
        "聲音為車輛所發出",
        "車牌攝影機",
    ),
}


def vetoed(town: Town) -> None:
    name = f"exceedance-{uuid.uuid4().hex[:12]}"
    now = datetime.now(UTC)
    # Of a place with two cameras, where nobody could say which vehicle it was.
    sealed = sealed_passage(name, now, "ABC1234", two_cameras=True)
    event = _exceedance(name, now, 96.4, reference(sealed)).model_copy(
        update={
            "classification": Classification(
                kind="siren", score=0.93, vehicle=0.011, vetoed=True, model="m1"
            ),
            "judgement": Judgement(
                limit_db=86.0, LAFmax_corrected=96.4, uncertainty_db=1.1, decision="exceedance"
            ),
        }
    )
    town.upload(sealed)
    town.send(event, MICROPHONE)


@pytest.mark.parametrize(
    ("language", "size"), [("en", DESKTOP), ("zh-TW", PHONE)], ids=["desktop", "phone"]
)
def test_what_was_vetoed_is_heard_and_made_a_case(
    window: OpenWindow, town: Town, language: str, size: tuple[int, int]
) -> None:
    vetoed(town)
    only, listen, vehicle, heard, opens, check, near = WORDS[language]
    page = window("inspector", size=size, language=language).go("/noise")
    page.get_by_role("button", name=only).press("Enter")
    item = page.get_by_role("listitem").filter(has_text="96.4 dB").first
    item.get_by_role("button", name=listen).press("Enter")
    expect(item.locator("audio")).to_be_visible()
    expect(item.locator("video")).to_have_count(2)
    expect(item.get_by_label(near)).to_be_visible()
    item.get_by_role("button", name=vehicle).press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text(re.compile("siren"))).to_be_visible()
    settle(page, "overruling", size, language, "light")
    dialog.get_by_label(heard).fill("A motorcycle; the film shows it.")
    dialog.get_by_role("button", name=opens).press("Enter")

    expect(page).to_have_url(re.compile("/cases/[0-9a-f-]{36}$"))
    expect(page.get_by_text("A motorcycle; the film shows it.").first).to_be_visible()
    line = page.locator("dl > div").filter(has_text=check).first
    expect(line.locator("[data-verdict=unknown]")).to_have_count(1)
    expect(line).to_contain_text("siren")
