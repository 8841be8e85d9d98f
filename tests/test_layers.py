"""The house's own rules, held by reading every module: who may import whom, no cycle, nothing too long.

Imports inside functions and those for types only count as well: what a module must not know, its types must not either.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import harness
from harness.spawn import python_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PACKAGE = Path(harness.__file__).parent

#: In their order: each may import those before it.
LEAVES = ("errors", "units", "clock", "config", "spawn", "redact")
_LEAVES = frozenset(LEAVES)

#: What each folder may import besides itself and the leaves.
TABLE: dict[str, frozenset[str]] = {
    "backends": frozenset(),
    "exchange": frozenset(),
    "recordings": frozenset({"exchange"}),
    "services": frozenset(),
    "bot": frozenset({"backends", "exchange"}),
    "replay": frozenset({"recordings", "exchange"}),
    "results": frozenset(),
    "stats": frozenset(),
    "measure": frozenset({"results"}),
    "run": frozenset(
        {"backends", "exchange", "recordings", "services", "bot", "replay", "results", "stats", "measure"}
    ),
    "history": frozenset({"results", "stats"}),
    "claims": frozenset({"results", "stats"}),
    "report": frozenset({"results", "stats", "claims"}),
    "gate": frozenset({"results", "stats", "claims"}),
    "cli": frozenset(
        {
            *("backends", "exchange", "recordings", "services", "bot", "replay", "results", "stats", "measure"),
            *("run", "history", "claims", "report", "gate"),
        }
    ),
}

#: Libraries that may be absent, and the only folder that loads them.
OPTIONAL_LIBRARIES = {"uvloop": "backends", "orjson": "backends", "redis": "backends", "picows": "backends"}

#: A process of its own, which leaves the shell: it forks, ends with a status, and its only voice is its log.
MAY_EXIT = {"harness.services.keeper"}

MAX_MODULE_LINES = 420
MAX_FUNCTION_LINES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A module as parsed: its dotted name, what it imports, and from which line."""

    name: str
    tree: ast.Module
    lines: int
    is_package: bool = False
    imports: Mapping[str, int] = field(default_factory=dict)
    """Dotted name to the line of its first import; of every import there is."""
    imports_at_run_time: frozenset[str] = frozenset()
    """Without those under `if TYPE_CHECKING`."""

    @property
    def folder(self) -> str:
        """The part of the house it belongs to."""
        return part_of(self.name)


def part_of(name: str) -> str:
    """`bot` for harness.bot.wire, `errors` for harness.errors."""
    return name.partition(".")[2].partition(".")[0]


def parse(name: str, text: str, *, is_package: bool = False) -> Module:
    """A module of that name with that text."""
    tree = ast.parse(text)
    typed = {id(node) for branch in _type_only(tree) for node in ast.walk(branch)}
    found: dict[str, int] = {}
    at_run_time = set()
    for node in ast.walk(tree):
        for target in _targets(node, name, is_package=is_package):
            found.setdefault(target, getattr(node, "lineno", 0))
            if id(node) not in typed:
                at_run_time.add(target)
    return Module(
        name=name,
        tree=tree,
        lines=len(text.splitlines()),
        is_package=is_package,
        imports=found,
        imports_at_run_time=frozenset(at_run_time),
    )


