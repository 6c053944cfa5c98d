"""URLs of the playground."""

from django.urls import path

from console.playground import views

app_name = "playground"
urlpatterns = [
    path("playground/", views.bench, name="bench"),
    path("playground/stream/", views.stream, name="stream"),
    path("playground/checks/", views.checks, name="checks"),
    path("playground/rate/", views.rate, name="rate"),
    path("playground/code/", views.code, name="code"),
]
