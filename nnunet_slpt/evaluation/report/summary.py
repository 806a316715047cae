"""The one page: what was found, in sentences; the table; the figures; what was compared, and what is missing.

Must not import nnU-Net, trainers, planners or selection.
"""

__all__ = ["summary"]

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from nnunet_slpt.errors import some
from nnunet_slpt.evaluation.cells import Folder
from nnunet_slpt.evaluation.experiment import Experiment
from nnunet_slpt.evaluation.means import Spread, mean, rank_correlation
from nnunet_slpt.evaluation.pairs import FEWEST_TO_TEST, Comparison
from nnunet_slpt.evaluation.report.tables import missing_in_words, wide_table
from nnunet_slpt.evaluation.report.words import NOTHING, amount, number, p_value, panel_title, points, way

CAPTIONS = {
    "dice": "Mean Dice on the test cases against labelled cases",
    "classes": "Each class, with few and with many labels",
    "methods": "Methods against the reference method, seed by seed",
    "strategies": "Strategies against the reference strategy, seed by seed",
}
AT_MOST_VERDICTS, AT_MOST_WAYS = 3, 5
AT_MOST_MISSING = 10


def summary(experiment: Experiment, folder: Folder, figures: Sequence[str]) -> str:
    """The page, in Markdown.

    Args:
        experiment: to report on.
        folder: that it was read from.
        figures: which there are, without their ending.
    """
    sections = [
        f"# {experiment.cells[0].dataset}: what labels buy",
        "\n".join(f"- {sentence}" for sentence in _findings(experiment)),
        "Dice says how well a prediction covers what was drawn: 0 not at all, 1 exactly. A point is a "
        "hundredth of it. The numbers are means over test cases and classes, ± the standard deviation over "
        "seeds; a seed is one choice of labelled cases and one start of the training.",
        "## Dice by number of labelled cases",
        wide_table(experiment),
        *(f"![{CAPTIONS[name]}]({name}.png)" for name in figures),
        "## What was compared",
        "\n".join(f"- {sentence}" for sentence in _compared(experiment)),
        "## What is missing",
        *_missing(experiment, folder),
        "All tables are in [table.md](table.md), all cells in [table.csv](table.csv).",
    ]
    return "\n\n".join(sections) + "\n"


def _findings(experiment: Experiment) -> Iterator[str]:
    yield from _levels(experiment)
    method, strategy = experiment.reference
    yield from _verdicts(
        f"Against {method}",
        {
            panel_title(name, True): {
                one.method: many
                for one, many in experiment.method_comparisons.items()
                if one.strategy == name
            }
            for name in experiment.strategies
        },
    )
    yield from _verdicts(
        f"Against {strategy}",
        {
            panel_title(name, False): {
                one.strategy: many
                for one, many in experiment.strategy_comparisons.items()
                if one.method == name
            }
            for name in experiment.methods
        },
    )
    yield from _calibration(experiment)
    yield _costs(experiment)


def _levels(experiment: Experiment) -> Iterator[str]:
    """The best with the fewest labels, the reference beside it, and what share of the most labels that is.

    A way with fewer seeds than others have may have had the lucky ones: it is not called the best.
    """
    fewest, most = experiment.budgets[0], experiment.budgets[-1]
    there = [(experiment.spread(one, fewest), one) for one in experiment.ways]
    there = [(level, one) for level, one in there if level.mean is not None] or there
    best, one = max(there, key=lambda pair: (pair[0].n, pair[0].mean or 0))
    if best.mean is None:
        yield f"No Dice is defined with {fewest} labelled cases."
        return
    usual = experiment.spread(experiment.reference, fewest)
    beside = f"; the reference, {way(experiment.reference)}, has {_level(usual)}" if usual.mean else ""
    if one == experiment.reference:
        beside = ", the reference itself"
    among = f" of those with {_count(best.n, 'seed')}" if any(level.n < best.n for level, _ in there) else ""
    yield f"With {fewest} labelled cases the best{among} is {way(one)}: Dice {_level(best)}{beside}."
    full = experiment.spread(experiment.reference, most).mean
    if full and most > fewest:
        said = f"That is {best.mean / full:.0%} of the {number(full)} that the reference reaches with {most}"
        if usual.mean and one != experiment.reference:
            said += f"; the reference with {fewest} reaches {usual.mean / full:.0%}"
        yield f"{said}."
    higher, other = max(there, key=lambda pair: pair[0].mean or 0)
    if (higher.mean or 0) > best.mean:
        yield f"Higher, but with fewer seeds: {way(other)}, {_level(higher)}."


def _level(one: Spread) -> str:
    sd = f" ± {number(one.sd)}" if one.sd is not None else ""
    return f"{number(one.mean)}{sd} ({_count(one.n, 'seed')})"


def _verdicts(against: str, panels: Mapping[str, Mapping[str, list[Comparison]]]) -> Iterator[str]:
    """A sentence for each panel and its budgets: all that was compared there, the best first."""
    there = [
        (panel, budgets, overall)
        for panel, compared in panels.items()
        for budgets, overall in _by_budgets(compared).items()
    ]
    for panel, budgets, overall in there[:AT_MOST_VERDICTS]:
        best_first = sorted(overall.items(), key=lambda item: -item[1].seeds.mean)
        told = [_verdict(name, one) for name, one in best_first[:AT_MOST_WAYS]]
        if len(best_first) > AT_MOST_WAYS:
            told.append(f"{len(best_first) - AT_MOST_WAYS} more are behind these, in table.md")
        mean_of = "mean over " if len(budgets) > 1 else "with "
        labels = f"{mean_of}{', '.join(map(str, budgets))} labelled cases"
        yield f"{against}, {panel}, {labels}: {'; '.join(told)}."
    if len(there) > AT_MOST_VERDICTS:
        yield f"{against}: {len(there) - AT_MOST_VERDICTS} more such comparisons are in table.md."


