"""Tests the imports: media and signalling import neither each other nor pages, and pure modules do no I/O.

Tests also that files import each other in no circle, that each source file has a test, and
that no file is too long. The tests read the sources, and run none of them.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.mirror import BESIDES, ROOMS, mirrored, own_tests

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("media", "signalling", "web")
MAY_NOT: dict[str, frozenset[str]] = {
    "media": frozenset({"signalling", "web", "redis", "aiohttp"}),
    "signalling": frozenset({"media", "web"}),
    "web": frozenset(),
}
IMPURE = frozenset(
    "aiohttp asyncio redis socket selectors ssl subprocess threading time random secrets uuid os pathlib "
    "tempfile structlog logging".split()
)
PURE = (
    "signalling/errors signalling/visit/* signalling/protocol/* signalling/store/keys signalling/rooms/ports "
    "signalling/rooms/placement signalling/rooms/worker_messages signalling/topics/rights "
    "media/errors media/events media/protocols/* media/forwarding/picture_pause "
    "media/forwarding/streams media/forwarding/layers media/forwarding/active_speaker media/forwarding/quality "
    "media/forwarding/rtcp_translation "
    "web/channels/rules web/errors web/peers/network/network web/peers/network/offers web/peers/people/frames "
    "web/requests/unicode"
).split()
"""The folders and modules that must do no I/O."""
PURE_FILES = sorted(
    path.relative_to(ROOT)
    for pattern in PURE
    for path in (ROOT / pattern).parent.glob(Path(pattern).name + ".py")
    if path.name != "__init__.py"
)


FLOORS: dict[str, tuple[str, ...]] = {
    "media": (
        "errors events",
        "protocols",
        "transport",
        "forwarding",
        "address_checks probes party room pictures relay",
        "peers",
    ),
    "signalling": (
        "errors visit supervision repeated counts ticks",
        "protocol clients",
        "store",
        "service hub",
        "rooms",
        "sweep topics tracing",
        "sockets",
        "worker",
    ),
    "web": (
        "config errors keys languages",
        "server requests reports metrics",
        "organisations",
        "identity jobs",
        "audit intake mail programs",
        "appointments api channels emergency retention websocket",
        "pages peers doctor backups patients",
        "app",
        "commands",
    ),
}
"""Package -> its floors (levels), the lowest first. Each names the rooms (folders and modules) on it.

