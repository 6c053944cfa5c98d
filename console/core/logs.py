"""Log lines: scrubbed, one line each, as text for people or as JSON for collectors."""

import datetime as dt
import json
import logging

from console.core.scrub import scrub, without_links


class ScrubFilter(logging.Filter):
    """Take secrets out of a record before any handler formats it."""

    def filter(self, record: logging.LogRecord) -> bool:
        message, _ = scrub(_message(record))
        record.msg, record.args = without_links(message), None
        return True


def _message(record: logging.LogRecord) -> str:
    """Return what a record says. One whose arguments do not fit, of a library say, must not fail whoever logs it."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args}"


class LineFormatter(logging.Formatter):
    def __init__(self, *, json: bool = False) -> None:
        super().__init__()
        self._json = json

    def format(self, record: logging.LogRecord) -> str:
        at = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + scrub(self.formatException(record.exc_info))[0]
        if self._json:
            line = {"at": at, "level": record.levelname.lower(), "logger": record.name, "message": message}
            return json.dumps(line, ensure_ascii=False)
        printable = "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in message)
        return f"{at} {record.levelname.lower()} {record.name}: {printable}"
