from django.urls import path

from console.telemetry import views

app_name = "telemetry"
urlpatterns = [path("metrics", views.metrics, name="metrics")]
