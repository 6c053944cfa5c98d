"""Numbers in a query or a form: what is none, or is written so long that only its beginning would be looked at."""

from types import SimpleNamespace
from typing import Any

import pytest

from console.api.pagination import limit_of
from console.api.v1.files import _keep_for
from console.api.v1.queues import _wait_of
from console.api.v1.rows import paging
from console.core.errors import BadInput


def asked(query: bytes) -> Any:
    return SimpleNamespace(query=query)


def test_it_refuses_what_is_no_number_and_what_hides_a_large_one() -> None:
    assert paging(asked(b"limit=7"), usual=20, most=100).limit == 7
    assert _wait_of(asked(b"wait=7")) == 7
    for text in ("²", "%C2%B2", "-1", "1.5", "000000001" + "9" * 9, "9" * 5_000):
        with pytest.raises(BadInput):
            paging(asked(f"limit={text}".encode()), usual=20, most=100)
        with pytest.raises(BadInput):
            _wait_of(asked(f"wait={text}".encode()))
        with pytest.raises(BadInput):
            _keep_for({"expires_after[seconds]": text})
        with pytest.raises(BadInput):
            limit_of(SimpleNamespace(query_params={"limit": text}))  # type: ignore[arg-type]
