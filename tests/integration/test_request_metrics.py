"""Requests are counted in batches: nothing is lost, and it is seen a moment later."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.test import RequestFactory
from django.urls import ResolverMatch
from prometheus_client import REGISTRY

from order_entry_project import request_metrics
from order_entry_project.request_metrics import RequestMetrics, WholeRequests
from tests.waiting import wait_until


def answered(request, response=None):
    """Through both middleware, by a view called `view`."""

    def view(request):
        request.resolver_match = ResolverMatch(view, (), {}, "view")
        return response or HttpResponse(b"x" * 5)

    return WholeRequests(RequestMetrics(view))(request)


class Counted:
    """What has been added to series since this was made."""

    def __init__(self) -> None:
        request_metrics.write()
        self._before = self._all()

    @staticmethod
    def _all():
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in REGISTRY.collect()
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        key = (f"django_http_{name}", tuple(sorted(labels.items())))
        return self._all().get(key, 0) - self._before.get(key, 0)


@pytest.fixture
def counted():
    return Counted()


def test_a_request_counts_in_each_of_its_series(counted):
    answered(RequestFactory().post("/", b"123", content_type="text/plain", secure=True))
    request_metrics.write()
    once = {
        "requests_before_middlewares_total": {},
        "responses_before_middlewares_total": {},
        "requests_latency_including_middlewares_seconds_count": {},
        "requests_latency_seconds_by_view_method_count": {"view": "view", "method": "POST"},
        "requests_total_by_method_total": {"method": "POST"},
        "requests_total_by_transport_total": {"transport": "https"},
        "requests_total_by_view_transport_method_total": {
            "view": "view",
            "transport": "https",
            "method": "POST",
        },
        "responses_total_by_status_total": {"status": "200"},
        "responses_total_by_status_view_method_total": {"status": "200", "view": "view", "method": "POST"},
        "responses_total_by_charset_total": {"charset": "utf-8"},
    }
    assert {name: counted(name, **labels) for name, labels in once.items()} == dict.fromkeys(once, 1)
    assert counted("requests_body_total_bytes_sum") == 3
    assert counted("responses_body_total_bytes_sum") == 5
    assert (
        counted("responses_body_total_bytes_bucket", le="4.0"),
        counted("responses_body_total_bytes_bucket", le="8.0"),
    ) == (0, 1)
    assert counted("ajax_requests_total") == counted("responses_streaming_total") == 0


def test_what_is_streamed_and_what_scripts_ask_for_is_counted_as_such(counted):
    request = RequestFactory().get("/", headers={"X-Requested-With": "XMLHttpRequest"})
    answered(request, StreamingHttpResponse([b"x"]))
    request_metrics.write()
    assert counted("ajax_requests_total") == counted("responses_streaming_total") == 1
    assert counted("responses_body_total_bytes_count") == 0


def test_methods_that_strangers_invent_share_one_series(counted):
    answered(RequestFactory().generic("BREW", "/"))
    request_metrics.write()
    assert counted("requests_total_by_method_total", method="<invalid method>") == 1
    assert counted("requests_total_by_method_total", method="BREW") == 0


def test_what_no_view_was_found_for_counts_as_unnamed(counted):
    RequestMetrics(lambda _: HttpResponse(status=404))(RequestFactory().get("/"))
    request_metrics.write()
    labels = {"view": "<unnamed view>", "method": "GET"}
    assert counted("responses_total_by_status_view_method_total", status="404", **labels) == 1
    assert counted("requests_total_by_view_transport_method_total", transport="http", **labels) == 0


def test_exceptions_are_counted_by_type_and_view(counted):
    request = RequestFactory().get("/")
    request.resolver_match = ResolverMatch(lambda _: None, (), {}, "view")
    RequestMetrics(lambda _: HttpResponse()).process_exception(request, Http404())
    assert counted("exceptions_total_by_type_total", type="Http404") == 1
    assert counted("exceptions_total_by_view_total", view="view") == 1


def test_counts_are_there_a_moment_later_by_themselves(counted):
    answered(RequestFactory().get("/"))
    wait_until(lambda: counted("requests_before_middlewares_total") == 1, what="it is written", patience=10)


def test_of_many_threads_not_one_request_is_lost(counted):
    with ThreadPoolExecutor(8) as threads:
        for asked in [threads.submit(answered, RequestFactory().get("/")) for _ in range(2000)]:
            asked.result()
        request_metrics.write()
    names = [
        "requests_before_middlewares_total",
        "responses_before_middlewares_total",
        "requests_latency_including_middlewares_seconds_count",
        "responses_body_total_bytes_count",
    ]
    assert [counted(name) for name in names] == [2000] * 4
