"""The refusals of the inventory."""

from console.core.errors import BadInput, Conflict, NotFound, Overtaken

_MOST_SAID = 50


class UnknownTouchpoint(NotFound):
    """It is not there, or of another team: both look the same."""

    code = "unknown_touchpoint"
    message = "There is no such touchpoint."


class StaleTouchpoint(Overtaken):
    code = "stale_touchpoint"


class NameTaken(Conflict):
    code = "name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is in the team's list already. Change it there, or choose another name.", param="name"
        )


class BadList(BadInput):
    """A list that cannot be read whole, so nothing of it is taken. `problems` says every line and column."""

    code = "bad_list"

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        more = f" And {len(problems) - _MOST_SAID:,} more." if len(problems) > _MOST_SAID else ""
        super().__init__(f"Nothing was imported. {' '.join(problems[:_MOST_SAID])}{more}", param="csv")
