"""A whole simulation: *request → plan → plans of nnU-Net → campaigns, some at a time → cells → report*.

Owns the order of things. Must not import torch.
"""

__all__ = ["simulate"]

import json
import os
import platform
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import Timeout

from nnunet_slpt.errors import FileError, SimulationError, SLPTError
from nnunet_slpt.evaluation.report import write_report
from nnunet_slpt.files import read_bytes, remove, write_json
from nnunet_slpt.lock import exclusive
from nnunet_slpt.preprocessing.recipe import read_recipes
from nnunet_slpt.simulation.campaign import Settings, run_campaign
from nnunet_slpt.simulation.examination import examine
from nnunet_slpt.simulation.grid import Campaign
from nnunet_slpt.simulation.models import PLANS, RECORDED_AS
from nnunet_slpt.simulation.plan import RECORD, Plan, check_question, plan_simulation
from nnunet_slpt.simulation.progress import Progress
from nnunet_slpt.simulation.request import Request
from nnunet_slpt.simulation.stage import Stage, link_images
from nnunet_slpt.simulation.steps import Steps
from nnunet_slpt.tuning_methods import TUNING_METHODS
from nnunet_slpt.versions import versions_of

Say = Callable[[str], None]
WAIT_SECONDS = 1.0  # until another part, which makes the plans, is asked again


def simulate(request: Request, say: Say = print) -> bool:
    """Run what is not finished, and write the report.

    Args:
        request: what the user wants.
        say: told what is going on, a line at a time.

    Returns:
        Whether all cells of this part are there.

    Raises:
        SLPTError: it cannot be begun.
    """
    plan = plan_simulation(request)
    say(plan.text())
    shared = _prepare(plan, say)
    if len(plan.finished) < len(plan.all_cells):
        _examine(plan, shared, say)
    settings = _settings(plan)
    stop = threading.Event()
    gpus: queue.Queue[str | None] = queue.Queue()
    for number in range(request.jobs):
        gpus.put(request.gpus[number % len(request.gpus)] if request.gpus else None)

    def run(campaign: Campaign) -> bool:
        plans = PLANS[TUNING_METHODS[campaign.method].network]
        stage = Stage(shared.parent / "campaigns" / campaign.name, shared, plan.source, plans)
        gpu = gpus.get()
        progress.begin()
        try:
            steps = Steps(stage.logs, gpu, request.jobs, stop)
            for cell in run_campaign(campaign, stage, settings, steps, plan.cells):
                progress.finished(cell)
        except (SLPTError, OSError) as error:
            if not stop.is_set():
                progress.give_up(campaign, error)
            return False
        finally:
            gpus.put(gpu)
        return True

    with Progress(plan.all_cells, plan.finished, request.jobs) as progress:
        done = _at_once(run, plan.campaigns, request.jobs, stop)
    if plan.finished:
        write_report(plan.cells, request.output / "report")
        say(f"Wrote {request.output / 'report' / 'summary.md'}")
    return all(done)


def _at_once(
    run: Callable[[Campaign], bool], campaigns: Sequence[Campaign], jobs: int, stop: threading.Event
) -> list[bool]:
    """Run some campaigns at a time; an interruption (Ctrl-C) ends those that run and begins no other."""
    pool = ThreadPoolExecutor(jobs)
    try:
        return list(pool.map(run, campaigns))
    except KeyboardInterrupt as error:
        stop.set()
        raise SimulationError("Interrupted. The same call goes on from here.") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare(plan: Plan, say: Say) -> Path:
    """Images without labels, and plans, once for all campaigns and all parts; the folder."""
    request, shared = plan.request, plan.request.output.resolve() / "shared"
    steps = Steps(shared / "logs")
    with _alone(request.output, say):
        check_question(request.output / RECORD, plan.question)  # another part may have begun since
        link_images(plan.source, shared / "raw" / plan.source.folder.name)
        for kind, model in plan.models.by_network.items():
            words: list[str | Path] = ["nnunet_slpt_plan", "-d", plan.source.folder.name, "--overwrite"]
            words += ["-p", PLANS[kind], "-npp", str(max(request.processes, 1))]
            words += ["-m", model.pretrained.path.parents[1].resolve(), "-c", model.configuration]
            words += [] if request.batch_size is None else ["--batch_size", str(request.batch_size)]
            folders = {f"nnUNet_{part}": str(shared / part) for part in ("raw", "preprocessed", "results")}
            steps.run(f"plan_{PLANS[kind]}", words, folders)
        known = json.loads(read_bytes(file)) if (file := request.output / RECORD).exists() else plan.question
        longest = max(known["budgets"], plan.question["budgets"], key=len)
        of_models = {entry: plan.question[entry] or known.get(entry) for entry in RECORDED_AS.values()}
        write_json(request.output / RECORD, {**plan.question, **of_models, "budgets": longest})
        plan.cells.mkdir(exist_ok=True)
    return shared


def _examine(plan: Plan, shared: Path, say: Say) -> None:
    """Look into all cases with the first network's plans: the reader and the labels are the dataset's."""
    source, kind = plan.source, next(iter(plan.models.by_network))
    home = shared / "preprocessed" / source.folder.name
    (recipe,) = read_recipes(home, PLANS[kind], [plan.models.configuration], source.dataset_json)
    try:
        examine(source, recipe, max(plan.request.processes, 1), shared / "examined", say)
    except SLPTError:
        if not plan.finished:  # so that the remedy, to leave cases out, is no other simulation
            remove(plan.request.output / RECORD)
        raise


@contextmanager
def _alone(folder: Path, say: Say) -> Iterator[None]:
    """The lock of a folder, waiting for other parts that prepare it, however many images they look into."""
    told = False
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(exclusive(folder))
                break
            except FileError as error:
                if not isinstance(error.__cause__, Timeout):  # nobody holds it
                    raise
            if not told:
                say(f"Waiting for another call, which prepares {folder}.")
            told = True
            time.sleep(WAIT_SECONDS)
        yield


def _settings(plan: Plan) -> Settings:
    request = plan.request
    return Settings(
        models={kind: one.pretrained.path.absolute() for kind, one in plan.models.by_network.items()},
        configuration=plan.models.configuration,
        device=request.device,
        processes=request.processes,
        training=plan.question["training"],
        mirroring=request.mirroring,
        calibrate=request.calibrate,
        tolerance_mm=request.tolerance_mm,
        about={
            "settings": {key: value for key, value in plan.question.items() if key not in ("pool", "test")},
            "versions": versions_of("nnunetv2", "torch", "numpy"),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "command": request.command,
        },
    )
