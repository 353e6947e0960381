from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

from order_entry_project import health
from order_entry_project.console import accounts, home
from order_entry_project.metrics_view import MetricsView

admin.autodiscover()
admin.site.index_title = "Home"
accounts.register()

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("", include("orders.api.urls")),
    path("", include("routing.api.urls")),
    path("health", health.HealthView.as_view(), name="health"),
    path("health/live", health.LiveView.as_view(), name="live"),
    path("health/ready", health.ReadyView.as_view(), name="ready"),
    path("metrics", MetricsView.as_view(), name="metrics"),
    path("openapi.json", SpectacularJSONAPIView.as_view(), name="openapi"),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="openapi"), name="docs"),
    path("admin/home/", admin.site.admin_view(home.fragment), name="home-figures"),
    path("admin/", admin.site.urls),
]

handler400 = "order_entry_project.error_pages.bad_request"
handler403 = "order_entry_project.error_pages.permission_denied"
handler404 = "order_entry_project.error_pages.not_found"
handler500 = "order_entry_project.error_pages.server_error"
