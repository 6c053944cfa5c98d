"""URLs of quotas in the management API."""

from django.urls import path

from console.api.manage.quotas import quotas

urlpatterns = [
    path("quotas/", quotas.Quotas.as_view(), name="quotas"),
    path("quotas/<uuid:public_id>/", quotas.OneQuota.as_view(), name="quota"),
    path("quotas/<uuid:public_id>/end_users/", quotas.EndUsers.as_view(), name="quota_end_users"),
    path("quotas/<uuid:public_id>/increases/", quotas.Increases.as_view(), name="increases"),
    path("quotas/<uuid:public_id>/increases/<uuid:pk>/", quotas.OneIncrease.as_view(), name="increase"),
    path("usage/limits/", quotas.Limits.as_view(), name="limits"),
]
