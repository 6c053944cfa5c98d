"""The refusals of the library."""

from collections.abc import Iterable, Mapping, Sequence

from console.core.errors import BadInput, Conflict, NotAllowed, NotFound, Overtaken, TooLarge


class UnknownPrompt(NotFound):
    """The same whether it does not exist or belongs to others."""

    code = "unknown_prompt"

    def __init__(self, slug: str, *, param: str | None = None) -> None:
        super().__init__(
            f"There is no prompt {slug[:200]!r}, or your team may not use it."
            " The page Prompts (GET /api/prompts/) lists those it may.",
            param=param,
        )


class UnknownVersion(NotFound):
    code = "unknown_prompt_version"

    def __init__(self, slug: str, number: int, *, param: str | None = None) -> None:
        super().__init__(
            f"The prompt {slug!r} has no version {number}."
            f" Its page (GET /api/prompts/{slug}/-/versions/) lists those it has.",
            param=param,
        )


class UnknownLabel(NotFound):
    code = "unknown_prompt_label"

    def __init__(self, slug: str, label: str, *, has: Iterable[str], why: str = "", param: str | None = None) -> None:
        names = ", ".join(sorted(has)[:10]) or "none at all"
        super().__init__(
            f"The prompt {slug!r} has no label {label[:60]!r}{why}; it has {names}."
            " Publish a version to it, or name another label or a version.",
            param=param,
        )


class UnknownReview(NotFound):
    code = "unknown_review"

    def __init__(self, slug: str) -> None:
        super().__init__(
            f"There is no such review of the prompt {slug!r}."
            f" Its page (GET /api/prompts/{slug}/-/reviews/) lists those there are."
        )


class NotCallable(BadInput):
    """A partial that was named where a prompt is asked for."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"{slug} is a partial: prompts include it, calls do not name it.", param="prompt.id")


class BadText(BadInput):
    """A text that cannot be read. `line` and `column` count from 1; `message_index` is the place in a chat."""

    code = "bad_prompt_text"

    def __init__(self, what: str, *, line: int, column: int = 1, message_index: int | None = None) -> None:
        self.what, self.line, self.column, self.message_index = what, line, column, message_index
        place = f"Line {line}" if message_index is None else f"Message {message_index + 1}, line {line}"
        param = "content" if message_index is None else f"content[{message_index}].text"
        super().__init__(f"{place}: {what}", param=param)


class WrongVariables(BadInput):
    """Every missing, unknown and wrongly typed variable at once."""

    code = "wrong_variables"

    def __init__(self, *, missing: Iterable[str] = (), unknown: Iterable[str] = (), wrong: Mapping[str, str]) -> None:
        self.missing, self.unknown, self.wrong = sorted(missing), sorted(unknown), dict(sorted(wrong.items()))
        parts = []
        if self.missing:
            parts.append(f"missing: {', '.join(self.missing)}")
        if self.unknown:
            parts.append(f"unknown: {', '.join(name[:60] for name in self.unknown[:20])}")
        if self.wrong:
            parts.append("wrong: " + ", ".join(f"{name} ({why})" for name, why in self.wrong.items()))
        super().__init__(f"The variables do not fit the prompt; {'; '.join(parts)}.", param="variables")


class CircularInclude(BadInput):
    code = "circular_include"

    def __init__(self, chain: Sequence[str]) -> None:
        super().__init__(f"The partials go round in a circle: {' > '.join(chain)}.", param="content")


class MissingPartial(BadInput):
    code = "missing_partial"

    def __init__(self, name: str, why: str = "there is none of that name here") -> None:
        super().__init__(f"The partial {name[:250]!r} cannot be included: {why}.", param="content")


class TooDeep(BadInput):
    code = "partials_too_deep"

    def __init__(self, chain: Sequence[str], most: int) -> None:
        super().__init__(
            f"Partials may stand {most} deep in each other; this goes further: {' > '.join(chain)}.", param="content"
        )


class TooManyPartials(BadInput):
    code = "too_many_partials"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"A text brings at most {most} partials along, those of its partials included; this names more.",
            param="content",
        )


class RenderedTooLarge(TooLarge):
    code = "rendered_prompt_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The prompt with its variables is longer than {limit:,} characters; send shorter values.",
            param="variables",
        )


class NothingChanged(BadInput):
    code = "nothing_changed"


class StalePrompt(Conflict):
    """Somebody saved in between; `head` is the number they reached."""

    code = "stale_prompt"

    def __init__(self, message: str, *, head: int) -> None:
        super().__init__(message)
        self.head = head


class StaleLabel(Overtaken):
    code = "stale_label"


class ReviewNeeded(Conflict):
    code = "review_needed"


class TestsNeeded(Conflict):
    """What the gates say against moving a label, all of it."""

    code = "tests_needed"
    __test__ = False  # not a test, whatever it is called


class OwnReview(NotAllowed):
    code = "own_review"


class RequiredPartial(BadInput):
    """The prompt leaves out what its team must include."""

    code = "required_partial"

    def __init__(self, slugs: Sequence[str]) -> None:
        self.slugs = tuple(slugs)
        names = ", ".join(f"{{{{> {slug}}}}}" for slug in slugs)
        super().__init__(
            f"Prompts of this team must include {names}, or carry a waiver that says why not.", param="content"
        )


class StillUsed(Conflict):
    code = "still_used"
