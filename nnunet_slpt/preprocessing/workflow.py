"""From a raw dataset, some of it labelled, to preprocessed data that nnU-Net trains on.

Owns the order of the steps: look, tell, check, and only then change something. Must not import torch.
"""

__all__ = ["preprocess"]

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from nnunet_slpt.datasets import Case, dataset_folder, preprocessed_folder, read_cases, read_dataset_json
from nnunet_slpt.datasets.workers import Workers
from nnunet_slpt.errors import DatasetError, in_lines
from nnunet_slpt.files import check_writable
from nnunet_slpt.lock import exclusive
from nnunet_slpt.preprocessing.agenda import Agenda, agenda_of
from nnunet_slpt.preprocessing.checks import find_problems
from nnunet_slpt.preprocessing.companions import split_notes, write_companions
from nnunet_slpt.preprocessing.dataset_entry import check_entry, write_dataset_entry
from nnunet_slpt.preprocessing.making import Task, make
from nnunet_slpt.preprocessing.recipe import read_recipes
from nnunet_slpt.preprocessing.store import OWN_FOLDER

Say = Callable[[str], object]


def preprocess(
    dataset: str,
    plans: str,
    *,
    configurations: Sequence[str] | None = None,
    processes: int = 4,
    unlabelled: bool = False,
    entry: bool = False,
    dry_run: bool = False,
    verbose: bool = False,
    say: Say = print,
) -> list[Agenda]:
    """Preprocess what is new or changed among the cases, and take out what has lost its label.

    Args:
        dataset: name or number.
        plans: name of the plans file.
        configurations: of the plans; ``None`` takes all.
        processes: at most so many work at the same time.
        unlabelled: the cases without a label too, for pretraining.
        entry: write the labelled cases into the raw dataset.json.
        dry_run: look, tell and check, and change nothing.
        verbose: let nnU-Net's preprocessor print what it does.
        say: told what is going on, a line at a time.

    Returns:
        What was done, one agenda for each folder of preprocessed data.

    Raises:
        SLPTError: something stands in the way. If it is found before the first case is preprocessed,
            nothing has been changed; afterwards each case is whole, and another call goes on.
    """
    if processes < 1:
        raise DatasetError(f"-np is {processes}, expected 1 or more.")
    raw = dataset_folder(dataset)
    home = preprocessed_folder(raw.name)
    dataset_json = read_dataset_json(raw)
    recipes = read_recipes(home, plans, configurations, dataset_json)
    cases = _wanted(raw, unlabelled, entry, say)
    with _workshop(home, dry_run) as place, Workers(processes) as workers:
        agendas = [agenda_of(recipe, cases, home) for recipe in recipes]
        for line in (line for agenda in agendas for line in agenda.lines()):
            say(line)
        _check(agendas, cases, workers, say)
        if dry_run:
            say("Nothing was changed (--dry_run).")
            return agendas
        for agenda in agendas:
            _take_out(agenda)
        if entry:
            backup = home / OWN_FOLDER / "raw_dataset_before.json"
            labelled = [case for case in cases if case.labelled]
            dataset_json = write_dataset_entry(raw, dataset_json, labelled, backup, say)
        anew = {name for agenda in agendas for name in agenda.to_make}
        write_companions(home, place, dataset_json, cases, anew, workers, say)
        for agenda in agendas:
            _make(agenda, cases, place, verbose, workers)
    for note in split_notes(home, cases):
        say(note)
    return agendas


def _wanted(raw: Path, unlabelled: bool, entry: bool, say: Say) -> list[Case]:
    """The labelled cases, or all of them."""
    cases = read_cases(raw, hide_labels=False)
    labelled = [case for case in cases if case.labelled]
    say(f"{raw.name}: {len(cases)} cases, {len(labelled)} of them labelled.")
    if not labelled and (entry or not unlabelled):
        raise DatasetError(
            f"None of the {len(cases)} cases of {raw} has a label, expected files in {raw / 'labelsTr'}. "
            "Annotate some; nnunet_slpt_select chooses them, and needs no preprocessed data. To pretrain on "
            "cases without a label, pass --unlabelled, and no --write_dataset_entry."
        )
    if entry:
        check_entry(raw, cases)
        check_writable(raw)
    return cases if unlabelled else labelled


@contextmanager
def _workshop(home: Path, dry_run: bool) -> Iterator[Path]:
    """A place for what is not finished, under the dataset's lock; none for who changes nothing."""
    place = home / OWN_FOLDER / "unfinished"
    with nullcontext() if dry_run else exclusive(home / OWN_FOLDER):
        if not dry_run:
            shutil.rmtree(place, ignore_errors=True)  # of a run that was killed
            place.mkdir()
        try:
            yield place
        finally:
            if not dry_run:
                shutil.rmtree(place, ignore_errors=True)


def _check(agendas: Sequence[Agenda], cases: Sequence[Case], workers: Workers, say: Say) -> None:
    """Refuse cases that cannot be preprocessed. Cases that stay as they are were checked when they came."""
    asked = [case for case in cases if any(case.name in agenda.to_make for agenda in agendas)]
    if problems := find_problems(asked, agendas[0].recipe, workers, say):
        raise DatasetError(
            f"{len(problems)} case(s) cannot be preprocessed:\n{in_lines(problems)}\n"
            "Correct these files, or move labels out of labelsTr (with --unlabelled images out of "
            "imagesTr) until they are. Nothing was changed."
        )


def _take_out(agenda: Agenda) -> None:
    """Before anything is made, so that training never finds old and new data side by side."""
    for case, record in agenda.kept.items():
        if record != agenda.store.read(case):  # the same content with new times, say after a copy
            agenda.store.write(case, record)
    for case in agenda.to_set_aside:
        agenda.store.set_aside(case)
    for case in agenda.to_make:
        agenda.store.discard(case)


def _make(agenda: Agenda, cases: Sequence[Case], place: Path, verbose: bool, workers: Workers) -> None:
    folder = place / agenda.recipe.folder_name
    folder.mkdir()
    tasks = [
        Task(case, agenda.recipe, folder / case.name, verbose)
        for case in cases
        if case.name in agenda.to_make
    ]
    for task, inputs in workers.each(make, tasks, f"Preprocessing {agenda.recipe.name}"):
        agenda.store.publish(task.case.name, task.place, agenda.recipe.key, inputs)
