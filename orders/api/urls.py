from django.urls import path, re_path

from orders.api import halts, views
from orders.api.identifiers import ORDER_ID

urlpatterns = [
    path("order", views.OrdersView.as_view(), name="orders"),
    re_path(rf"^order/{ORDER_ID}\Z", views.OrderStatusView.as_view(), name="order"),
    re_path(rf"^order/{ORDER_ID}/events\Z", views.OrderEventsView.as_view(), name="order-events"),
    path("halt", halts.HaltsView.as_view(), name="halts"),
    path("halt/<int:halt_id>/lift", halts.LiftView.as_view(), name="halt-lift"),
]
