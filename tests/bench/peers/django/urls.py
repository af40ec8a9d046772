from django.urls import path

from listings import views

urlpatterns = [
    path("services", views.Browse.as_view()),
    path("services/nearby", views.Nearby.as_view()),
    path("services/<uuid:service_id>", views.GetService.as_view()),
]
