"""Providers, model versions, prices, aliases, pins and proposals."""

from console.api.manage.catalog import aliases, models, pins, proposals, providers

urlpatterns = [
    *providers.urlpatterns,
    *models.urlpatterns,
    *aliases.urlpatterns,
    *pins.urlpatterns,
    *proposals.urlpatterns,
]
