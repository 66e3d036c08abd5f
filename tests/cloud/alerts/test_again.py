"""Why people are told again is said in words, in both languages."""

from __future__ import annotations

import pytest

from vigil_cloud.alerts.again import why_again
from vigil_cloud.emergency import service as emergency
from vigil_cloud.smoke.verdict import TOLD_AGAIN
from vigil_schemas.types import Domain


@pytest.mark.parametrize(
    ("domain", "step", "english", "chinese"),
    [
        ("smoke", "home-known #6b0c3a2c", "it is known whose home it is", "已查明所屬住家"),
        ("smoke", "heat, density 0.3 #2", "heat, denser smoke (0.3)", "高溫、煙霧變濃 (0.3)"),
        (
            "water",
            "also ph #0123456789ab",
            *("another excursion of the same water (ph)", "同一水體另有異常 (ph)"),
        ),
        ("noise", "3 devices", "3 devices", "3 個裝置"),
        ("noise", "severity critical", "it is critical now", "情況已屬緊急"),
        ("smoke", "what nobody put into words", *("what nobody put into words",) * 2),
    ],
)
def test_a_reason_is_said_in_words(domain: Domain, step: str, english: str, chinese: str) -> None:
    assert why_again(domain, step) == (english, chinese)


@pytest.mark.parametrize("reason", [emergency.NOWHERE, emergency.UNREADABLE, emergency.UNANSWERED])
def test_that_119_is_to_be_telephoned_is_said_in_chinese(reason: str) -> None:
    english, chinese = why_again("smoke", f"{reason} (2)")
    assert english == f"{reason} (2)"
    assert "119" in chinese
    assert "電話" in chinese


@pytest.mark.parametrize("key", TOLD_AGAIN)
def test_no_key_of_a_fire_is_shown(key: str) -> None:
    english, chinese = why_again("smoke", f"{key} #ac09ebab.1")
    assert (english, chinese) == TOLD_AGAIN[key]
