"""The report on plans: what was carried over from the model, what was not, and the next commands.

Must not write a file.
"""

__all__ = ["as_json", "as_text"]

from dataclasses import asdict
from typing import Any

from nnunet_slpt.config import PLANS_KEY
from nnunet_slpt.host_conventions import FEWEST_CASES, SPLIT_FILE
from nnunet_slpt.networks.punet.tokens import TOKENS
from nnunet_slpt.planners.comparison import in_words, next_choice
from nnunet_slpt.planners.draft import Draft
from nnunet_slpt.planners.tunings import tuning_of
from nnunet_slpt.versions import versions_of


def as_json(draft: Draft) -> dict[str, Any]:
    """Everything of the report, in JSON's types.

    Args:
        draft: the plans.
    """
    return {
        "dataset": draft.target.name,
        "plans_file": str(draft.plans_file),
        "model": str(draft.model.source.absolute()),
        "checkpoint": draft.model.checkpoint,
        "carried_over": carried_over(draft),
        "findings": [asdict(finding) for finding in draft.findings],
        "next": next_commands(draft),
        "versions": versions_of("nnunetv2", "torch"),
    }


def as_text(draft: Draft) -> str:
    """The same for people.

    Args:
        draft: the plans.
    """
    lines = [
        f"{draft.target.name}, plans {draft.request.plans_name}, from {draft.model.source}",
        "",
        "Carried over:",
    ]
    carried = carried_over(draft)
    width = max(map(len, carried))
    lines += [f"  {name:{width}}  {value}" for name, value in carried.items()]
    if draft.findings:
        lines += ["", "What you should know:", *(f"  {finding}" for finding in draft.findings)]
    return "\n".join([*lines, "", "Next:", *(f"  {command}" for command in next_commands(draft))])


def carried_over(draft: Draft) -> dict[str, str]:
    """Subject → what the plans have now, and where that is not the model's.

    Args:
        draft: the plans.
    """
    settings, block = draft.settings, draft.plans[PLANS_KEY]
    model = draft.model.plans["configurations"][draft.model.configuration]
    network = settings["architecture"]
    features = network["arch_kwargs"]["features_per_stage"]
    features = features if isinstance(features, list) else [features]
    return {
        "checkpoint": f"{draft.model.checkpoint} of {draft.model.trainer_name}, "
        f"sha256 of the frozen weights {block['pretrained_sha256'][:12]}…",
        "configuration": draft.model.configuration,
        "network": f"{network['network_class_name'].rsplit('.', 1)[-1]}, features {in_words(features)}",
        "patch": _changed(settings["patch_size"], model.get("patch_size", settings["patch_size"])),
        "spacing": f"{in_words(settings['spacing'])} mm",
        "normalisation": ", ".join(settings["normalization_schemes"]),
        "batch": _changed([settings["batch_size"]], [model.get("batch_size", settings["batch_size"])]),
        "reader": draft.plans["image_reader_writer"],
        "tuning": f"{_tuned(draft)}, {block['epochs']} epoch{'s' if block['epochs'] != 1 else ''}",
    }


def next_commands(draft: Draft) -> list[str]:
    """What to type now.

    Args:
        draft: the plans.
    """
    target, plans = draft.target, draft.request.plans_name
    trainer = tuning_of(draft.settings).trainer
    commands = [
        f"nnunet_slpt_preprocess -d {target.name} -p {plans}",
        f"nnUNetv2_train {target.name} {draft.model.configuration} {target.fold} -tr {trainer} -p {plans}",
    ]
    if target.labelled < FEWEST_CASES:
        commands.insert(0, f"nnunet_slpt_collect -d {target.name} -i FOLDER")
        if not (target.preprocessed / SPLIT_FILE).is_file():  # no round is made yet
            commands.insert(0, next_choice(draft.model, target))
    return commands


def _tuned(draft: Draft) -> str:
    if tuning_of(draft.settings).by_tokens:
        return f"{draft.settings['architecture']['arch_kwargs'].get('tokens', TOKENS)} tokens a class"
    return f"K = {draft.plans[PLANS_KEY]['prompts']}"


def _changed(now: list[int], before: list[int]) -> str:
    words = in_words(now)
    return words if now == before else f"{words} (model: {in_words(before)})"
