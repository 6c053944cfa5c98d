"""Listeners to changes of the library, called in the transaction of the change. Rooms register in their AppConfig.

A listener does little: it marks what is to be done and enqueues it on commit.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from console.audit.actions import Action
from prompts_app.models import Prompt

LISTENERS: list[Callable[[Action, Prompt], None]] = []
_is_silent: ContextVar[bool] = ContextVar("prompt_listeners_are_silent", default=False)


def notify(action: Action, prompt: Prompt) -> None:
    if not _is_silent.get():
        for listener in LISTENERS:
            listener(action, prompt)


@contextmanager
def silence() -> Iterator[None]:
    """Tell nobody inside: for a listener's own changes."""
    token = _is_silent.set(True)
    try:
        yield
    finally:
        _is_silent.reset(token)
