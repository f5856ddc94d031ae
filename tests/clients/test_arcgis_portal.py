"""Signing in with the package arcgis."""

import pytest

from tests.clients.sites import Site, Told


@pytest.fixture(scope="module")
def told(python_client: None, site: Site) -> Told:
    return site.run("arcgis_portal.py", token=site.token())


@pytest.mark.parametrize(
    ("story", "way"),
    [
        ("password_on_the_sign_in_page", "EsriBuiltInAuth"),
        ("password_for_a_token", "EsriGenTokenAuth"),
        ("token_from_elsewhere", "EsriAPIKeyAuth"),
    ],
)
def test_an_administrator_signs_in(told: Told, story: str, way: str) -> None:
    seen = told[story]
    assert seen["signed_in_with"] == way
    assert (seen["username"], seen["role"]) == ("admin", "org_admin")
    assert "portal:admin:manageServers" in seen["privileges"]
    assert seen["administration"] == "KubernetesAdmin"
    assert seen["version"] >= [2024, 1]


def test_somebody_else_administers_nothing(told: Told) -> None:
    seen = told["somebody_who_is_no_administrator"]
    assert (seen["username"], seen["role"]) == ("ann", "org_user")
    assert not any(each.startswith("portal:admin:") for each in seen["privileges"])
    assert seen["administration"] == "NoneType"


def test_a_program_with_an_id_signs_people_in(told: Told) -> None:
    seen = told["program_with_an_id"]
    assert (seen["username"], seen["signed_in_with"]) == ("ann", "EsriOAuth2Auth")


def test_nobody_may_look_at_the_portal(told: Told) -> None:
    assert told["nobody"] == {"me": "None", "administration": "None"}


def test_a_wrong_password_on_the_sign_in_page_is_refused(told: Told) -> None:
    assert "Invalid username or password." in told["wrong_password_on_the_sign_in_page"]


def test_a_wrong_password_for_a_token_is_refused(told: Told) -> None:
    assert "Invalid username or password." in told["wrong_password_for_a_token"]


def test_a_token_that_is_none_signs_nobody_in(told: Told) -> None:
    assert told["wrong_token"] == "None"


def test_an_administrator_lets_people_in_and_out(told: Told) -> None:
    people = told["people_who_come_and_go"]
    assert people["created"] == {"username": "kim", "fullName": "Kim Lee", "role": "org_user"}
    assert people["signed_in"] == "kim"
    assert people["promoted"] == [True, "org_publisher"]
    assert people["found"] == ["admin", "ann", "bob", "kim"]
    assert people["deleted"] is True
    assert people["left"] == ["admin", "ann", "bob"]
    assert "Invalid username or password." in people["signs_in_no_more"]


def test_a_tool_runs_with_the_sign_in_of_the_portal(told: Told) -> None:
    assert told["tool_of_the_portal"] == 3
