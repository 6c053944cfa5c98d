"""Change pins: one URL for each change, all confirmed the same way.

GET asks in a dialog (htmx) or on a page of its own; POST changes the pin, or leaves a proposal where the alias wants
two people to agree. A form that saw an older pin is shown again over the pin as it is now, with what happened since.
"""

from django.http import Http404, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse

from console.catalog import access, queries
from console.catalog.forms import pins as forms
from console.catalog.forms.pins import PinForm
from console.catalog.models import Alias, Pin, PinProposal
from console.catalog.services import pins
from console.core.forms import posted, refusals_at
from console.core.htmx import go
from console.teams.access import OPERATOR, needs
from console.teams.callers import TeamRequest
from console.teams.models import Environment
from console.teams.views.questions import Question, ask


@needs(OPERATOR)
def move_pin(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.MoveForm)


@needs(OPERATOR)
def roll_back(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.RollBackForm)


@needs(OPERATOR)
def set_canary(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.CanaryForm)


@needs(OPERATOR)
def promote_canary(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.PromoteCanaryForm)


@needs(OPERATOR)
def end_canary(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.EndCanaryForm)


@needs(OPERATOR)
def set_shadow(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.ShadowForm)


@needs(OPERATOR)
def set_fallbacks(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.FallbacksForm)


@needs(OPERATOR)
def set_parameters(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.ParametersForm)


@needs(OPERATOR)
def set_lane(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    return _change(request, name, environment, forms.LaneForm)


def _pin(alias: Alias, environment: str) -> Pin | None:
    rows = Pin.objects.select_related("alias", "model_version__provider", "canary_version__provider")
    return rows.prefetch_related("fallbacks").filter(alias=alias, environment=environment).first()


def _change(request: TeamRequest, name: str, environment: str, form_class: type[PinForm]) -> HttpResponse:
    alias = access.alias_for(request.caller, name)
    pin = _pin(alias, environment)
    if pin is None and form_class is not forms.MoveForm:
        raise Http404("There is no pin to change.")
    asked = {field: request.GET[field] for field in ("to", "version") if field in request.GET}
    form = form_class(posted(request), pin=pin, initial=asked)
    if form.is_valid():
        with refusals_at(form):
            outcome = pins.ask_for_change(
                actor=request.caller.actor,
                alias=alias,
                environment=environment,
                verb=form.verb(),
                reason=form.cleaned_data["reason"],
                seen_revision=form.cleaned_data["seen_revision"],
            )
            return go(request, reverse("catalog:alias", args=[name]), _message(outcome, form))
    return _ask(request, alias, environment, form)


def _message(outcome: Pin | PinProposal, form: PinForm) -> str:
    if isinstance(outcome, PinProposal):
        return f"Proposed. It waits until somebody else agrees to change {outcome.alias.name}."
    return form.done.format(alias=outcome.alias.name, environment=outcome.environment)


def _ask(request: TeamRequest, alias: Alias, environment: str, form: PinForm) -> HttpResponse:
    page = queries.alias_page(alias, request.caller)
    stop, is_production = page.stop(environment), environment == Environment.PRODUCTION
    is_back = isinstance(form, forms.RollBackForm)
    waits = is_production and alias.needs_second_person
    waits = waits and not isinstance(form, forms.RollBackForm | forms.EndCanaryForm)
    moves = stop.pin is not None and isinstance(form, forms.MoveForm | forms.PromoteCanaryForm)
    tests = is_production and alias.needs_tests and moves
    now = {"page": page, "stop": stop, "back_to": stop.before if is_back else None, "waits": waits, "tests": tests}
    question = Question(
        title=form.title.format(alias=alias.name, environment=environment),
        text="",
        verb="Propose" if waits else form.action,
        back=reverse("catalog:alias", args=[alias.name]),
        active="models",
        back_label=alias.name,
        about=render_to_string("catalog/_pin_now.html", now),
        page=form.here or form.action,
        is_wide=form.is_wide,
    )
    return ask(request, question, form, page="catalog/pin_change.html")
