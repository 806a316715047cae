"""The report on plans for pretraining: what was chosen, what it takes, and the next commands.

Must not write a file.
"""

__all__ = ["as_json", "as_text"]

from dataclasses import asdict
from typing import Any

from nnunet_slpt.config import PLANS_KEY
from nnunet_slpt.planners.comparison import in_words
from nnunet_slpt.planners.punet.draft import PretrainingDraft
from nnunet_slpt.versions import versions_of


def as_json(draft: PretrainingDraft) -> dict[str, Any]:
    """Everything of the report, in JSON's types.

    Args:
        draft: the plans.
    """
    return {
        "dataset": draft.target.name,
        "plans_file": str(draft.plans_file),
        "configurations": {name: _chosen(draft, name) for name in draft.configurations},
        "gigabytes": {name: round(draft.gigabytes(name), 2) for name in draft.configurations},
        "findings": [asdict(finding) for finding in draft.findings],
        "next": _next_commands(draft),
        "versions": versions_of("nnunetv2", "torch"),
    }


def as_text(draft: PretrainingDraft) -> str:
    """The same for people.

    Args:
        draft: the plans.
    """
    epochs = draft.plans[PLANS_KEY]["epochs"]
    lines = [
        f"{draft.target.name}, plans {draft.request.plans_name}, to pretrain a PUNet from scratch, "
        f"{epochs} epoch{'s' if epochs != 1 else ''}"
    ]
    for name in draft.configurations:
        chosen = _chosen(draft, name)
        width = max(map(len, chosen))
        lines += ["", f"{name}:", *(f"  {subject:{width}}  {value}" for subject, value in chosen.items())]
    lines += ["", "What you should know:", *(f"  {finding}" for finding in draft.findings)]
    return "\n".join([*lines, "", "Next:", *(f"  {command}" for command in _next_commands(draft))])


def _chosen(draft: PretrainingDraft, configuration: str) -> dict[str, str]:
    """Subject → what the plans have."""
    settings = draft.configurations[configuration]
    network = settings["architecture"]["arch_kwargs"]
    features = " ".join(map(str, network["features_per_stage"]))
    return {
        "network": f"PUNet, features {features}, {network['tokens']} tokens a class",
        "patch": in_words(settings["patch_size"]),
        "batch": str(settings["batch_size"]),
        "spacing": f"{in_words(settings['spacing'])} mm",
        "normalisation": ", ".join(settings["normalization_schemes"]),
        "GPU memory": f"about {draft.gigabytes(configuration):.1f} GB",
    }


def _next_commands(draft: PretrainingDraft) -> list[str]:
    """What to type now."""
    dataset, plans = draft.target.name, draft.request.plans_name
    configuration = next(iter(draft.configurations))
    some_lack_labels = draft.target.labelled < len(draft.target.cases)
    return [
        f"nnunet_slpt_preprocess -d {dataset} -p {plans} -c {configuration}"
        f"{' --unlabelled' if some_lack_labels else ''}",
        f"nnUNetv2_train {dataset} {configuration} all -tr nnUNetTrainerPUNetPretrain -p {plans}",
    ]
