"""Words of states and of what was done, English and Chinese, for what leaves as paper."""

from __future__ import annotations

from typing import Final

STATES: Final[dict[str, tuple[str, str]]] = {
    "new": ("New", "新案"),
    "in_progress": ("In progress", "處理中"),
    "decided": ("Decided", "已決定"),
    "referred": ("Referred", "已移送"),
    "closed": ("Closed", "已結案"),
    "appealed": ("Appealed", "申訴中"),
}
ACTIONS: Final[dict[str, tuple[str, str]]] = {
    "opened": ("Opened", "開立"),
    "taken": ("Taken", "承辦"),
    "handed-over": ("Handed over", "移交"),
    "noted": ("Note", "紀錄"),
    "photograph-added": ("Photograph", "照片"),
    "alert-added": ("Alert added", "併入警報"),
    "decision-given": ("Decision given", "作成個人決定"),
    "decided": ("Decided", "決定"),
    "referred": ("Referred", "移送"),
    "closed": ("Closed", "結案"),
    "appealed": ("Appealed", "申訴"),
    "reopened": ("Reopened", "重啟"),
    "deadline-set": ("Deadline set", "訂定期限"),
    "deadline-met": ("Deadline met", "期限完成"),
    "deadline-near": ("Deadline near", "期限將屆"),
    "deadline-over": ("Overdue", "逾期"),
    "access-given": ("Access given", "限時檢視"),
    "released": ("Anybody's again", "解除承辦"),
}
"""By ``lifecycle.State`` and ``history.Action``; a test holds them together."""
VERDICTS: Final[dict[str, tuple[str, str]]] = {
    "pass": ("Passed", "合格"),
    "fail": ("Failed", "不合格"),
    "unknown": ("Not known", "無法判定"),
}
"""By ``port.Verdict``."""
