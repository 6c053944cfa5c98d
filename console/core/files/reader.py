"""Run a reader within its limits; the program that isolated.py starts.

Arguments: the reader, its limits, the seconds it has. The file comes from standard input, one line of JSON goes out.
A reader is a module with `read(raw, *limits)`, which returns what it found or {"problem": ...}.
"""

import json
import resource
import runpy
import sys
from contextlib import suppress
from pathlib import Path

_MEMORY = 1024**3


def main() -> None:
    name, *limits, seconds = sys.argv[1:]
    with suppress(ValueError, OSError):  # a system without such limits: the time limit outside remains
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
        resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    reader = runpy.run_path(str(Path(__file__).with_name(f"{name}.py")))
    sys.stdout.write(json.dumps(reader["read"](sys.stdin.buffer.read(), *map(int, limits))))


if __name__ == "__main__":
    main()
