from typing import ClassVar

from django.db import models


class Order(models.Model):  # noqa: DJ008 - plain
    order_id = models.CharField(primary_key=True, max_length=64)
    status = models.CharField(max_length=16)
    symbol = models.CharField(max_length=32)
    side = models.CharField(max_length=4)
    quantity = models.DecimalField(max_digits=20, decimal_places=8)
    price = models.DecimalField(max_digits=20, decimal_places=8)
    counterparty = models.CharField(max_length=64, null=True)
    route = models.CharField(max_length=255, null=True)
    needs_review = models.BooleanField()
    review_reason = models.TextField()
    version = models.IntegerField()
    created_at = models.DateTimeField()
    routed_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "orders"
        ordering: ClassVar = ["-created_at"]
