"""``docs/settings.md``: every setting of gateway and cloud, from the models themselves.

``python -m settings_page`` writes the page, ``--check`` says whether it is what the models say.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
import types
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from enum import Enum
from functools import cache
from pathlib import Path, PurePath
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import AwareDatetime, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from vigil_cloud.config import Settings
from vigil_edge.configuration.device import DeviceSettings
from vigil_edge.configuration.sections import Head
from vigil_edge.registry import DOMAINS

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "settings.md"
_HEAD: Final = """\
# Settings 設定
Generated from the models by `make schemas`; `make check` compares.
由程式中的模型產生，`make check` 會比對。

- **Gateway**: `gateway.toml`; `vigil-edge check --config gateway.toml` names each mistake with its
  line. 閘道器設定檔；該指令會指出每一處錯誤。
- **Cloud**: `cloud.toml`, or variables `VIGIL_…`; a variable wins over a secret's file
  (`VIGIL_SECRETS_DIR`), and that over the TOML file.
  雲端：環境變數優先於機密檔案，再優先於 TOML 檔。

A key without a default that is not marked as required may be left out.
未標示必填且無預設值者可省略。
"""
_PLAIN: Final[dict[Any, str]] = {
    bool: "true, false",
    int: "whole number",
    float: "number",
    str: "text",
    SecretStr: "secret text",
    datetime: "time with zone",
    AwareDatetime: "time with zone",
    date: "day",
    time: "time of day",
    timedelta: "duration",
    bytes: "bytes",
    Any: "anything",
    type(None): "nothing",
}


# --- what a model says of its fields ---------------------------------------------------------


@cache
def _said_in(model: type[BaseModel]) -> dict[str, str]:
    """The texts below the fields of one class."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    except (OSError, TypeError):  # a model that was made at run time
        return {}
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            found[field.target.id] = " ".join(text.value.value.split())
    return found


