"""Who may read the metrics: METRICS_TOKEN, and API keys as far as they see usage."""

import hmac

from django.conf import settings
from django.http import HttpRequest

from console.core.errors import NotAllowed, NotSignedIn
from console.teams.access import teams_for
from console.teams.callers import caller_for_key, pairs_of, read_key, refuse_keys_in_query
from usage_app.queries.totals import Teams


def teams_shown_to(request: HttpRequest) -> Teams:
    """Return the teams whose figures the request may have, None for the whole installation; refuse everybody else.

    Cookies are not looked at, so it does not matter by what name the console was called.
    """
    refuse_keys_in_query(pairs_of(request.GET))
    text = read_key(*(request.headers.get(name, "").split(",") for name in ("authorization", "x-api-key")))
    if text is None:
        raise NotSignedIn(
            "Send METRICS_TOKEN, or an API key that reads usage, as `Authorization: Bearer <token>`.",
            code="token_required",
        )
    if settings.METRICS_TOKEN and hmac.compare_digest(text.encode(), settings.METRICS_TOKEN.encode()):
        return None
    address, request_id = getattr(request, "client_address", ""), getattr(request, "request_id", None)
    caller = caller_for_key(text, address, request_id=request_id)
    if not caller.may("view_usage"):
        raise NotAllowed("Reading metrics needs a key with the scope usage:read.")
    if caller.is_operator:
        return None
    return frozenset(teams_for(caller, "view_usage").values_list("pk", flat=True))
