"""The catalog in Django's admin, read-only. Changes go through the pages, which keep history and record them."""

from django.contrib import admin

from console.catalog.models import Alias, ModelVersion, Pin, PinMove, Price, Provider
from console.teams.admin import ReadOnlyAdmin


@admin.register(Provider)
class ProviderAdmin(ReadOnlyAdmin):
    list_display = ("name", "slug", "kind", "base_url", "has_secret", "is_enabled", "is_builtin")
    list_filter = ("kind", "is_enabled")
    search_fields = ("name", "slug")
    exclude = ("secret",)


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ("name", "provider", "context_tokens", "max_output_tokens", "shutdown_on", "retired_at")
    list_filter = ("provider",)
    list_select_related = ("provider",)
    search_fields = ("name",)


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin):
    list_display = ("model_version", "effective_from", "input", "cached_input", "output")
    list_select_related = ("model_version__provider",)


@admin.register(Alias)
class AliasAdmin(ReadOnlyAdmin):
    list_display = ("name", "description", "created_at")
    search_fields = ("name",)


@admin.register(Pin)
class PinAdmin(ReadOnlyAdmin):
    list_display = ("alias", "environment", "model_version", "revision", "moved_at")
    list_filter = ("environment",)
    list_select_related = ("alias", "model_version__provider")


@admin.register(PinMove)
class PinMoveAdmin(ReadOnlyAdmin):
    list_display = ("pin", "from_version", "to_version", "reason", "moved_by_name", "moved_at")
    list_select_related = ("pin__alias", "from_version__provider", "to_version__provider")
