"""What the filter of every log makes of a record."""

import logging

import pytest

from console.core.logs import ScrubFilter

SECRET = "Bearer sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.mark.parametrize("arguments", [(SECRET, "and one too many"), ({"other": SECRET},)])
def test_a_message_that_does_not_fit_its_arguments_is_logged_all_the_same(arguments: tuple[object, ...]) -> None:
    """The standard library swallows such a mistake; raised in a filter it would end whatever was being done."""
    record = logging.LogRecord("library", logging.ERROR, __file__, 1, "Refused: %(token)d", arguments, None)
    assert ScrubFilter().filter(record)
    assert record.getMessage().startswith("Refused: %(token)d") and "sk-proj" not in record.getMessage()
