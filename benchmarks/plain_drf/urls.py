from typing import Any

from django.urls import include, path
from rest_framework.pagination import CursorPagination
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet

from benchmarks.plain_drf.models import Order


class Pages(CursorPagination):
    ordering = "-created_at"
    page_size = 100
    max_page_size = 1000
    page_size_query_param = "limit"


class OrderSerializer(ModelSerializer[Order]):
    class Meta:
        model = Order
        fields = "__all__"


class OrderViewSet(ModelViewSet[Order]):
    queryset = Order.objects.all()
    serializer_class: Any = OrderSerializer
    pagination_class = Pages


router = SimpleRouter(trailing_slash=False)
router.register("order", OrderViewSet)
urlpatterns = [path("", include(router.urls))]
