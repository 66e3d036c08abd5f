"""What the stand-in's D-Bus objects say about themselves, for whatever D-Bus tool looks at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from xml.sax.saxutils import quoteattr

from dbus_fast import Variant

_METHODS: Final[Mapping[str, Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]]] = {
    "org.bluez.Adapter1": {
        "StartDiscovery": ((), ()),
        "StopDiscovery": ((), ()),
        "SetDiscoveryFilter": (("a{sv}",), ()),
        "GetDiscoveryFilters": ((), ("as",)),
        "RemoveDevice": (("o",), ()),
    },
    "org.bluez.AdvertisementMonitorManager1": {
        "RegisterMonitor": (("o",), ()),
        "UnregisterMonitor": (("o",), ()),
    },
    "org.freedesktop.DBus.ObjectManager": {"GetManagedObjects": ((), ("a{oa{sa{sv}}}",))},
    "org.freedesktop.DBus.Properties": {
        "Get": (("s", "s"), ("v",)),
        "GetAll": (("s",), ("a{sv}",)),
        "Set": (("s", "s", "v"), ()),
    },
    "org.freedesktop.DBus.Introspectable": {"Introspect": ((), ("s",))},
}
"""By interface and name: signatures of what goes in and what comes out."""
_WRITABLE: Final = frozenset({"Powered"})

Objects = Mapping[str, Mapping[str, Mapping[str, Variant]]]


def introspected(path: str, objects: Objects) -> str | None:
    """The XML of one object, or of a node on the way to one; None where there is neither."""
    root = path.rstrip("/") + "/"
    children = {known.removeprefix(root).split("/")[0] for known in objects if root in known}
    if path not in objects and not children:
        return None
    interfaces = {
        "org.freedesktop.DBus.Introspectable": {},
        **({"org.freedesktop.DBus.ObjectManager": {}} if path == "/" else {}),
        **({"org.freedesktop.DBus.Properties": {}} if path in objects else {}),
        **objects.get(path, {}),
    }
    body = "".join(_interface(name, properties) for name, properties in interfaces.items())
    nodes = "".join(f"<node name={quoteattr(child)}/>" for child in sorted(children))
    return f"<node>{body}{nodes}</node>"


def _interface(name: str, properties: Mapping[str, Variant]) -> str:
    methods = "".join(
        f'<method name="{method}">{_arguments("in", given)}{_arguments("out", answered)}</method>'
        for method, (given, answered) in _METHODS.get(name, {}).items()
    )
    shown = "".join(
        f'<property name="{key}" type={quoteattr(value.signature)}'
        f' access="{"readwrite" if key in _WRITABLE else "read"}"/>'
        for key, value in properties.items()
    )
    return f'<interface name="{name}">{methods}{shown}</interface>'


def _arguments(direction: str, signatures: tuple[str, ...]) -> str:
    return "".join(f'<arg type="{kind}" direction="{direction}"/>' for kind in signatures)
