"""Files: sent ahead or with a job, out of a job, and from one job into the next."""

from urllib.parse import unquote, urlsplit

import httpx
import pytest

from tests.running import RunningServer, wait_for_job
from tests.servers.talking import EVERY, UPLOADS, Task, client_of, count_jobs, error_of, json_of


def upload(client: httpx.Client, content: bytes, name: str = "data.csv") -> str:
    answer = json_of(
        client.post(
            f"{UPLOADS}/upload",
            data={"f": "json", "description": "some data"},
            files={"file": (name, content)},
        )
    )
    assert answer["success"] is True
    item: str = answer["item"]["itemID"]
    return item


def test_upload(client: httpx.Client) -> None:
    item = upload(client, b"a,b\n", "Größe <1>.csv")
    about = json_of(client.get(f"{UPLOADS}/{item}", params={"f": "json"}))
    assert about.keys() == {"itemID", "itemName", "description", "date", "size", "committed"}
    assert (about["itemID"], about["size"], about["committed"]) == (item, 4, True)
    assert about["itemName"] == "Größe_1_.csv"
    assert about["description"] == "some data"
    assert json_of(client.post(f"{UPLOADS}/{item}/delete", data={"f": "json"})) == {"success": True}
    assert error_of(client.get(f"{UPLOADS}/{item}", params={"f": "json"}))["code"] == 404


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "/etc/passwd", ".hidden", "a\\b", "%2e%2e%2fx", "x" * 900]
)
def test_names_of_uploads_lead_nowhere(client: httpx.Client, name: str) -> None:
    item = upload(client, b"x", name)
    about = json_of(client.get(f"{UPLOADS}/{item}", params={"f": "json"}))
    assert "/" not in about["itemName"]
    assert not about["itemName"].startswith(".")
    assert len(about["itemName"]) <= 120


@pytest.mark.parametrize("name", ["x" * 300 + ".geojson", "ä" * 300 + ".tif", "日" * 300 + ".csv"])
def test_long_names_keep_their_suffix(task: Task, name: str) -> None:
    item = upload(task.client, b"x", name)
    about = json_of(task.client.get(f"{UPLOADS}/{item}", params={"f": "json"}))
    assert about["itemName"].endswith(name[name.index(".") :])
    job, state = task.run("copy_files", table=item)
    assert state["jobStatus"] == "esriJobSucceeded"
    assert task.client.get(task.result(job, "table_copy")["value"]["url"]).content == b"x"


def test_an_upload_without_a_file(client: httpx.Client) -> None:
    for answer in (
        client.post(f"{UPLOADS}/upload", data={"f": "json"}),
        client.get(f"{UPLOADS}/upload", params={"f": "json"}),
        client.post(f"{UPLOADS}/upload", data={"f": "json"}, files={"other": ("a", b"b")}),
    ):
        assert "Parameter 'file'" in error_of(answer)["message"]


def test_uploads_of_other_people_are_not_there(client: httpx.Client, ann: httpx.Client) -> None:
    item = upload(client, b"x")
    assert error_of(ann.get(f"{UPLOADS}/{item}", params={"f": "json"}))["code"] == 404
    assert error_of(ann.post(f"{UPLOADS}/{item}/delete", data={"f": "json"}))["code"] == 404
    error = Task(ann).refused("copy_files", table=f'{{"itemID": "{item}"}}')
    assert error["message"] == f"Parameter 'table': there is no upload {item!r}: send the file again"


def test_a_file_sent_ahead_comes_out_again(client: httpx.Client, task: Task) -> None:
    item = upload(client, b"a,b\n1,2\n", "table.csv")
    for reference in (f'{{"itemID": "{item}"}}', item):
        job, state = task.run("copy_files", table=reference)
        assert state["jobStatus"] == "esriJobSucceeded", state
        assert json_of(client.get(f"{job}/inputs/table?f=json"))["value"] == {"itemID": item}
        value = task.result(job, "table_copy")
        assert value["dataType"] == "GPDataFile"
        assert value["value"].keys() == {"url"}
        assert client.get(value["value"]["url"]).content == b"a,b\n1,2\n"


def test_files_sent_with_the_job(client: httpx.Client) -> None:
    answer = json_of(
        client.post(
            f"{EVERY}/copy_files/submitJob",
            data={"f": "json"},
            files=[
                ("table", ("t.txt", b"table")),
                ("image", ("i.tif", b"II*\0image")),
                ("more", ("1", b"one")),
                ("more", ("2", b"two")),
                ("unknown", ("u", b"u")),
            ],
        )
    )
    job = f"{EVERY}/copy_files/jobs/{answer['jobId']}"
    assert wait_for_job(client, job)["jobStatus"] == "esriJobSucceeded"
    task = Task(client)
    assert client.get(task.result(job, "table_copy")["value"]["url"]).content == b"table"
    image = task.result(job, "image_copy")
    assert image["dataType"] == "GPRasterDataLayer"
    assert image["value"].keys() == {"url", "format"}
    assert image["value"]["format"] == "tif"
    assert client.get(image["value"]["url"]).content == b"II*\0image"
    copies = task.result(job, "copies")
    assert copies["dataType"] == "GPMultiValue:GPDataFile"
    assert [client.get(each["url"]).content for each in copies["value"]] == [b"one", b"two"]


def test_a_form_of_a_browser_sends_files_without_a_name_for_none(client: httpx.Client) -> None:
    """Where no file was chosen, that is."""
    form = {"f": (None, "json"), "table": ("", b"", "application/octet-stream")}
    error = error_of(client.post(f"{EVERY}/copy_files/submitJob", files=form))
    assert error["message"] == "Parameter 'table' is required"


