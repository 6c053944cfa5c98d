"""URLs of the library. A prompt's slug has slashes in it, so what is done with a prompt stands behind `/-/`."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from prompts_app.text.refs import LABEL, SLUG
from prompts_app.views import editor, figures, labels, library, new_prompt, pages, reviews, rules, settings


class SlugConverter(StringConverter):
    """A prompt's name; no segment of it can be the `-` that ends it."""

    regex = SLUG.pattern


class LabelConverter(SlugConverter):
    regex = LABEL.pattern


register_converter(SlugConverter, "prompt")
register_converter(LabelConverter, "label")

app_name = "prompts"
urlpatterns = [
    path("prompts/", library.prompts, name="prompts"),
    path("prompts/new/", new_prompt.new_prompt, name="new_prompt"),
    path("prompts/new/-/check/", new_prompt.check_new, name="check_new"),
    path("prompts/new/-/draft/", new_prompt.new_draft, name="new_draft"),
    path("prompts/reviews/", reviews.reviews, name="reviews"),
    path("prompts/rules/", rules.rules, name="rules"),
    # Reading
    path("prompts/<prompt:slug>/", pages.prompt, name="prompt"),
    path("prompts/<prompt:slug>/-/versions/<int:number>/", pages.version, name="version"),
    path("prompts/<prompt:slug>/-/compare/", pages.compare, name="compare"),
    path("prompts/<prompt:slug>/-/where-used/", pages.where_used, name="where_used"),
    path("prompts/<prompt:slug>/-/figures/", figures.figures_page, name="figures"),
    # Writing
    path("prompts/<prompt:slug>/-/edit/", editor.edit, name="edit"),
    path("prompts/<prompt:slug>/-/check/", editor.check, name="check"),
    path("prompts/<prompt:slug>/-/draft/", editor.draft, name="draft"),
    # Labels
    path("prompts/<prompt:slug>/-/publish/", labels.publish, name="publish"),
    path("prompts/<prompt:slug>/-/roll-back/", labels.roll_back, name="roll_back"),
    path("prompts/<prompt:slug>/-/labels/<label:label>/remove/", labels.remove_label, name="remove_label"),
    # Reviews
    path("prompts/<prompt:slug>/-/reviews/<uuid:review_id>/", reviews.review, name="review"),
    path("prompts/<prompt:slug>/-/reviews/<uuid:review_id>/comment/", reviews.comment, name="comment"),
    path("prompts/<prompt:slug>/-/reviews/<uuid:review_id>/decide/", reviews.decide, name="decide"),
    path("prompts/<prompt:slug>/-/reviews/<uuid:review_id>/take-back/", reviews.take_back, name="take_back"),
    path("prompts/<prompt:slug>/-/reviews/<uuid:review_id>/withdraw/", reviews.withdraw, name="withdraw"),
    # Settings
    path("prompts/<prompt:slug>/-/settings/", settings.settings, name="settings"),
    path("prompts/<prompt:slug>/-/require/", settings.require, name="require"),
    path("prompts/<prompt:slug>/-/delete/", settings.delete, name="delete"),
    path("prompts/<prompt:slug>/-/waivers/", settings.give_waiver, name="waivers"),
    path("prompts/<prompt:slug>/-/waivers/<uuid:waiver_id>/end/", settings.end_waiver, name="end_waiver"),
]