def _by_budgets(compared: Mapping[str, list[Comparison]]) -> dict[tuple[int, ...], dict[str, Comparison]]:
    """Budgets → what was compared at these, the most budgets first.

    A difference shrinks with the number of labels: only those at the same numbers can be ranked. Of each
    the comparison of the most seeds, of equals that over all budgets, else with the fewest labels.
    """
    groups: dict[tuple[int, ...], dict[str, Comparison]] = defaultdict(dict)
    for name, many in compared.items():
        best = max(many, key=lambda one: (one.seeds.n, one.budget is None))
        of = many if best.budget is None else [best]
        groups[tuple(one.budget for one in of if one.budget is not None)][name] = best
    return dict(sorted(groups.items(), key=lambda item: (-len(item[0]), item[0])))


def _verdict(name: str, one: Comparison) -> str:
    seeds, cases = one.seeds, one.cases
    return (
        f"{name} {points(seeds.mean)} points (ahead in {seeds.win_rate * seeds.n:g} of "
        f"{_count(seeds.n, 'seed')} and {cases.win_rate:.0%} of {_count(cases.n, 'test case')}{_tests(one)})"
    )


def _tests(one: Comparison) -> str:
    said = [
        f"p {'' if text.startswith('<') else '= '}{text} over {what}"
        for what, text in (("seeds", p_value(one.seeds.p)), ("test cases", p_value(one.cases.p)))
        if text != NOTHING
    ]
    return "; " + ", ".join(said) if said else ""


def _calibration(experiment: Experiment) -> Iterator[str]:
    found = {
        one: Spread.of(rank_correlation(cell)[0] for cell in experiment.select(one))
        for one in experiment.ways
    }
    told = [f"{way(one)} {_of_cells(each)}" for one, each in found.items() if each.n]
    if told:
        yield (
            "Does uncertainty tell which predictions are wrong? Rank correlation with the error on the pool "
            f"(1: it does, 0: it does not): {some(told)}."
        )


def _of_cells(one: Spread) -> str:
    sd = f" ± {number(one.sd, 2)}" if one.sd is not None else ""
    return f"{number(one.mean, 2)}{sd} over {_count(one.n, 'cell')}"


def _costs(experiment: Experiment) -> str:
    told = [_cost(experiment, name) for name in experiment.methods[:AT_MOST_WAYS]]
    if len(experiment.methods) > AT_MOST_WAYS:
        told.append("the others are in table.md")
    return f"Costs, mean over cells: {'; '.join(told)}."


def _cost(experiment: Experiment, method: str) -> str:
    costs = [cell.costs for cell in experiment.cells if cell.method == method]
    tuned, whole, seconds = (
        mean(one[name] for one in costs) for name in ("tuned_parameters", "parameters", "train_seconds")
    )
    share = f" tunes {100 * tuned / whole:.3g}% of its parameters" if tuned is not None and whole else ""
    time = f" trains for {amount(seconds)} s" if seconds is not None else ""
    return f"{method}{' and'.join(filter(None, (share, time))) or ': not measured'}"


def _compared(experiment: Experiment) -> Iterator[str]:
    cells = experiment.cells
    yield f"Methods: {', '.join(experiment.methods)}. Strategies: {', '.join(experiment.strategies)}."
    yield (
        f"Labelled cases: {', '.join(map(str, experiment.budgets))}. "
        f"Seeds: {', '.join(map(str, experiment.seeds))}."
    )
    yield f"{_count(len(cells), 'training')}, tested on {_range({len(cell.test) for cell in cells})} cases."
    if len(experiment.seeds) < FEWEST_TO_TEST:
        yield (
            f"With fewer than {FEWEST_TO_TEST} seeds no test over seeds can be significant, so there is no p "
            "value for them. One over test cases says whether a difference holds for other patients, not "
            "whether it holds for other labelled cases. It counts each case as a patient of its own."
        )
    for name in ("versions", "machine"):
        counted = Counter(_plain(cell.shown[name]) for cell in cells)
        told = (f"{text} ({_count(count, 'training')})" for text, count in sorted(counted.items()))
        yield f"{name.capitalize()}: {'; '.join(told)}."


def _plain(shown: str | Mapping[str, object]) -> str:
    if isinstance(shown, str):
        return shown
    return ", ".join(f"{key} {value}" for key, value in sorted(shown.items()))


def _range(numbers: Collection[int]) -> str:
    lowest, highest = min(numbers), max(numbers)
    return str(lowest) if lowest == highest else f"{lowest} to {highest}"


def _missing(experiment: Experiment, folder: Folder) -> list[str]:
    """All of it where it is little; else the beginning."""
    lines = [line for text in missing_in_words(experiment, folder) for line in text.split("\n")]
    if len(lines) <= AT_MOST_MISSING:
        return missing_in_words(experiment, folder)
    gaps = sum(len(seeds) for _, _, seeds in experiment.missing())
    return [
        f"{_count(gaps, 'training')} that others have, {_count(len(experiment.never_run), 'pair')} of method "
        f"and strategy, and {_count(len(folder.left_out), 'file')} without a finished cell: they are named "
        "at the end of table.md."
    ]


def _count(number_of: int, what: str) -> str:
    return f"{number_of} {what}{'' if number_of == 1 else 's'}"
