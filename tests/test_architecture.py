"""The house rules that a program can check: CONTRIBUTING.md says why they are what they are."""

import ast
import configparser
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "nnunet_slpt"
MAX_LINES_OF_A_FILE = 300
MAX_LINES_OF_A_FUNCTION = 40

# What each part of the package may import from the others. A new part has to be given its place here.
BASE = {"command", "config", "errors", "files", "hidden_labels", "host_conventions", "lock", "versions"}
MIDDLE = {"networks", "losses", "label_outputs", "pretrained", "datasets"}
MAY_IMPORT: dict[str, set[str]] = {
    "__init__": set(),
    "discovery": set(),
    "_nnunet_search_path": {"trainers"},
    "errors": set(),
    "host_conventions": set(),
    "versions": set(),
    "config": {"errors"},
    "tuning_methods": set(),
    "label_outputs": set(),
    "files": {"errors"},
    "lock": {"errors", "files"},
    "hidden_labels": {"files"},
    "command": {"errors"},
    **dict.fromkeys(MIDDLE, BASE),
    "pretrained": BASE | {"label_outputs"},
    "evaluation": BASE,
    **dict.fromkeys(("trainers", "planners", "preprocessing", "selection"), BASE | MIDDLE),
    "doctor": BASE | MIDDLE | {"planners"},
    "simulation": BASE | MIDDLE | {"preprocessing", "selection", "evaluation", "tuning_methods"},
}

# nnU-Net and the packages that it brings and that we use through it.
HOST = {"nnunetv2", "batchgenerators", "batchgeneratorsv2", "dynamic_network_architectures", "acvl_utils"}
MAY_IMPORT_HOST = {"trainers", "planners", "preprocessing", "doctor", "datasets"}
# PUNet's body is built from nnU-Net's convolution blocks, which its own networks are built from.
CONVOLUTIONS = "networks/punet/convolutions.py"
# Of the other parts, these files alone: that one, and those that read datasets and run the network.
FILES_THAT_MAY_IMPORT_HOST = {f"selection/{name}.py" for name in ("maps", "network", "place")} | {
    CONVOLUTIONS
}
# Parts that may import only these, beside the standard library and this package.
ONLY: dict[str, set[str]] = {
    "__init__": set(),
    "discovery": set(),
    "_nnunet_search_path": set(),
    "errors": set(),
    "host_conventions": set(),
    "versions": set(),
    "command": set(),
    "config": set(),
    "tuning_methods": set(),
    "label_outputs": set(),
    "networks": {"torch"},
    "losses": {"torch"},
    "evaluation": {"numpy", "torch", "monai", "scipy", "matplotlib"},
}

MODULES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = ("nnunet_slpt", "tests", "examples", "benchmarks")
FILES = sorted(path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py"))
# What a user may import: the modules at the top, and what a subpackage re-exports.
PUBLIC = [path for path in MODULES if path.parent == PACKAGE or path.name == "__init__.py"]


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def part_of(path: Path) -> str:
    """The part of the package that a module belongs to: its top-level module or subpackage."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> Iterator[str]:
    """Full names of all that a module imports: at its top, in a function, or for type checking."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name_of(path)}:{node.lineno}: relative import; write the full name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length_without_docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    last = function.end_lineno
    assert last is not None
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return last - function.lineno + 1 - docstring


def exported(path: Path) -> list[str] | None:
    """The names in a module's ``__all__``, or ``None`` if it has none."""
    for node in parse(path).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return None


each_module = pytest.mark.parametrize("path", MODULES, ids=name_of)
each_file = pytest.mark.parametrize("path", FILES, ids=name_of)
each_public_module = pytest.mark.parametrize("path", PUBLIC, ids=name_of)


@each_module
def test_imports_go_one_way(path: Path) -> None:
    part = part_of(path)
    assert part in MAY_IMPORT, f"{part} is new: give it a place in MAY_IMPORT"
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("nnunet_slpt.")}
    not_allowed = ours - {part, "__version__"} - MAY_IMPORT[part]
    assert not not_allowed, f"{part} may import {sorted(MAY_IMPORT[part]) or 'nothing'} of ours"


