"""URLs of datasets and replays in the management API."""

from django.urls import path

from console.api.manage.evaluations import datasets, replays

urlpatterns = [
    path("datasets/", datasets.Datasets.as_view(), name="datasets"),
    path("datasets/sample/", datasets.SampleDataset.as_view(), name="sample_dataset"),
    path("datasets/<uuid:pk>/", datasets.OneDataset.as_view(), name="dataset"),
    path("datasets/<uuid:pk>/items/", datasets.DatasetItems.as_view(), name="dataset_items"),
    path("replays/", replays.Replays.as_view(), name="replays"),
    path("replays/estimate/", replays.EstimateReplay.as_view(), name="estimate_replay"),
    path("replays/<uuid:pk>/", replays.OneReplay.as_view(), name="replay"),
    path("replays/<uuid:pk>/results/", replays.ReplayResults.as_view(), name="replay_results"),
    path("replays/<uuid:pk>/retry/", replays.RetryReplay.as_view(), name="retry_replay"),
    path("replays/<uuid:pk>/stop/", replays.StopReplay.as_view(), name="stop_replay"),
]
