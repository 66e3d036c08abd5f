"""How a bridge does, as a device of its own: the worst first. Pure."""

from __future__ import annotations

from collections.abc import Collection

from vigil_edge.smoke.health import OK, Finding
from vigil_edge.smoke.spoken import Spoken
from vigil_edge.voice.errors import PromptUnreadable, VoiceFailed

_MOST = 400


def finding(  # noqa: PLR0913 - all that is known of one bridge, by name
    *,
    waiting: int,
    online: bool | None,
    waited: bool,
    unconfigured: Collection[str],
    only_own: bool,
    base: str,
    spoken: Spoken | None,
) -> Finding:
    """``waiting``: events that a full outbox did not take. ``online``: the bridge's own word;
    ``None`` until it, or one of its alarms, was heard, ``waited`` long enough for that.
    ``unconfigured``: names of alarms that nobody configured. ``only_own``: the broker hides the
    others. ``base``: what topics begin with."""
    if waiting:
        said = f"{waiting} events wait in memory, alarms are still taken"
        return Finding("degraded", "outbox-full", said)
    if online is False:
        return Finding("degraded", "bridge-offline", "Zigbee2MQTT says that it is offline")
    if online is None and waited:
        said = f"nothing on {base}bridge/state: is Zigbee2MQTT running, and base_topic its own?"
        return Finding("degraded", "bridge-unseen", said)
    if unconfigured:
        names = ", ".join(sorted(unconfigured))
        said = f"alarms on the bridge that are in no [[smoke.alarm]]: {names}"
        return Finding("degraded", "alarms-unconfigured", said[:_MOST])
    if only_own:
        said = f"the broker lets this gateway subscribe to its own alarms only, not {base}#"
        return Finding("degraded", "bridge-hidden", said)
    if spoken is not None and spoken.trouble:
        said = f"nothing can be said in the home: {spoken.trouble}"
        return Finding("degraded", VoiceFailed.code, said[:_MOST])
    if spoken is not None and spoken.missing:
        return Finding("degraded", PromptUnreadable.code, "; ".join(spoken.missing)[:_MOST])
    return OK