@each_module
def test_only_the_adapters_know_nnunet(path: Path) -> None:
    host = {name for name in imports(path) if name.partition(".")[0] in HOST}
    by_file = path.relative_to(PACKAGE).as_posix() in FILES_THAT_MAY_IMPORT_HOST
    assert not host or by_file or part_of(path) in MAY_IMPORT_HOST


@pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) in ONLY], ids=name_of)
def test_inner_parts_need_little(path: Path) -> None:
    tops = {name.partition(".")[0] for name in imports(path)}
    third_party = tops - sys.stdlib_module_names - {"nnunet_slpt"}
    blocks = {"dynamic_network_architectures"} if path == PACKAGE / CONVOLUTIONS else set()
    assert third_party <= ONLY[part_of(path)] | blocks


def test_the_folder_that_nnunet_scans_holds_a_re_export_and_nothing_else() -> None:
    (path,) = (PACKAGE / "_nnunet_search_path").glob("*.py")
    docstring, *statements = parse(path).body
    assert isinstance(docstring, ast.Expr)
    assert [type(node) for node in statements] == [ast.ImportFrom, ast.Assign]


@each_file
def test_module_has_a_docstring(path: Path) -> None:
    assert ast.get_docstring(parse(path))


@each_file
def test_file_is_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES_OF_A_FILE


@each_file
def test_functions_are_short(path: Path) -> None:
    lengths = {function.name: length_without_docstring(function) for function in functions(path)}
    assert not {name: lines for name, lines in lengths.items() if lines > MAX_LINES_OF_A_FUNCTION}


@each_file
def test_file_is_named_after_a_concept(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "misc", "common"}


@each_module
def test_input_is_not_checked_by_assert(path: Path) -> None:
    assert not [node.lineno for node in ast.walk(parse(path)) if isinstance(node, ast.Assert)]


@each_module
def test_errors_have_a_kind(path: Path) -> None:
    raised = (node.exc for node in ast.walk(parse(path)) if isinstance(node, ast.Raise) and node.exc)
    kinds = {ast.unparse(error.func if isinstance(error, ast.Call) else error) for error in raised}
    assert not kinds & {"Exception", "RuntimeError"}, "raise one of nnunet_slpt.errors"


@each_module
def test_module_says_what_it_exports(path: Path) -> None:
    names = exported(path)
    assert names is not None, "no __all__"
    assert not [name for name in names if name.startswith("_") and name != "__version__"]


@each_public_module
def test_public_names_are_in_the_reference(path: Path) -> None:
    pages = [page.read_text(encoding="utf-8") for page in (REPOSITORY / "docs/reference").glob("*.md")]
    documented = set(re.findall(r"`(?:\w+\.)*(\w+)", "\n".join(pages)))
    assert not set(exported(path) or []) - documented, "add them to docs/reference/api.md"


@pytest.mark.parametrize("path", sorted((REPOSITORY / "tests/unit").rglob("test_*.py")), ids=name_of)
def test_unit_test_mirrors_a_module(path: Path) -> None:
    # tests/unit/a/test_b.py tests a/b.py, or it is one of several files about a.py.
    folder = PACKAGE / path.relative_to(REPOSITORY / "tests/unit").parent
    module = folder / f"{path.stem.removeprefix('test_')}.py"
    assert module.is_file() or (folder != PACKAGE and folder.with_suffix(".py").is_file())


def test_entry_points_lead_somewhere() -> None:
    configuration = configparser.ConfigParser(delimiters="=")
    configuration.read(REPOSITORY / "setup.cfg")
    groups = configuration["options.entry_points"].values()
    targets = [line.partition("=")[2].strip() for group in groups for line in group.split("\n") if line]
    assert len(targets) >= 3
    for target in targets:
        module, _, function = target.partition(":")
        path = REPOSITORY / f"{module.replace('.', '/')}.py"
        assert function in {node.name for node in functions(path)}, target


def test_no_setup_py_that_nnunet_would_run() -> None:
    assert not (REPOSITORY / "setup.py").exists()
