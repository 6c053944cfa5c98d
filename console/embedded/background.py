"""Celery as `make run` starts it: with its own arguments, and gone as soon as its work is.

Python's own end takes a worker's whole heap apart, piece by piece: more than a second of processor time in each of four
processes, while everything else stops as well. Nothing is left to be done by then; open files and sockets the system
closes.
"""

import logging
import os
import sys

from celery.__main__ import main as celery


def main() -> None:
    code = 0
    try:
        celery()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
