"""URLs of runs, approvals and triggers in the management API."""

from console.api.manage.runs import approvals, runs, triggers, versions

urlpatterns = [*runs.urlpatterns, *approvals.urlpatterns, *triggers.urlpatterns, *versions.urlpatterns]
