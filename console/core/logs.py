"""Log lines: scrubbed, one line each, as text for people or as JSON for collectors."""

import datetime as dt
import json
import logging
import time

from console.core.scrub import scrub, without_links


class ScrubFilter(logging.Filter):
    """Take secrets out of a record before any handler formats it."""

    def filter(self, record: logging.LogRecord) -> bool:
        message, _ = scrub(_message(record))
        record.msg, record.args = without_links(message), None
        return True


class OutageFilter(logging.Filter):
    """Make one line of a task that had no PostgreSQL: where in the code it missed it helps nobody."""

    def filter(self, record: logging.LogRecord) -> bool:
        from console.core.outage import is_database_away

        error = record.exc_info[1] if record.exc_info else None
        if is_database_away(error) and isinstance(record.args, dict):
            what = _first_line(error).replace("%", "%%")
            _warn_only(record, f"Task %(name)s had no PostgreSQL and is left until it is due again: {what}")
        return True


class BrokerFilter(logging.Filter):
    """Make one line of a task that beat could not send, because the broker is away or takes nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        from kombu.exceptions import OperationalError
        from redis import RedisError

        error = record.exc_info[1] if record.exc_info else None
        if error and isinstance(error.__context__, (OperationalError, RedisError, OSError)):
            _warn_only(record, _first_line(error))
            record.args = None
        return True


class SeldomFilter(logging.Filter):
    """Let one line a minute through of a logger that says the same for each of its tries."""

    def __init__(self) -> None:
        super().__init__()
        self._silent_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        at = time.monotonic()
        if at < self._silent_until:
            return False
        self._silent_until = at + 60
        return True


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().partition("\n")[0]


def _warn_only(record: logging.LogRecord, message: str) -> None:
    record.levelno, record.levelname = logging.WARNING, "WARNING"
    record.msg, record.exc_info = message, None


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
