from django.urls import URLPattern, URLResolver, path, register_converter
from django.urls.converters import StringConverter

from console.catalog.views import aliases, pins, proposals, providers, versions
from console.teams.models import Environment


class EnvironmentConverter(StringConverter):
    regex = "|".join(Environment.values)


register_converter(EnvironmentConverter, "environment")

app_name = "catalog"
urlpatterns: list[URLPattern | URLResolver] = [
    path("models/", aliases.models, name="models"),
    # Aliases
    path("models/new-alias/", aliases.new_alias, name="new_alias"),
    path("models/aliases/<str:name>/", aliases.alias, name="alias"),
    path("models/aliases/<str:name>/change/", aliases.change_alias, name="change_alias"),
    path("models/aliases/<str:name>/delete/", aliases.delete_alias, name="delete_alias"),
    path("models/aliases/<str:name>/second-person/", proposals.second_person, name="second_person"),
    path("models/aliases/<str:name>/tests-rule/", proposals.tests_rule, name="tests_rule"),
    # Pins
    path("models/aliases/<str:name>/move/<environment:environment>/", pins.move_pin, name="move_pin"),
    path("models/aliases/<str:name>/roll-back/<environment:environment>/", pins.roll_back, name="roll_back"),
    path("models/aliases/<str:name>/canary/<environment:environment>/", pins.set_canary, name="set_canary"),
    path("models/aliases/<str:name>/promote/<environment:environment>/", pins.promote_canary, name="promote_canary"),
    path("models/aliases/<str:name>/end-canary/<environment:environment>/", pins.end_canary, name="end_canary"),
    path("models/aliases/<str:name>/shadow/<environment:environment>/", pins.set_shadow, name="set_shadow"),
    path("models/aliases/<str:name>/fallbacks/<environment:environment>/", pins.set_fallbacks, name="set_fallbacks"),
    path("models/aliases/<str:name>/parameters/<environment:environment>/", pins.set_parameters, name="set_parameters"),
    path("models/aliases/<str:name>/lane/<environment:environment>/", pins.set_lane, name="set_lane"),
    path("models/proposals/<uuid:proposal_id>/approve/", proposals.approve_proposal, name="approve_proposal"),
    path("models/proposals/<uuid:proposal_id>/reject/", proposals.reject_proposal, name="reject_proposal"),
    # Providers
    path("models/providers/", providers.providers, name="providers"),
    path("models/new-provider/", providers.new_provider, name="new_provider"),
    path("models/providers/<slug:slug>/", providers.provider, name="provider"),
    path("models/providers/<slug:slug>/test/", providers.test_provider, name="test_provider"),
    path("models/providers/<slug:slug>/import/", providers.import_models, name="import_models"),
    path("models/providers/<slug:slug>/enable/", providers.enable_provider, name="enable_provider"),
    path("models/providers/<slug:slug>/delete/", providers.delete_provider, name="delete_provider"),
    path("models/providers/<slug:slug>/new-version/", versions.new_version, name="new_version"),
    # Model versions
    path("models/versions/<uuid:version_id>/", versions.version, name="version"),
    path("models/versions/<uuid:version_id>/change/", versions.change_version, name="change_version"),
    path("models/versions/<uuid:version_id>/price/", versions.set_price, name="set_price"),
    path("models/versions/<uuid:version_id>/retire/", versions.retire_version, name="retire_version"),
]
