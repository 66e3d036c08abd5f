"""Text from outside that has to fit into messages of ours."""

from __future__ import annotations


def well_formed(text: str) -> str:
    r"""With ``?`` for each half of a surrogate pair, which UTF-8 and so no message can carry.

    JSON may hold one (``"\ud83d"``), and Python makes them of a file name's undecodable bytes.
    """
    return text.encode("utf-8", "replace").decode()
