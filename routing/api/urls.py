from django.urls import re_path

from orders.api.identifiers import ORDER_ID
from routing.api import views

urlpatterns = [
    re_path(rf"^order/{ORDER_ID}/routes\Z", views.OrderRoutesView.as_view(), name="order-routes"),
]