def test_refused_jobs_leave_no_uploads(server: RunningServer, client: httpx.Client) -> None:
    folder = server.data / "uploads"
    before, jobs = set(folder.iterdir()), count_jobs(client)
    form = {"f": "json", "more": "no list"}
    answer = client.post(f"{EVERY}/copy_files/submitJob", data=form, files={"table": ("t", b"x")})
    assert "Parameter 'more'" in error_of(answer)["message"]
    assert set(folder.iterdir()) == before
    assert count_jobs(client) == jobs


def test_a_text_in_a_file_must_be_utf8(client: httpx.Client) -> None:
    answer = client.post(
        f"{EVERY}/everything/submitJob", data={"f": "json"}, files={"text": ("t", b"\xff\xfe")}
    )
    assert error_of(answer)["message"] == "Parameter 'text': the file sent for it is not UTF-8 text"


def test_the_result_of_one_job_is_the_input_of_the_next(task: Task) -> None:
    item = upload(task.client, b"chain")
    first, _ = task.run("copy_files", table=item)
    url = task.result(first, "table_copy")["value"]["url"]
    for reference in (url, f'{{"url": "{url}"}}', urlsplit(url).path):
        second, state = task.run("copy_files", table=reference)
        assert state["jobStatus"] == "esriJobSucceeded", state
        assert task.client.get(task.result(second, "table_copy")["value"]["url"]).content == b"chain"


def test_a_result_whose_name_is_not_ascii_can_be_chained(task: Task) -> None:
    first, _ = task.run("copy_files", table=upload(task.client, b"x"))
    url = task.result(first, "image_copy")["value"]["url"]
    assert url.isascii()
    assert unquote(url).endswith("/Höhe_b_.tif")
    assert task.client.get(url).content == b"II*\0"
    second, state = task.run("copy_files", table=upload(task.client, b"x"), image=url)
    assert state["jobStatus"] == "esriJobSucceeded", state
    assert task.client.get(task.result(second, "image_copy")["value"]["url"]).content == b"II*\0"


def test_result_files_of_other_people(client: httpx.Client, ann: httpx.Client, nobody: httpx.Client) -> None:
    hers = Task(ann)
    job, _ = hers.run("page")
    url = hers.result(job, "result")["value"]["url"]
    assert ann.get(url).status_code == 200
    assert client.get(url).status_code == 200  # administrators
    mine = Task(client)
    job, _ = mine.run("page")
    url = mine.result(job, "result")["value"]["url"]
    assert error_of(ann.get(url, params={"f": "json"}))["code"] == 404
    assert error_of(nobody.get(url, params={"f": "json"}))["code"] == 499
    error = Task(ann).refused("copy_files", table=url)
    assert "is no result file of a job of yours" in error["message"]


def test_result_files_do_not_run_in_a_browser(task: Task) -> None:
    job, _ = task.run("page")
    answer = task.client.get(task.result(job, "result")["value"]["url"])
    assert answer.text == "<script>alert(1)</script>"
    assert answer.headers["content-disposition"] == 'attachment; filename="page.html"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "private, no-cache"


def test_parts_of_result_files(task: Task) -> None:
    """GDAL reads rasters over HTTP in parts."""
    job, _ = task.run("page", content="0123456789")
    url = task.result(job, "result")["value"]["url"]
    part = task.client.get(url, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    head = task.client.head(url)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "10")


@pytest.mark.parametrize(
    "name",
    [
        "nothing.txt",
        "..",
        "%2e%2e",
        "%2e%2e%2flog.txt",
        "..%2flog.txt",
        "..%5clog.txt",
        "%2fetc%2fpasswd",
        "page.html%00",
        "x" * 3000,
    ],
)
def test_paths_lead_nowhere(task: Task, name: str) -> None:
    job, _ = task.run("page")
    folder = task.result(job, "result")["value"]["url"].rpartition("/")[0]
    error = error_of(task.client.get(f"{folder}/{name}", params={"f": "json"}))
    assert error["code"] == 404
    assert len(error["message"]) < 300


@pytest.mark.parametrize(
    "reference",
    [
        "http://example.com/file.tif",
        "file:///etc/passwd",
        "/etc/passwd",
        "../../server.lock",
        "/vsicurl/http://example.com/a.tif",
        "i" + "0" * 32,
        '{"itemID": "../../jobs"}',
        '{"url": "x", "itemID": "y"}',
        '{"path": "/etc/passwd"}',
        "{}",
        "[]",
        "https://x/jobs/j" + "0" * 32 + "/..%2f..%2flog.txt",
    ],
)
def test_references_lead_nowhere(task: Task, reference: str) -> None:
    assert "Parameter 'table'" in task.refused("copy_files", table=reference)["message"]


def test_a_large_file(server: RunningServer, client: httpx.Client) -> None:
    """Larger than any other request may be, for those who have shown who they are."""
    content = b"0123456789abcdef" * (70 * 2**16)
    item = upload(client, content, "large.bin")
    assert json_of(client.get(f"{UPLOADS}/{item}?f=json"))["size"] == len(content)
    json_of(client.post(f"{UPLOADS}/{item}/delete?f=json"))
    with client_of(server) as late:
        form = {"f": "json", "token": server.token}
        answer = late.post(f"{UPLOADS}/upload", data=form, files={"file": ("x", content)})
        assert "a token in a header" in error_of(answer)["message"]
