from django.urls import path, register_converter
from django.urls.converters import StringConverter

from console.batches import views


class FileConverter(StringConverter):
    regex = "output|errors"


register_converter(FileConverter, "batch_file")

app_name = "batches"
urlpatterns = [
    path("batches/", views.batches, name="batches"),
    path("batches/new/", views.new_batch, name="new_batch"),
    path("batches/new/table/", views.new_from_table, name="new_from_table"),
    path("batches/<uuid:batch_id>/", views.batch, name="batch"),
    path("batches/<slug:name>/", views.named_batch, name="named_batch"),
    path("batches/<uuid:batch_id>/cancel/", views.cancel_batch, name="cancel_batch"),
    path("batches/<uuid:batch_id>/delete/", views.delete_batch, name="delete_batch"),
    path("batches/<uuid:batch_id>/run-again/", views.rerun_batch, name="rerun_batch"),
    path("batches/<uuid:batch_id>/table.csv", views.table, name="table"),
    path("batches/<uuid:batch_id>/<batch_file:what>/", views.download, name="download"),
]
