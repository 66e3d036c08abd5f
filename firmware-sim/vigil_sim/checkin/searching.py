"""What people of the demo do when somebody of the scenario is missing, and when they are found:
through the cloud's own API, each under an account of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vigil_sim.domain import SignIn


def report_missing(said: Mapping[str, Any], sign_in: SignIn) -> str:
    """A guardian reports it, and an officer opens the case with a reason."""
    with sign_in(said["reporter"]) as family:
        told = family.post(
            "/search/reports",
            {
                "person_key": said["person"],
                "clothes": said.get("clothes", ""),
                "place": said.get("place", ""),
            },
        )
    case = told["case_id"]
    with sign_in(said["officer"]) as police:
        police.post(f"/cases/{case}/access", {"reason": said["reason"]})
        shown = police.get(f"/search/cases/{case}/map")
    last = shown["last_place"]
    where = f"last at {last['name']}" if last else "seen by no station yet"
    return f"case {told['number']}: {said['reporter']} reports, {said['officer']} looks: {where}"


def end_search(said: Mapping[str, Any], sign_in: SignIn) -> str:
    """The officer who found them closes the case; with it everybody's access ends."""
    with sign_in(said["reporter"]) as family:
        under_way = family.get("/search/open")["searches"]
    case = next(one for one in under_way if one["person_key"] == said["person"])
    with sign_in(said["officer"]) as police:
        shown = police.get(f"/search/cases/{case['case_id']}/map")
        body = {"version": shown["version"], "outcome": said["outcome"], "text": said["text"]}
        police.post(f"/search/cases/{case['case_id']}/end", body)
    hits = ", ".join(dict.fromkeys(hit["name"] for hit in shown["hits"])) or "no station"
    return f"case {case['number']}: found, heard meanwhile by {hits}; access has ended"
