"""Tools in a web page: the package @esri/arcgis-rest-request."""

import pytest

from tests.clients.sites import POINT, Site, Told


@pytest.fixture(scope="module")
def told(node_client: None, site: Site) -> Told:
    return site.run("rest_js.js", points=POINT)


def test_somebody_signs_in(told: Told) -> None:
    person = told["personWhoSignsIn"]
    assert (person["username"], person["role"]) == ("ann", "org_user")
    assert person["portal"]


def test_a_wrong_password_is_refused(told: Told) -> None:
    refusal = told["wrongPassword"]
    assert refusal["name"] == "ArcGISTokenRequestError"
    assert "Unable to generate token" in refusal["message"]


def test_a_job_gives_back_every_kind_of_value(told: Told) -> None:
    tool = told["toolWithResults"]
    assert tool["status"] == "Succeeded"
    assert {"text", "features", "colour"} <= set(tool["inputs"])
    assert tool["text"] == {"paramName": "text_back", "dataType": "GPString", "value": "Zürich"}
    values = tool["values"]
    assert (values["whole_back"], values["flag_back"], values["texts_back"]) == (3, True, ["a", "b"])
    assert values["features_back"] == POINT


def test_a_job_is_found_again(told: Told) -> None:
    assert told["jobFoundAgain"] == {"id": True, "features": 2}


def test_a_tool_that_fails_tells_why(told: Told) -> None:
    failed = told["toolThatFails"]
    assert (failed["name"], failed["job"]["status"]) == ("ArcGISJobError", "Failed")
    assert failed["job"]["messages"][-1]["description"] == "The bridge is out"


def test_wrong_input_is_refused_with_its_name(told: Told) -> None:
    refusal = told["wrongInput"]
    assert (refusal["name"], refusal["code"]) == ("ArcGISRequestError", 400)
    assert "Parameter 'whole': 1000 is not between 0 and 100" in refusal["message"]


def test_a_running_tool_is_cancelled(told: Told) -> None:
    cancel = told["cancelledTool"]
    assert cancel["answer"]["jobStatus"] in ("esriJobCancelling", "esriJobCancelled")
    assert (cancel["ended"]["name"], cancel["ended"]["job"]["status"]) == ("ArcGISJobError", "Cancelled")


def test_a_dead_token_is_renewed(told: Told) -> None:
    renewed = told["deadTokenIsRenewed"]
    assert renewed["username"] == "ann"
    assert renewed["token"] != "no-token-any-more"


def test_the_token_of_the_portal_gets_one_for_the_server(told: Told, site: Site) -> None:
    exchanged = told["tokenForTheServer"]
    assert exchanged["federated"] == [site.address]
    assert exchanged["kept"]
    assert exchanged["renewed"] != "no-token-any-more"
    assert "parcels" in exchanged["tasks"]


def test_a_program_sends_people_to_the_sign_in_page(told: Told) -> None:
    person = told["personOnTheSignInPage"]
    assert person["back"] == "http://localhost:8000/signed-in"
    assert person["username"] == "ann"
    assert person["token"] != "no-token-any-more"
    assert "parcels" in person["tasks"]
    assert "used already" in person["codeAgain"]["message"]


def test_the_token_of_somebody_who_has_signed_out_is_dead(told: Told) -> None:
    refusal = told["signedOut"]
    assert (refusal["name"], refusal["code"]) == ("ArcGISAuthError", 498)
