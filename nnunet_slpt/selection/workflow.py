"""From a request to a round: *dataset → cases → features or uncertainty → strategy → round → split file*.

Owns the order of steps: what can be refused is refused before the network runs, and nothing is written before
all is decided, but for what the network has seen.
"""

__all__ = ["select", "status"]

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from nnunet_slpt.errors import SelectionError, SLPTError
from nnunet_slpt.selection.budget import parse_budget
from nnunet_slpt.selection.desk import Desk
from nnunet_slpt.selection.handover.prelabel import check_prelabel, write_prelabels
from nnunet_slpt.selection.image_keys import usable_images
from nnunet_slpt.selection.pool import Pool, divide
from nnunet_slpt.selection.request import Request
from nnunet_slpt.selection.rounds import Round, ScoredCase
from nnunet_slpt.selection.sight import Sight
from nnunet_slpt.selection.splits import Fold, make_split, read_names
from nnunet_slpt.selection.status import Status, status_of
from nnunet_slpt.selection.strategies import (
    Candidates,
    Choice,
    Strategy,
    check_candidates,
    make_strategy,
    resolve,
)
from nnunet_slpt.selection.worklist import worklist_text
from nnunet_slpt.versions import versions_of

Say = Callable[[str], None]


def select(request: Request, say: Say = print) -> Round | None:
    """Choose the next cases and write the split file.

    Args:
        request: what is wanted.
        say: told what is going on, a line at a time.

    Returns:
        The round; ``None`` if this call only did its part of the network's work.

    Raises:
        SLPTError: something stands in the way; nothing has been written, or it says so.
    """
    if request.budget is None:
        raise SelectionError(
            "The request has no budget, expected a number of cases or a percentage, such as 10 or 5%. To "
            "pre-label the cases of the last round, call prelabel of nnunet_slpt.selection.handover.prelabel."
        )
    desk = Desk.of(request.dataset, request.hide_labels, request.skip_unreadable)
    if request.parts > 1:
        _share_work(request, desk, say)
        return None
    with desk.store.exclusive():
        pool, budget, strategy, sight, image_keys = _decide(request, desk, say)
        candidates = sight.candidates(strategy, pool, len(desk.rounds), image_keys)
        check_candidates(strategy, candidates, budget)
        number = candidates.round_number
        choice = strategy.choose(candidates, budget, np.random.default_rng([request.seed, number]))
        made = _round(request, desk, pool, strategy, candidates, choice, sight)
        folds = _folds(request, pool, made)
        if request.dry_run:
            say("Nothing was written (--dry_run).")
            return made
        made = desk.store.commit(made, folds, worklist_text(made, desk.cases))
        say(f"Wrote {desk.store.split_file} and {desk.store.worklist_file}.")
        _hand_out(request, desk, sight, made, say)
        return made


def status(dataset: str) -> Status:
    """Where a dataset stands; changes nothing.

    Args:
        dataset: name or number.

    Raises:
        SLPTError: the dataset or its rounds cannot be read.
    """
    desk = Desk.as_left(dataset)
    return status_of(desk.rounds, desk.labelled, desk.cases, desk.folds)


def _hand_out(request: Request, desk: Desk, sight: Sight, made: Round, say: Say) -> None:
    """What is wanted beside the worklist. The round stands, whatever becomes of it."""
    try:
        if request.save_maps:
            folder = desk.store.beside(made.number, "maps")
            sight.save_maps(made.chosen, folder)
            say(f"Wrote the maps to {folder}.")
        if request.prelabel:
            write_prelabels(sight, desk.store, made.number, made.chosen, say)
    except SLPTError as error:
        raise SelectionError(
            f"Round {made.number} is made, but not all that was to lie beside it: {error} For the pre-labels "
            "call again with --prelabel and without -n; or take the round back with --undo."
        ) from error