A room may import from rooms of its own floor and of lower floors.
"""


@cache
def imports(path: Path, *, of_types: bool = True) -> tuple[tuple[int, str], ...]:
    """Return (line, dotted name) for every import in a file, also inside functions. Each file is read once.

    `of_types`: True to include the imports that are only for the type checker.
    """
    tree = ast.parse(path.read_text("utf-8"))
    only_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if id(node) in only_types and not of_types:
            continue
        if isinstance(node, ast.Import):
            found += ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            found += ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
    return tuple(found)


def sources(package: str) -> list[Path]:
    """Return the Python files of a package."""
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_run_in_the_allowed_direction(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sources(package)
        for line, name in imports(path)
        if name.split(".")[0] in MAY_NOT[package]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", PURE_FILES, ids=str)
def test_what_is_pure_does_no_io_and_reads_no_clock(path: Path) -> None:
    found = [f"{path}:{line} {what}" for line, what in imports(ROOT / path) if what.split(".")[0] in IMPURE]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", PURE_FILES, ids=str)
def test_what_is_pure_imports_only_what_is_pure(path: Path) -> None:
    pure = {".".join(path.with_suffix("").parts) for path in PURE_FILES}
    found = [
        f"{path}:{line} {what}"
        for line, what in imports(ROOT / path, of_types=False)
        if what.split(".")[0] in PACKAGES and not {what, what.rpartition(".")[0]} & pure
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("package", FLOORS)
def test_no_room_imports_from_a_floor_above_it(package: str) -> None:
    floor = {room: at for at, rooms in enumerate(FLOORS[package]) for room in rooms.split()}
    wrong = []
    for path in sources(package):
        own = path.relative_to(ROOT / package).with_suffix("").parts[0]
        for line, name in imports(path, of_types=False):
            parts = name.split(".")
            if own != "__init__" and parts[0] == package and len(parts) > 1 and floor[parts[1]] > floor[own]:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


LOOSE = 6


def test_at_most_six_modules_of_web_are_in_no_room() -> None:
    loose = sorted(path.stem for path in (ROOT / "web").glob("*.py") if path.name != "__init__.py")
    assert len(loose) <= LOOSE, f"a folder of web/ is to have one of {loose}"


def test_no_two_classes_of_signalling_have_one_name() -> None:
    names = Counter(
        node.name
        for path in sources("signalling")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_no_files_import_each_other_in_a_circle() -> None:
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in sources(package)
    }
    left = {
        own: {name if name in files else name.rpartition(".")[0] for _, name in imports(path, of_types=False)}
        & (files.keys() - {own})
        for own, path in files.items()
    }
    while bottom := {own for own, needed in left.items() if not needed & left.keys()}:
        left = {own: needed for own, needed in left.items() if own not in bottom}
    assert not left, "\n".join(
        f"{own} imports {sorted(needed & left.keys())}" for own, needed in left.items()
    )


def test_every_source_file_has_a_test_at_the_mirrored_path_or_a_line_in_the_list() -> None:
    files = [path.relative_to(ROOT) for package in PACKAGES for path in sources(package)]
    files = [path for path in files if path.name != "__init__.py"]
    without = [str(path) for path in files if not own_tests(path)]
    assert not without, f"no tests/…/test_….py, no line in tests/mirror.py: {without}"
    gone = sorted(BESIDES.keys() - {str(path.with_suffix("")) for path in files})
    assert not gone, f"lines in tests/mirror.py of files that do not exist: {gone}"
    needless = sorted(ROOMS.keys() - {str(path.parent) for path in files if not mirrored(path)})
    assert not needless, f"rooms in tests/mirror.py whose files all have tests: {needless}"
    missing = {str(test) for path in files for test in own_tests(path) if not (ROOT / test).exists()}
    assert not missing, f"tests named in tests/mirror.py that do not exist: {missing}"


def test_tests_are_no_part_of_the_product() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for package in PACKAGES
        for path in sources(package)
        for line, name in imports(path)
        if name.split(".")[0] in {"tests", "pytest", "hypothesis"}
    ]
    assert not wrong, "\n".join(wrong)


def test_only_the_examples_import_the_public_names() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for package in PACKAGES
        for path in sources(package)
        for line, name in imports(path)
        if name.split(".")[0] == "greenroom" and path.parent.name != "examples"
    ]
    assert not wrong, "\n".join(wrong)


LINES = 400
SOURCES = frozenset(".py .js .ts .css .html .jinja .lua .sh".split())
LONGER = frozenset({"web/static/protocol.d.ts"})
"""Files that may be longer than the limit, because `make protocol` makes them from the message types."""


def test_no_file_is_longer_than_400_lines() -> None:
    outside = {"vendor", "node_modules", "joined"}
    files = [
        path
        for folder in (*PACKAGES, "greenroom", "tests")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in SOURCES and not outside & {*path.parts}
    ]
    assert len(files) > 500
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in files}
    longer = {name for name, lines in lengths.items() if lines > LINES}
    assert longer == LONGER, "\n".join(f"{name}: {lengths[name]}" for name in sorted(longer ^ LONGER))


LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
EVENT = re.compile(r"[a-z_]+(\.[a-z_0-9]+)+")


def log_events(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, event) for each call of a method of a module's `log` or `logger`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="log" | "logger"), attr=level),
                args=[ast.Constant(value=str(event)), *_],
            ) if level in LEVELS:
                yield node.lineno, event


def test_log_events_of_media_are_named_by_area_and_event() -> None:
    events = [(path, *found) for path in sources("media") for found in log_events(path)]
    assert events
    wrong = [
        f"{path.relative_to(ROOT)}:{line} {event}"
        for path, line, event in events
        if not EVENT.fullmatch(event)
    ]
    assert not wrong, "\n".join(wrong)
