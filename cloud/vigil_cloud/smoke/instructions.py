"""What whoever is told of a smoke alarm should do, in both languages. By the kind of the alert.

After the advice of fire services for homes: out, doors closed, no lift, telephone 119 from outside.
"""

from __future__ import annotations

from typing import Final

_OUT: Final = (
    "Get everybody out, close doors behind you, use no lift, and telephone 119 from outside."
    " If you live nearby: knock and help, and do not go into smoke.",
    "請立即帶所有人離開，沿途關門，勿搭電梯，到屋外撥打 119。鄰居請敲門協助，切勿進入濃煙。",
)
INSTRUCTIONS: Final[dict[str, tuple[str, str]]] = {
    "smoke": _OUT,
    "heat": _OUT,
    "co": (
        "Get everybody out into fresh air, leave doors open, and telephone 119 from outside."
        " The gas has no smell.",
        "請立即帶所有人到戶外通風處，保持門窗開啟，並撥打 119。一氧化碳無色無味。",
    ),
    "gas": (
        "Touch no switch and light nothing. Open windows, get everybody out, and telephone 119 from"
        " outside.",
        "切勿開關電器或點火，請打開門窗，帶所有人離開，到屋外撥打 119。",
    ),
    "unreadable": (
        "It may be a fire: look there. Where you see smoke, get out and telephone 119.",
        "可能是火災，請立即查看；若見煙霧請離開並撥打 119。",
    ),
    "many": (
        "Open the list: each alarm stands there with its place. Where it burns, telephone 119.",
        "請開啟清單查看各警報位置；如有火災請撥打 119。",
    ),
    "test": (
        "Nothing, if you pressed the button. Else look there.",
        "若為您按下測試鈕則無須處理，否則請查看。",
    ),
    "test_due": (
        "Press its test button until it sounds: once a month. Nobody is called by a test.",
        "請按住測試鈕直到發出聲響，每月一次；測試不會通知消防隊。",
    ),
    "battery_alert": (
        "Replace its battery, or the alarm where it is sealed, within 30 days. It still works.",
        "請於 30 天內更換電池；電池不可更換者請更換警報器。目前仍可運作。",
    ),
    "hardware_fault": (
        "Press its test button. If the fault stays, have it replaced: it may not hear a fire.",
        "請按測試鈕；若仍故障請更換，否則可能無法偵測火災。",
    ),
    "tamper": ("Put it back on its base and press its test button.", "請裝回底座並按測試鈕。"),
    "link_lost": (
        "It still sounds at home, and nobody else hears it. Press its test button, and see whether"
        " the bridge has power.",
        "警報器仍會在家中鳴響，但訊號無法送出。請按測試鈕，並確認橋接器電源。",
    ),
    "not_watched": (
        "It still sounds at home, and nobody is called by it. If that was not meant, ask whoever"
        " looks after the alarms; if it was, have it taken out of the home's list.",
        "警報器仍會在家中鳴響，但不會通知任何人。若非您的安排，請聯絡維護人員；若已移除，請自住家清單中刪除。",
    ),
    "end_of_service": (
        "Have it replaced: its sensor is too old to be relied on.",
        "感測器已超過使用年限，請更換警報器。",
    ),
}
