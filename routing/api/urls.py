from django.urls import path, re_path

from orders.api.identifiers import ORDER_ID
from routing.api import approvals, operations, views

urlpatterns = [
    re_path(rf"^order/{ORDER_ID}/routes\Z", views.OrderRoutesView.as_view(), name="order-routes"),
    re_path(rf"^order/{ORDER_ID}/route\Z", operations.RouteView.as_view(), name="order-route"),
    re_path(rf"^order/{ORDER_ID}/retry\Z", operations.RetryView.as_view(), name="order-retry"),
    re_path(rf"^order/{ORDER_ID}/cancel\Z", operations.CancelView.as_view(), name="order-cancel"),
    re_path(rf"^order/{ORDER_ID}/execution\Z", operations.ExecutionView.as_view(), name="order-execution"),
    re_path(
        rf"^order/{ORDER_ID}/clear-review\Z", operations.ClearReviewView.as_view(), name="order-clear-review"
    ),
    path("approval", approvals.ApprovalsView.as_view(), name="approvals"),
    path("approval/<uuid:approval_id>", approvals.ApprovalView.as_view(), name="approval"),
    path("approval/<uuid:approval_id>/approve", approvals.ApproveView.as_view(), name="approval-approve"),
    path("approval/<uuid:approval_id>/decline", approvals.DeclineView.as_view(), name="approval-decline"),
]