def _type_only(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            yield from node.body


def _targets(node: ast.AST, importer: str, *, is_package: bool) -> Iterator[str]:
    """Dotted names that a statement imports; `from a import b` is told as a.b, module or not."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            above = importer.split(".")[: None if is_package and node.level == 1 else is_package - node.level]
            base = ".".join([*above, *filter(None, [node.module])])
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"import_module", "importlib.import_module"}:
        yield from (str(word.value) for word in node.args[:1] if isinstance(word, ast.Constant))


def read_package() -> dict[str, Module]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        found[name] = parse(name, path.read_text(encoding="utf-8"), is_package=is_package)
    return found


@pytest.fixture(scope="module")
def modules() -> dict[str, Module]:
    return read_package()


def forbidden_imports(modules: Iterable[Module]) -> list[str]:
    """Each import that the table does not allow, in a sentence."""
    return [
        f"{module.name}:{line} imports {target}"
        for module in modules
        for target, line in module.imports.items()
        if target.split(".")[0] == "harness" and part_of(target) and not _is_allowed(module, part_of(target))
    ]


def _is_allowed(module: Module, target: str) -> bool:
    if target in {module.folder, "__version__"}:
        return True
    if module.folder in LEAVES:
        return target in LEAVES[: LEAVES.index(module.folder)]
    return target in _LEAVES or target in TABLE.get(module.folder, ())


def cycles(modules: Mapping[str, Module]) -> list[list[str]]:
    """Groups of modules that import each other at run time, wherever in the module (Tarjan 1972)."""
    graph = {
        name: sorted({_module_of(target, modules) for target in module.imports_at_run_time} - {name, ""})
        for name, module in modules.items()
    }
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in graph[name]:
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            place = stack.index(name)
            group, stack[place:] = stack[place:], []
            if len(group) > 1:
                found.append(sorted(group))

    for name in graph:
        if name not in index:
            visit(name)
    return found


def _module_of(target: str, modules: Mapping[str, Module]) -> str:
    """The module that an imported name is, or lies in; empty for a foreign one."""
    return next((name for name in (target, target.rpartition(".")[0]) if name in modules), "")


def long_functions(module: Module) -> list[str]:
    """Functions longer than allowed, decorators and docstring included."""
    return [
        f"{module.name}.{node.name} has {length} lines"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]


def exits(module: Module) -> list[str]:
    """Places that print or end the process; the guard of a program started with `python -m` may end it."""
    allowed = {
        id(node)
        for guard in module.tree.body
        if isinstance(guard, ast.If) and ast.unparse(guard.test) == "__name__ == '__main__'"
        for node in ast.walk(guard)
    }
    return [
        f"{module.name}:{node.lineno} calls {ast.unparse(node.func)}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"print", "exit", "quit", "sys.exit", "os._exit", "SystemExit"}
        and id(node) not in allowed
    ]


def misplaced_libraries(modules: Iterable[Module]) -> list[str]:
    """Imports of libraries that may be absent, elsewhere than in their folder."""
    return [
        f"{module.name}:{line} imports {target}"
        for module in modules
        for target, line in module.imports.items()
        if module.folder != OPTIONAL_LIBRARIES.get(target.split(".")[0], module.folder)
    ]


def test_every_folder_and_module_of_the_package_stands_in_the_table(modules: dict[str, Module]) -> None:
    parts = {module.folder for module in modules.values()} - {""}
    assert parts <= {*TABLE, *LEAVES}, f"not in the table: {sorted(parts - {*TABLE, *LEAVES})}"
    assert parts >= _LEAVES


def test_each_folder_imports_only_what_the_table_allows(modules: dict[str, Module]) -> None:
    assert forbidden_imports(modules.values()) == []


def test_nobody_imports_the_command_line(modules: dict[str, Module]) -> None:
    importers = [
        name
        for name, module in modules.items()
        if module.folder != "cli" and any(part_of(target) == "cli" for target in module.imports if "harness" in target)
    ]
    assert importers == []


def test_no_modules_import_each_other_in_a_circle(modules: dict[str, Module]) -> None:
    assert cycles(modules) == []


def test_only_the_command_line_prints_or_exits(modules: dict[str, Module]) -> None:
    below = [module for module in modules.values() if module.folder != "cli" and module.name not in MAY_EXIT]
    assert [place for module in below for place in exits(module)] == []
    assert set(modules) >= MAY_EXIT


def test_libraries_that_may_be_absent_are_imported_by_backends_only(modules: dict[str, Module]) -> None:
    assert misplaced_libraries(modules.values()) == []


def test_no_module_is_too_long(modules: dict[str, Module]) -> None:
    long = [f"{module.name} has {module.lines} lines" for module in modules.values() if module.lines > MAX_MODULE_LINES]
    assert long == []


def test_no_function_is_too_long(modules: dict[str, Module]) -> None:
    assert [told for module in modules.values() for told in long_functions(module)] == []


# The rules above say nothing about a checker that sees nothing: each must find a made-up offence.


@pytest.mark.parametrize(
    ("importer", "text"),
    [
        ("harness.bot.wire", "from harness.run.plan import Slot"),
        ("harness.bot.wire", "def late():\n    import harness.replay.server"),
        ("harness.bot.wire", "if TYPE_CHECKING:\n    from harness.measure import probes"),
        ("harness.bot.wire", "from harness import stats"),
        ("harness.bot.wire", "from ..run import plan"),
        ("harness.bot.wire", "importlib.import_module('harness.run.plan')"),
        ("harness.report.render", "from harness.bot import wire"),
        ("harness.stats.paired", "from harness.results import model"),
        ("harness.errors", "from harness.units import seconds"),
        ("harness.redact", "from harness.backends import registry"),
        ("harness.run.plan", "from harness.cli import main"),
        ("harness.run.plan", "from harness.claims import model"),
        ("harness.replay.server", "from harness.backends.codecs import OrjsonCodec"),
        ("harness.gate", "from harness.report import build"),
    ],
)
def test_a_forbidden_import_is_found(importer: str, text: str) -> None:
    assert forbidden_imports([parse(importer, text)])


@pytest.mark.parametrize(
    ("importer", "text"),
    [
        ("harness.bot.wire", "from harness.backends.contracts import Codec"),
        ("harness.bot.wire", "from . import market"),
        ("harness.redact", "import harness.errors"),
        ("harness.run.plan", "from harness.bot.app import Bot"),
        ("harness.cli.main", "from harness import gate, __version__"),
        ("harness.bot.wire", "import json, harnessed.run"),
    ],
)
def test_an_allowed_import_is_none_of_our_business(importer: str, text: str) -> None:
    assert not forbidden_imports([parse(importer, text)])


def test_a_circle_of_imports_is_found_also_inside_functions_but_not_for_types() -> None:
    def circle(last: str) -> list[list[str]]:
        texts = {
            "harness.bot.a": "import harness.bot.b",
            "harness.bot.b": "from harness.bot import c",
            "harness.bot.c": last,
        }
        return cycles({name: parse(name, text) for name, text in texts.items()})

    assert circle("def late():\n    from harness.bot.a import x") == [
        ["harness.bot.a", "harness.bot.b", "harness.bot.c"]
    ]
    assert circle("if TYPE_CHECKING:\n    from harness.bot.a import x") == []


@pytest.mark.parametrize("call", ["print(1)", "sys.exit(2)", "raise SystemExit(2)", "os._exit(1)", "exit()"])
def test_a_print_or_an_exit_is_found(call: str) -> None:
    assert exits(parse("harness.bot.wire", f"def end():\n    {call}"))


def test_the_guard_of_a_program_may_end_it() -> None:
    assert not exits(parse("harness.run.worker", 'if __name__ == "__main__":\n    sys.exit(main())'))


def test_an_optional_library_outside_the_backends_is_found() -> None:
    text = "def late():\n    import redis.asyncio"
    assert misplaced_libraries([parse("harness.services.probe", text)])
    assert not misplaced_libraries([parse("harness.backends.redis_cache", text)])


def test_a_function_of_61_lines_is_found() -> None:
    lines = "\n".join("    x = 1" for _ in range(MAX_FUNCTION_LINES))
    assert long_functions(parse("harness.bot.wire", f"async def long():\n{lines}"))
    assert not long_functions(parse("harness.bot.wire", f"async def long():\n{lines[:-10]}"))


def loaded_by(*names: str) -> set[str]:
    """The modules that are loaded in a fresh interpreter once those were imported."""
    code = f"import sys, {', '.join(names)}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=python_environment(), capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stdout.split())


def test_the_instrument_never_loads_the_backend_that_it_measures() -> None:
    loaded = loaded_by("harness.replay.process", "harness.measure.probes", "harness.measure.environment")
    assert not loaded & {"uvloop", "orjson", "redis", "harness.backends", "harness.bot", "harness.run"}


def test_a_report_and_a_gate_need_no_bot_no_backend_and_no_server() -> None:
    loaded = loaded_by("harness.report.build", "harness.report.render", "harness.gate", "harness.claims.evaluate")
    foreign = {"uvloop", "orjson", "redis", "asyncpg", "websockets"}
    ours = {f"harness.{part}" for part in ("backends", "bot", "exchange", "recordings", "replay", "run", "services")}
    assert not loaded & (foreign | ours)
