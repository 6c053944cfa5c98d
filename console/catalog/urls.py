from django.urls import URLPattern, URLResolver, path, register_converter

from console.catalog.views import aliases, providers, versions
from console.teams.models import Environment


class EnvironmentConverter:
    regex = "|".join(Environment.values)

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(EnvironmentConverter, "environment")

app_name = "catalog"
urlpatterns: list[URLPattern | URLResolver] = [
    path("models/", aliases.models, name="models"),
    # Aliases
    path("models/new-alias/", aliases.new_alias, name="new_alias"),
    path("models/aliases/<str:name>/", aliases.alias, name="alias"),
    path("models/aliases/<str:name>/change/", aliases.change_alias, name="change_alias"),
    path("models/aliases/<str:name>/delete/", aliases.delete_alias, name="delete_alias"),
    path("models/aliases/<str:name>/move/<environment:environment>/", aliases.move_pin, name="move_pin"),
    path("models/aliases/<str:name>/roll-back/<environment:environment>/", aliases.roll_back, name="roll_back"),
    # Providers
    path("models/providers/", providers.providers, name="providers"),
    path("models/new-provider/", providers.new_provider, name="new_provider"),
    path("models/providers/<slug:slug>/", providers.provider, name="provider"),
    path("models/providers/<slug:slug>/test/", providers.test_provider, name="test_provider"),
    path("models/providers/<slug:slug>/enable/", providers.enable_provider, name="enable_provider"),
    path("models/providers/<slug:slug>/delete/", providers.delete_provider, name="delete_provider"),
    path("models/providers/<slug:slug>/new-version/", versions.new_version, name="new_version"),
    # Model versions
    path("models/versions/<uuid:version_id>/", versions.version, name="version"),
    path("models/versions/<uuid:version_id>/change/", versions.change_version, name="change_version"),
    path("models/versions/<uuid:version_id>/price/", versions.set_price, name="set_price"),
    path("models/versions/<uuid:version_id>/retire/", versions.retire_version, name="retire_version"),
]