def _decide(request: Request, desk: Desk, say: Say) -> tuple[Pool, int, Strategy, Sight, dict[str, str]]:
    """Everything that can be said before the network looks at a case."""
    desk.check_mode()
    earlier = [name for one in desk.rounds for name in one.chosen]
    known = {*desk.cases, *earlier, *(name for one in desk.rounds for name in one.excluded)}
    divided = partial(
        divide,
        list(desk.cases.values()),
        earlier_choices=earlier,
        validation=desk.validation(request.validation_file),
        excluded=frozenset(read_names(request.exclude_file, known) if request.exclude_file else ()),
        hide_labels=request.hide_labels,
        partial=request.partial,
    )
    pool = divided(skipped=frozenset())
    say(f"{desk.raw.name}: {pool.counts()}.")
    unlabelled = [name for name in pool.validation if not (desk.hide_labels or desk.cases[name].labelled)]
    if unlabelled:
        say(f"{len(unlabelled)} validation cases have no label yet; training needs it: {unlabelled[0]} …")
    strategy = make_strategy(resolve(request.strategy, bool(pool.labelled)), request.parameters)
    _budget(request, pool, earlier)
    sight = Sight(request, desk.cases, desk.dataset_json, desk.store.folder)
    sight.check(strategy)
    if request.prelabel:
        check_prelabel(sight)
    if sight.uses_model(strategy):
        predicts = "predictions" in strategy.needs or request.prelabel or request.save_maps
        _tell_of_model(sight, desk, pool, predicts, say)
    needed = [desk.cases[name] for name in sorted({*pool.candidates, *pool.covered})]
    share = needed[request.part :: request.parts]
    image_keys, skipped = usable_images(share, desk.dataset_json, desk.store.folder, request)
    if skipped:
        say(f"Left out, because their images cannot be used: {', '.join(sorted(skipped))}.")
        pool = divided(skipped=skipped)
    return pool, _budget(request, pool, earlier), strategy, sight, image_keys


def _tell_of_model(sight: Sight, desk: Desk, pool: Pool, predicts: bool, say: Say) -> None:
    """Which folds look; with a warning if some that predict do not know the labels of the last round."""
    say(sight.in_words())
    last = desk.rounds[-1] if desk.rounds else None
    if last is None or not predicts or {*pool.labelled} <= {*last.labelled_before}:
        return
    old = sight.folds_before(last, desk.store.made_at(last.number))
    if old:
        say(
            f"Warning: from before round {last.number}, so without the labels that came in since: "
            f"{', '.join(old)}. Train again, or name the folds to look with (-f)."
        )


def _budget(request: Request, pool: Pool, earlier: Sequence[str]) -> int:
    """A percentage is of all that were ever in the pool, so that it means the same in every round."""
    ever = {*pool.candidates, *earlier}
    budget = parse_budget(str(request.budget), len(ever), left=len(pool.candidates))
    # Whichever are chosen, so many are there to train on: too few are refused now.
    make_split([*pool.labelled, *pool.candidates[:budget]], pool.validation, request.seed)
    return budget


def _share_work(request: Request, desk: Desk, say: Say) -> None:
    """Let the network see every ``parts``-th case; whoever calls without parts finds all of it done."""
    pool, _, strategy, sight, image_keys = _decide(request, desk, say)
    seen = sight.see(strategy, pool, image_keys)
    say(f"Part {request.part} of {request.parts}: {seen} cases seen. When all are done, call without parts.")


def _scored(candidates: Candidates, choice: Choice) -> tuple[ScoredCase, ...]:
    """All candidates: the chosen ones as the strategy ordered them, then the others by value."""
    reasons = dict(zip(choice.chosen, choice.reasons, strict=True))
    others = np.argsort(-choice.values, kind="stable").tolist()
    order = [*choice.chosen, *(row for row in others if row not in reasons)]
    return tuple(
        ScoredCase(
            name=candidates.names[row],
            rank=rank,
            chosen=row in reasons,
            value=float(choice.values[row]),
            scores={measure: float(values[row]) for measure, values in candidates.scores.items()},
            reason=reasons.get(row, ""),
        )
        for rank, row in enumerate(order, start=1)
    )


def _round(
    request: Request,
    desk: Desk,
    pool: Pool,
    strategy: Strategy,
    candidates: Candidates,
    choice: Choice,
    sight: Sight,
) -> Round:
    return Round(
        number=candidates.round_number,
        mode=desk.mode,
        seed=request.seed,
        strategy=strategy.name,
        parameters=strategy.parameters(),
        budget_cases=len(choice.chosen),
        versions=versions_of("nnunetv2", "torch", "numpy", "scikit-learn"),
        model=sight.about("predictions" in strategy.needs) if sight.uses_model(strategy) else None,
        settings={
            "asked_for": request.strategy,
            "aggregation": request.aggregation,
            "stages": request.stages,
        },
        validation=pool.validation,
        excluded=tuple({*pool.excluded, *pool.skipped}),
        labelled_before=pool.labelled,
        cases=_scored(candidates, choice),
    )


def _folds(request: Request, pool: Pool, made: Round) -> list[Fold]:
    # Cases of earlier rounds that still wait for a label (--partial) join once they have one.
    return make_split({*pool.labelled, *made.chosen}, pool.validation, request.seed)
