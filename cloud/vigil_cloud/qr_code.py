"""Addresses as QR codes, and the address that people reach this city under."""

from __future__ import annotations

import io

import segno
from fastapi import Request, Response

from vigil_cloud.config import Settings


def address_of(settings: Settings, request: Request) -> str:
    """As the operator says, else as it was reached just now."""
    return (settings.public_url or str(request.base_url)).rstrip("/")


def inline(text: str) -> str:
    """A picture (SVG) that is part of an answer: nobody can ask for it again."""
    code = segno.make(text, error="m", micro=False)
    return code.svg_inline(scale=4, border=4, light="#fff")


def drawn(text: str) -> Response:
    """A picture (SVG) to be printed or shown; kept by nobody on the way."""
    picture = io.BytesIO()
    code = segno.make(text, error="m", micro=False)
    code.save(picture, kind="svg", scale=6, border=4, light="#fff", xmldecl=False)
    headers = {"Cache-Control": "private, no-store"}
    return Response(picture.getvalue(), media_type="image/svg+xml", headers=headers)
