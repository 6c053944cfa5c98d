"""What others do between two statements of a process, done by the test at exactly that place."""

from collections.abc import Callable
from typing import Any


class After:
    """For `connection.execute_wrapper`: does something once, after the next statement that has `of` in it."""

    def __init__(self, what: Callable[[], object], *, of: str = "") -> None:
        self._what, self._of, self._is_done = what, of, False

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if not self._is_done and self._of in sql:
            self._is_done = True
            self._what()
        return result
