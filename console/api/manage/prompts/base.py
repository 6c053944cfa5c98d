"""What all views of the library share: the prompt in the URL, and what the URL names below it."""

from django.db.models import Prefetch, QuerySet
from django.http import Http404

from console.api.manage.base import Endpoint
from prompts_app import access
from prompts_app.models import Label, Prompt, PromptVersion
from prompts_app.queries.listing import HEAVY
from prompts_app.text.refs import LABEL


def with_labels(prompts: QuerySet[Prompt]) -> QuerySet[Prompt]:
    labels = Label.objects.select_related("version").defer(*(f"version__{name}" for name in HEAVY))
    return prompts.select_related("team", "head").prefetch_related(Prefetch("labels", labels.order_by("name")))


class PromptEndpoint(Endpoint):
    """A view below one prompt."""

    needs = "view_team"

    def prompt(self, slug: str, to: str = "view") -> Prompt:
        return access.prompt_for(self.caller, slug, to)

    def version(self, prompt: Prompt, number: int) -> PromptVersion:
        return access.version_for(prompt, number)

    def label_name(self, name: str) -> str:
        """Return the name of an address as it is; one that no label can have is not there."""
        if not LABEL.fullmatch(name):
            raise Http404("There is no such label.")
        return name
