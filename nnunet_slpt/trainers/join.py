"""``nnunet_slpt_join``: a prompt file and the pretrained checkpoint make a model folder of nnU-Net again.

Must not import the trainer: nnU-Net finds the class by the name in the file, as its predictor does.
"""

__all__ = ["join", "main"]

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name
from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import nn

from nnunet_slpt.command import answer
from nnunet_slpt.config import PromptConfig
from nnunet_slpt.errors import ArchitectureError, CheckpointError
from nnunet_slpt.files import json_of, move, write_text, written_whole
from nnunet_slpt.host_conventions import FINAL
from nnunet_slpt.networks import PromptedUNet
from nnunet_slpt.pretrained import base_hash, load_backbone, read_checkpoint
from nnunet_slpt.pretrained.mismatch import shapes_of
from nnunet_slpt.trainers.prompt_file import PromptFile, read_prompts


def join(
    prompt_file: str | Path, base_checkpoint: str | Path, output_folder: str | Path, overwrite: bool = False
) -> Path:
    """Make a model folder of nnU-Net from a prompt file and the pretrained checkpoint it was tuned inside.

    Its ``network_weights`` are those of the tuning, bit for bit. It is made for inference: what only a
    continued training needs (optimizer, log) is not in it.

    Args:
        prompt_file: what ``save_prompts`` wrote.
        base_checkpoint: the pretrained checkpoint.
        output_folder: gets ``plans.json``, ``dataset.json`` and ``fold_X/checkpoint_final.pth``. A model that
            differs from this one only in its folds may be there.
        overwrite: replace a model that is there; its files are kept beside as ``….bak``.

    Returns:
        The checkpoint written.

    Raises:
        CheckpointError: a file cannot be used, the base is another, or something is in the way.
    """
    prompts = read_prompts(prompt_file)
    folder = Path(output_folder)
    checkpoint = folder / f"fold_{prompts.fold}" / FINAL
    texts = {folder / "plans.json": prompts.plans, folder / "dataset.json": prompts.dataset_json}
    changed = {path: content for path, content in texts.items() if not _holds(path, content)}
    # Other folds fit other plans no more: nnU-Net would take them all for one model.
    replaced = [*folder.glob(f"{'fold_*' if changed else checkpoint.parent.name}/checkpoint_*.pth"), *changed]
    if not overwrite:
        _require_free(replaced)
    content = _checkpoint_content(prompts, _joined_network(prompts, Path(base_checkpoint)))
    with written_whole(checkpoint) as part:
        torch.save(content, part)
        for path in replaced:
            _keep_backup(path)
        for path, text in changed.items():
            write_text(path, json.dumps(text, indent=4))
    return checkpoint


def main(argv: Sequence[str] | None = None) -> int:
    """The command ``nnunet_slpt_join``; 0 on success, 2 with the reason on stderr if it cannot be done."""
    parser = argparse.ArgumentParser(
        prog="nnunet_slpt_join",
        description="Make an nnU-Net model folder from a prompt file and the pretrained checkpoint it was "
        "tuned inside. Predict with: nnUNetv2_predict_from_modelfolder -m MODEL_FOLDER -f FOLD -i IN -o OUT",
    )
    parser.add_argument("-i", required=True, metavar="PROMPTS", help="prompt file (.safetensors)")
    parser.add_argument("-b", required=True, metavar="BASE", help="pretrained checkpoint (.pth)")
    parser.add_argument("-o", required=True, metavar="MODEL_FOLDER", help="model folder to write")
    parser.add_argument("--overwrite", action="store_true", help="replace a model there; it is kept as .bak")
    return answer(parser, argv, _run)


def _run(arguments: argparse.Namespace) -> int:
    written = join(arguments.i, arguments.b, arguments.o, arguments.overwrite)
    sys.stdout.write(f"Wrote {written}\n")
    return 0


def _joined_network(prompts: PromptFile, base: Path) -> nn.Module:
    network = _build(prompts)
    try:
        load_backbone(network, read_checkpoint(base), PromptConfig.from_plans(prompts.plans).stem)
    except ArchitectureError as error:
        raise CheckpointError(f"{_another_base(prompts, base)} {str(error).splitlines()[0]}") from error
    found = base_hash(network.frozen_state())
    if found != prompts.base_hash:
        raise CheckpointError(
            f"{_another_base(prompts, base)} sha256 of the frozen weights: got {found}, "
            f"expected {prompts.base_hash}."
        )
    _load_tuned(network, prompts)
    return network


def _another_base(prompts: PromptFile, base: Path) -> str:
    return (
        f"{prompts.path} was not tuned inside {base}. Pass the pretrained checkpoint that the tuning got as "
        "-pretrained_weights; the log of the tuning names it."
    )


def _build(prompts: PromptFile) -> PromptedUNet:
    """The network, as nnU-Net's predictor builds it (inference/predict_from_raw_data.py)."""
    try:
        trainer = recursive_find_trainer_class_by_name(prompts.trainer_name)
    except RuntimeError as error:
        raise CheckpointError(
            f"nnU-Net does not find {prompts.trainer_name}, the trainer that made {prompts.path}. Name its "
            'folder in nnUNet_extTrainer; for the trainers of this package: eval "$(nnunet_slpt_env)"'
        ) from error
    plans = PlansManager(dict(prompts.plans))
    configuration = plans.get_configuration(prompts.configuration)
    network: PromptedUNet = trainer.build_network_architecture(
        plans,
        configuration,
        determine_num_input_channels(plans, configuration, prompts.dataset_json),
        plans.get_label_manager(prompts.dataset_json).num_segmentation_heads,
        enable_deep_supervision=False,
    )
    return network


def _load_tuned(network: PromptedUNet, prompts: PromptFile) -> None:
    tuned = network.tuned_state()
    got = shapes_of(prompts.tensors)
    expected = shapes_of(tuned)
    if got != expected:
        names = sorted(name for name in {*got, *expected} if got.get(name) != expected.get(name))
        raise CheckpointError(
            f"{prompts.path} does not hold the tensors that its own plans ask for, among them "
            f"{', '.join(names[:4])}. It was written by another version of nnunet_slpt, or changed since."
        )
    with torch.no_grad():
        for name, tensor in tuned.items():
            tensor.copy_(prompts.tensors[name])


def _checkpoint_content(prompts: PromptFile, network: nn.Module) -> dict[str, Any]:
    """What nnU-Net's predictor reads of a checkpoint."""
    return {
        "network_weights": network.state_dict(),
        "init_args": {
            "plans": prompts.plans,
            "configuration": prompts.configuration,
            "fold": prompts.fold,
            "dataset_json": prompts.dataset_json,
        },
        "trainer_name": prompts.trainer_name,
        "inference_allowed_mirroring_axes": prompts.mirroring_axes,
    }


def _holds(path: Path, content: Mapping[str, Any]) -> bool:
    # As text, because the order counts: that of the labels says which output is which region.
    return json.dumps(json_of(path)) == json.dumps(content)


def _require_free(paths: Sequence[Path]) -> None:
    taken = [str(path) for path in paths if path.exists()]
    if taken:
        raise CheckpointError(
            f"There is another model already: {', '.join(taken)}. Choose another folder, or pass "
            "--overwrite, which keeps what is there as .bak."
        )


def _keep_backup(path: Path) -> None:
    """Rename to ``….bak``, or ``….bak2`` and so on: no earlier backup is lost."""
    number = 1
    while (free := path.with_name(f"{path.name}.bak{number if number > 1 else ''}")).exists():
        number += 1
    if path.exists():
        move(path, free)
