"""The documents say what the code says: settings and their defaults, commands, files that are linked to."""

import configparser
import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nnunet_slpt.config import PromptConfig, PUNetConfig, PUNetPretrainConfig, TrainingConfig

REPOSITORY = Path(__file__).parents[1]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
TYPES = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true or false",
    str | None: "text or `null`",
    int | None: "whole number or `null`",
    float | None: "number or `null`",
    tuple[int, ...] | None: "list of axes or `null`",
    tuple[tuple[float, float], ...]: "list of pairs",
}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))


def rows_of_settings() -> list[tuple[str, str, str]]:
    """Key, type and default of each row of the table, without the range after the type's comma."""
    text = (REPOSITORY / "docs/reference/settings.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `(\w+)` \| ([^|,]+)(?:,[^|]*)? \| `(.+?)` \| \S.* \|$", text, re.MULTILINE)


def test_table_of_settings_is_that_of_the_code() -> None:
    defaults = PromptConfig().as_block()
    code = [
        (field.name, TYPES[field.type], defaults[field.name])  # type: ignore[index]
        for field in dataclasses.fields(PromptConfig)
    ]
    assert [(key, kind, json.loads(default)) for key, kind, default in rows_of_settings()] == code


def test_tables_of_punets_settings_are_those_of_the_code() -> None:
    text = (REPOSITORY / "docs/reference/punet.md").read_text(encoding="utf-8")
    defaults = PUNetPretrainConfig().as_block() | PUNetConfig().as_block()
    own = {name: default for name, default in defaults.items() if name not in TrainingConfig().as_block()}
    rows = re.findall(
        r"^\| `(\w+)` \| (?:text|share|number|whole|list|true)[^|]* \| (.*?) ?\| \S", text, re.MULTILINE
    )
    # Where there is no default, the trainer writes what is true.
    assert {key: json.loads(default.strip("`") or "[]") for key, default in rows} == own


def test_the_table_of_trainers_has_their_optimizers() -> None:
    from nnunet_slpt import trainers

    text = (REPOSITORY / "docs/reference/tuning-methods.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(nnUNetTrainer\w+)` \| [^|]+ \| (\w+), ([\d.]+), ([\d.]+)", text, re.MULTILINE)
    found = {name: (optimizer, float(rate), float(decay)) for name, optimizer, rate, decay in rows}
    of_unets = [name for name in trainers.__all__ if "PUNet" not in name]
    recipes = {name: getattr(trainers, name).recipe for name in of_unets}
    assert found == {
        name: (recipe.optimizer, recipe.learning_rate, recipe.weight_decay)
        for name, recipe in recipes.items()
    }


@each_page
def test_blocks_in_the_text_are_accepted(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        content = json.loads(block)
        if isinstance(content, dict):
            PromptConfig.from_plans(content)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


@each_page
def test_our_commands_exist(page: Path) -> None:
    configuration = configparser.ConfigParser(delimiters="=")
    configuration.read(REPOSITORY / "setup.cfg")
    scripts = configuration["options.entry_points"]["console_scripts"]
    known = {line.partition("=")[0].strip() for line in scripts.splitlines() if line}
    # At the start of a command, or after `$(` or a pipe.
    called = re.findall(r"(?:^|\$\(|\| |`)(nnunet_slpt_\w+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(called) <= known


def test_the_tables_are_those_of_the_results() -> None:
    told = subprocess.run(
        [sys.executable, REPOSITORY / "benchmarks/tables.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
