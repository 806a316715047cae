"""One command in a process of its own, as a user would type it, with what it cost: a program, not a module.

    python -m nnunet_slpt.simulation.measured COSTS.json nnUNetv2_train 27 3d_fullres 0 …

The costs are written when the command has ended well, and not else: the file tells that it is done. A
command ends with the call that started it, even if that was killed: another call may begin the same anew.
"""

__all__ = ["main"]

import importlib.metadata
import json
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

from nnunet_slpt.errors import SimulationError
from nnunet_slpt.files import write_text

PEAK = re.compile(r"VmHWM:\s+(\d+) kB")
SECONDS_BETWEEN_LOOKS = 1


def main(argv: list[str]) -> int:
    """Run a command.

    Args:
        argv: the file for the costs, the command, its arguments.

    Returns:
        The command's exit code.

    Raises:
        SimulationError: there is no such command.
    """
    costs, command, *arguments = argv
    found = importlib.metadata.entry_points(group="console_scripts", name=command)
    if not found:
        raise SimulationError(f"{command} is no installed command. Install nnU-Net and this package again.")
    _end_with_the_caller()
    run = next(iter(found)).load()
    sys.argv = [command, *arguments]
    start = time.perf_counter()
    code = run() or 0
    if code == 0:
        seconds = round(time.perf_counter() - start, 2)
        measured = {"command": sys.argv, "seconds": seconds, "peak_memory_bytes": _peak_memory()}
        write_text(Path(costs), json.dumps(measured))
    return int(code)


def _end_with_the_caller() -> None:
    """Leave by the ordinary way, which ends nnU-Net's workers too, once nobody waits for this process.

    Windows does not tell that a parent is gone: there, the command runs to its end.
    """
    if sys.platform == "win32":
        return
    caller = os.getppid()

    def watch() -> None:
        while os.getppid() == caller:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        os.kill(os.getpid(), signal.SIGUSR1)

    # Not SIGINT: what a shell starts in the background ignores it. Not SIGTERM: pools end their workers with
    # it; one that was forked would inherit the handler and, about to wait for a lock, never come to run it.
    signal.signal(signal.SIGUSR1, lambda *_: sys.exit("The call that started this has ended."))
    threading.Thread(target=watch, daemon=True).start()


def _peak_memory() -> int | None:
    """In bytes: of the GPU if it was used, else of this process's main memory; ``None`` where none tells."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return int(torch.cuda.max_memory_allocated())
    # Not getrusage: a child begins with what its parent had when it was forked.
    status = Path("/proc/self/status")
    told = PEAK.search(status.read_text()) if status.exists() else None
    return int(told[1]) * 1024 if told else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
