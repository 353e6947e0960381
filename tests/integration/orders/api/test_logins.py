"""Passwords cannot be guessed, sessions cannot be planted, and failures are on record."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import authenticate
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from orders import logins
from orders.api.rates import Rate
from orders.models import AuditEntry
from tests.callers import PASSWORD, basic, person, problem_of

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/?next=/admin/"


@pytest.fixture
def anna(db):
    return person("anna", "view_order", is_staff=True)


def log_in(client: Client, password: str = PASSWORD, name: str = "anna", **extra):
    return client.post(LOGIN, {"username": name, "password": password}, **extra)


def is_in(response) -> bool:
    return response.status_code == 302


def fail(times: int, client: Client | None = None, **extra) -> None:
    for _ in range(times):
        assert not is_in(log_in(client or Client(), "wrong", **extra))


class TestGuessing:
    def test_the_right_password_lets_in_after_a_few_wrong_ones(self, client, anna):
        fail(9)
        assert is_in(log_in(client))

    def test_after_ten_wrong_ones_the_right_one_does_not_and_the_page_says_for_how_long(self, client, anna):
        fail(10)
        response = log_in(client)
        assert not is_in(response)
        assert "Too many failed log-ins. Try again in 15 minutes." in response.content.decode()

    def test_the_door_opens_again_after_a_quarter_of_an_hour(self, client, anna, monkeypatch):
        fail(10)
        monkeypatch.setattr(logins, "_WITHIN", timedelta(0))
        assert is_in(log_in(client))

    def test_the_api_has_the_same_door(self, client, anna):
        for _ in range(9):
            problem_of(client.get("/order", headers=basic("anna", "wrong")), 401)
        response = client.get("/order", headers=basic("anna", "wrong"))
        problem_of(response, 429)
        assert int(response["Retry-After"]) > 890
        problem_of(client.get("/order", headers=basic("anna")), 429)
        assert not is_in(log_in(client))

    def test_someone_else_at_another_address_is_not_locked_out(self, client, anna):
        fail(10, REMOTE_ADDR="192.0.2.9", secure=True)
        assert is_in(log_in(client))

    def test_someone_else_at_this_address_is_not_locked_out(self, client, anna):
        fail(10, name="bert")
        assert is_in(log_in(client))

    def test_a_name_that_nobody_has_is_treated_like_any_other(self, client):
        fail(10, name="nobody-of-this-name")
        assert "Too many failed" in log_in(client, name="nobody-of-this-name").content.decode()

    def test_one_address_cannot_try_name_after_name(self, client, anna, monkeypatch):
        assert 10 < logins._OF_ONE_ADDRESS.most <= 60
        monkeypatch.setattr(logins, "_OF_ONE_ADDRESS", Rate(12, 900.0))
        for number in range(12):
            fail(1, name=f"user-{number}")
        assert "Too many failed" in log_in(client).content.decode()
        problem_of(client.get("/order", headers=basic("anna")), 429)

    def test_while_the_door_is_closed_no_password_is_looked_at_and_nothing_is_recorded(self, client, anna):
        fail(10)
        before = AuditEntry.objects.count()
        with CaptureQueriesContext(connection) as queries:
            log_in(client)
        assert not any("auth_user" in query["sql"] for query in queries)
        assert AuditEntry.objects.count() == before

    def test_the_count_is_found_by_index(self, anna):
        fail(3)
        with CaptureQueriesContext(connection) as queries:
            log_in(Client())
        count = next(query["sql"] for query in queries if "audit_entries" in query["sql"])
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {count}")
            assert "audit_entries_subject" in "\n".join(line for (line,) in cursor.fetchall())


class TestRecord:
    def test_a_failed_log_in_says_who_from_where_and_never_the_password(self, client, anna):
        log_in(client, "tell nobody")
        entry = AuditEntry.objects.get(action__startswith="login.")
        assert (entry.action, entry.actor, entry.subject) == ("login.fail", "anna", "anna")
        assert entry.detail == {
            "address": "127.0.0.1",
            "path": "/admin/login/",
            "reason": "wrong name or password",
        }

    def test_a_log_in_to_the_console_is_on_record_as_well(self, client, anna):
        log_in(client)
        client.get("/order")
        entry = AuditEntry.objects.get(action__startswith="login.")
        assert (entry.action, entry.actor, entry.detail) == (
            "login.succeed",
            "anna",
            {"address": "127.0.0.1"},
        )

    @pytest.mark.parametrize("name", ["x" * 150, "a\nb", "<script>", "ü" * 150])
    def test_whatever_is_typed_as_a_name_can_be_recorded(self, client, name):
        log_in(client, name=name)
        client.get("/order", headers=basic(name.encode().decode("latin-1")))
        assert AuditEntry.objects.exists()
        assert all(entry.subject.isprintable() for entry in AuditEntry.objects.all())

    @pytest.mark.parametrize("name", ["\0", "anna\0", ""])
    def test_a_name_that_cannot_be_is_refused(self, client, name):
        problem_of(client.get("/order", headers=basic(name, "x")), 401)
        assert not is_in(log_in(client, name=name))

    @pytest.mark.parametrize("value", ["Basic", "Basic !!!", "Basic " + "x" * 3, "Basic YQ==", "Basic a b"])
    def test_what_is_no_name_and_password_is_refused(self, client, value):
        problem_of(client.get("/order", headers={"Authorization": value}), 401)

    def test_a_log_in_by_a_program_of_this_service_itself_is_not_counted(self, anna):
        assert authenticate(username="anna", password=PASSWORD) == anna
        assert authenticate(username="anna", password="wrong") is None
        assert not AuditEntry.objects.filter(action__startswith="login.").exists()


class TestSessions:
    def test_a_session_planted_before_the_log_in_is_worth_nothing_after_it(self, client, anna):
        """Session fixation: whoever made the victim use a session he knows would be in as well."""
        session = client.session
        session["planted"] = True
        session.save()
        planted = session.session_key
        client.cookies["sessionid"] = planted
        assert is_in(log_in(client))
        assert client.cookies["sessionid"].value != planted
        thief = Client()
        thief.cookies["sessionid"] = planted
        problem_of(thief.get("/order"), 401)

    def test_an_invented_session_is_nobody_s(self, client, anna):
        client.cookies["sessionid"] = "x" * 32
        problem_of(client.get("/order"), 401)
        assert is_in(log_in(client))
        assert client.cookies["sessionid"].value != "x" * 32

    def test_logging_out_ends_it_for_whoever_has_the_cookie(self, client, anna):
        log_in(client)
        thief = Client()
        thief.cookies["sessionid"] = client.cookies["sessionid"].value
        assert thief.get("/order").status_code == 200
        client.post("/admin/logout/")
        problem_of(thief.get("/order"), 401)

    def test_a_deactivated_user_s_session_ends_at_once(self, client, anna):
        log_in(client)
        anna.is_active = False
        anna.save()
        problem_of(client.get("/order"), 401)
        assert not is_in(log_in(client))

    def test_a_new_password_ends_the_sessions_of_the_old_one(self, client, anna):
        log_in(client)
        anna.set_password("another horse battery")
        anna.save()
        problem_of(client.get("/order"), 401)

    def test_its_cookie_is_out_of_reach_of_scripts_and_of_other_sites(self, client, anna):
        log_in(client)
        cookie = client.cookies["sessionid"]
        assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 8 * 3600)
        assert client.cookies["csrftoken"]["samesite"] == "Lax"

    def test_and_travels_over_https_alone_where_there_is_nothing_else(self, client, anna, settings):
        settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
        log_in(client, secure=True, headers={"Referer": "https://testserver/"})
        assert client.cookies["sessionid"]["secure"]
        assert client.cookies["csrftoken"]["secure"]

    def test_a_page_elsewhere_cannot_log_anyone_in(self, anna):
        assert log_in(Client(enforce_csrf_checks=True)).status_code == 403

    def test_the_console_takes_no_password_that_travelled_in_the_clear(self, client, anna):
        response = log_in(client, REMOTE_ADDR="192.0.2.9")
        assert not is_in(response)
        assert "https alone" in response.content.decode()
        assert is_in(log_in(client, REMOTE_ADDR="192.0.2.9", secure=True))
