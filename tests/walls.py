"""The wall around each domain, for ``lint-imports``: no file has to be told of a new domain.

A domain's room is a folder of a package that holds a ``domain.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

DESCRIPTOR = ".domain"


def rooms_of(graph: ImportGraph, package: str) -> frozenset[str]:
    """Every domain's room in a package, by its whole name."""
    return frozenset(
        room for room in graph.find_children(package) if f"{room}{DESCRIPTOR}" in graph.modules
    )


def room_of(module: str, package: str) -> str:
    """The folder, or module, of the package's first level that a module lies in."""
    return ".".join(module.split(".")[: package.count(".") + 2])


def trespasses(
    graph: ImportGraph, package: str, registry: str, allowed: frozenset[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Imports that pass a domain's wall from outside. The registry may import descriptors."""
    rooms = rooms_of(graph, package)
    inside = {module for room in rooms for module in (room, *graph.find_descendants(room))}
    for imported in sorted(inside):
        for importer in sorted(graph.find_modules_that_directly_import(imported)):
            here, there = room_of(importer, package), room_of(imported, package)
            if here == there or (importer == registry and imported == there + DESCRIPTOR):
                continue
            if (importer, imported) not in allowed:
                yield importer, imported


class DomainRooms(Contract):
    """Domains know each other nowhere, and the platform knows none of them but by descriptors.

    ``package``; ``registry``: the one module that may import descriptors; ``reads``: imports
    that a domain may have of another's port, each as ``importer -> imported``.
    """

    package = fields.StringField()
    registry = fields.StringField()
    reads = fields.SetField(subfield=fields.ImportExpressionField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Broken where something passes a wall, or where no wall is found."""
        options = vars(self)  # import-linter puts values where fields were
        allowed = frozenset(
            (one.importer.expression, one.imported.expression) for one in options["reads"] or ()
        )
        found = list(trespasses(graph, options["package"], options["registry"], allowed))
        rooms = rooms_of(graph, options["package"])
        return ContractCheck(kept=bool(rooms) and not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Name each import."""
        for importer, imported in check.metadata["found"] or [(self.package, "no domain")]:
            output.print_error(f"{importer} imports {imported}")