def about(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    """What stands below the field, in its class or the one that it comes from."""
    for base in model.__mro__:
        if isinstance(base, type) and issubclass(base, BaseModel) and base is not BaseModel:
            said = _said_in(base).get(name)
            if said:
                return said
    return " ".join((field.description or "").split())


def summary(model: type[BaseModel]) -> str:
    """The first paragraph of its docstring, without the table's own name."""
    text = " ".join((model.__doc__ or "").split("\n\n")[0].split())
    bare = re.sub(r"^(One )?``\[.*?\]``(, ``\[.*?\]``)*(:| or ``.*?``:)? ?", "", text)
    return bare[:1].upper() + bare[1:]


# --- what a field takes ----------------------------------------------------------------------


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Tables that a value of it may be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found: list[type[BaseModel]] = []
    arguments = get_args(annotation)
    for one in arguments[:1] if get_origin(annotation) is Annotated else arguments:
        found += [model for model in models_in(one) if model not in found]
    return found


def is_list(annotation: Any) -> bool:
    """Whether tables of it stand in double brackets."""
    origin = get_origin(annotation)
    if origin in (list, tuple, Sequence):
        return True
    arguments = get_args(annotation)
    return any(is_list(one) for one in (arguments[:1] if origin is Annotated else arguments))


def takes(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """In words."""
    bounds = _bounds(metadata)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return takes(arguments[0], [*arguments[1:], *metadata])
    if hasattr(annotation, "__value__"):  # a `type` statement
        return takes(annotation.__value__, metadata)
    if origin in (Union, types.UnionType):
        parts = [takes(one) for one in arguments if one is not type(None)]
        return " or ".join(dict.fromkeys(parts)) + bounds
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in arguments)
    if origin in (list, tuple, frozenset, set, Sequence):
        inner = [one for one in arguments if one is not Ellipsis]
        return "list of " + " and ".join(dict.fromkeys(takes(one) for one in inner)) + bounds
    if origin is dict or annotation is dict:
        return "table of " + (takes(arguments[1]) if arguments else "anything")
    if isinstance(annotation, type):
        if issubclass(annotation, BaseModel):
            return "table"
        if issubclass(annotation, Enum):
            return ", ".join(f"`{one.value}`" for one in annotation)
        if issubclass(annotation, PurePath):
            return "path"
    return _PLAIN.get(annotation, getattr(annotation, "__name__", str(annotation))) + bounds


def _bounds(metadata: Sequence[Any]) -> str:
    said = []
    for one in metadata:
        if isinstance(one, FieldInfo):
            said += [_bounds(one.metadata).strip()]
        for name, sign in (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤")):
            limit = getattr(one, name, None)
            if isinstance(limit, int | float):
                said.append(f"{sign} {limit:g}" if abs(limit) < 1e6 else f"{sign} {limit}")
        if isinstance(one, annotated_types.MinLen) and one.min_length > 1:
            said.append(f"at least {one.min_length}")
        if isinstance(one, annotated_types.MaxLen):
            said.append(f"at most {one.max_length}")
        pattern = getattr(one, "pattern", None)
        if isinstance(pattern, str):
            said.append(f"like `{pattern}`")
    found = ", ".join(part for part in said if part)
    return f" {found}" if found else ""


def default(field: FieldInfo) -> str:
    """As it is written in TOML; empty where leaving it out is a value of its own."""
    if field.is_required():
        return "**required**"
    try:
        value = field.get_default(call_default_factory=True, validated_data={})
    except (KeyError, TypeError, ValueError):  # of other keys
        return "by other keys"
    return _written(value)


def _written(value: Any) -> str:
    if value is None or isinstance(value, BaseModel | SecretStr):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list | tuple | frozenset | set):
        inner = [_written(one).strip("`") for one in value]
        return f"`[{', '.join(inner)}]`" if all(inner) and inner else ""
    if isinstance(value, dict):
        return ""
    if isinstance(value, Enum):
        return f'`"{value.value}"`'
    if isinstance(value, str | Path):
        return f'`"{value}"`' if str(value) else ""
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


# --- the page --------------------------------------------------------------------------------


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"


class Gateway:
    """Tables of ``gateway.toml``; one that stands in several places is described once."""

    def __init__(self) -> None:
        self._described: dict[type[BaseModel], str] = {}

    def parts(self) -> Iterator[str]:
        yield "\n## Gateway 閘道器\n"
        for name, field in Head.model_fields.items():
            for model in models_in(field.annotation):
                yield from self.table(model, f"[{name}]")
        yield from self.table(DeviceSettings, "every device section", depth=3)
        for domain in DOMAINS:
            for model in models_in(domain.settings()):
                yield from self.table(model, f"[[{domain.key}]]", skip=DeviceSettings)

    def table(
        self,
        model: type[BaseModel],
        path: str,
        *,
        depth: int = 3,
        skip: type[BaseModel] | None = None,
    ) -> Iterator[str]:
        """One table and those below it."""
        self._described[model] = path
        wider = next((base for base in model.__mro__[1:] if base in self._described), None)
        wider = None if wider is DeviceSettings else wider
        known = {*(skip.model_fields if skip else ()), *(wider.model_fields if wider else ())}
        fields = {name: one for name, one in model.model_fields.items() if name not in known}
        which = [
            f"`{name} = {takes(field.annotation).replace('`', chr(34))}`"
            for name, field in fields.items()
            if get_origin(field.annotation) is Literal and name in {"driver", "codec", "kind"}
        ]
        title = f"`{path}`" if path.startswith("[") else path
        head = f"\n{'#' * depth} {title}{' with ' + which[0] if which else ''}\n"
        said = summary(model)
        if wider is not None:
            said = f"{said} Beside the keys of `{self._described[wider]}`:".strip()
        yield head + (f"{said}\n\n" if said else "\n")
        yield "| key | takes | default | |\n|---|---|---|---|\n"
        below: list[tuple[type[BaseModel], str]] = []
        for name, field in fields.items():
            text = about(model, name, field)
            inside = models_in(field.annotation)
            inner = path.strip("[]") if path.startswith("[") else "…"
            double = is_list(field.annotation)
            deeper = f"[[{inner}.{name}]]" if double else f"[{inner}.{name}]"
            for one in inside:
                if one in self._described:
                    text = f"{text} As `{self._described[one]}`.".strip()
                else:
                    below.append((one, deeper))
            key = f"`{field.alias or name}`"
            yield _row(key, takes(field.annotation, field.metadata), default(field), text)
        for one, deeper in below:
            if one not in self._described:
                yield from self.table(one, deeper, depth=4)


def cloud(model: type[BaseModel] = Settings, path: str = "") -> Iterator[str]:
    """The cloud's, with the variable of each."""
    if not path:
        yield "\n## Cloud 雲端\n"
    else:
        yield f"\n### `[{path}]`\n{summary(model)}\n\n"
    yield "| key | variable | takes | default | |\n|---|---|---|---|---|\n"
    below = []
    for name, field in model.model_fields.items():
        inside = models_in(field.annotation)
        if inside:
            below.append((inside[0], f"{path}.{name}" if path else name))
            continue
        variable = "VIGIL_" + f"{path}.{name}".strip(".").replace(".", "__").upper()
        yield _row(
            f"`{name}`",
            f"`{variable}`",
            takes(field.annotation, field.metadata),
            default(field),
            about(model, name, field),
        )
    for one, deeper in below:
        yield from cloud(one, deeper)


def page() -> str:
    """The whole document."""
    return "".join((_HEAD, *Gateway().parts(), *cloud())).replace("``", "`")


def main(arguments: list[str]) -> int:
    """Exit code 1 where ``--check`` finds another page than the models give."""
    text = page()
    if "--check" in arguments:
        if PAGE.is_file() and PAGE.read_text("utf-8") == text:
            return 0
        print("docs/settings.md is not what the models say; run `make schemas`", file=sys.stderr)
        return 1
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
