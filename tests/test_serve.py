"""The served page: what it shows, and that it cannot be made to show, run or change anything else."""

import html
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from msgspec.structs import replace
from records_factory import damage, died, measured, record, write_study

from harness import language
from harness.cli.commands.serve import serve
from harness.errors import EnvironmentFailure, UsageError
from reports.formats.export import from_csv
from reports.formats.serve import create_app, is_allowed
from reports.formats.served_studies import Remembered

ROOT = Path(__file__).resolve().parent.parent
LOCAL = {"Host": "127.0.0.1:8737"}
HOSTILE = '"><script>alert(1)</script>\x1b[31m{{ 7 * 7 }}'
SECRET = "not for the page"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    for name, step_s in (("before", 0.01), ("after", 0.02)):
        runs = [record(repeat=repeat, found=measured(step_s * (1 + repeat / 100))) for repeat in range(3)]
        write_study(folder / name, [*runs, died("tensorflow", reason=HOSTILE)])
    write_study(folder / "texts", [record("mindspore", task=record().task, preset="smoke")])
    (tmp_path / "secret").write_text(SECRET)
    return folder


@pytest.fixture
def client(results: Path) -> Iterator[FlaskClient]:
    with create_app(results).test_client() as found:
        yield found


def read(client: FlaskClient, address: str, code: int = 200) -> str:
    answer = client.get(address, headers=LOCAL)
    assert answer.status_code == code, answer.text
    return answer.text


def test_all_studies_are_listed_with_what_became_of_their_runs(client: FlaskClient, results: Path) -> None:
    damage(results / "before")
    page = read(client, "/")
    assert re.findall(r'href="/study/(\w+)"', page) == ["texts", "before", "after"]
    assert "3 ok, 1 crashed · 1 damaged" in page
    assert "4 of 4" in page
    assert "Test CPU, 4 processors, 8 GB" in page


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=AFTER", ["after"]),
        ("q=lenet+test+cpu", ["texts", "before", "after"]),
        ("q=nothing", []),
        ("backend=mindspore", ["texts"]),
        ("status=crashed", ["before", "after"]),
        ("status=crashed&q=before&task=lenet-mnist", ["before"]),
    ],
)
def test_studies_are_filtered(query: str, names: list[str], client: FlaskClient) -> None:
    page = read(client, f"/?{query}")
    assert re.findall(r'href="/study/(\w+)"', page) == names
    assert f"{len(names)} of 3 studies." in page


def test_the_report_of_a_study_is_made_by_the_page_in_a_sandbox(results: Path) -> None:
    made = []

    def page(folder: Path, _links: object) -> str:
        made.append((folder.name, language.current()))
        return "<!doctype html><p>the page"

    client = create_app(results, page=page).test_client()
    answer = client.get("/study/before", headers=LOCAL)
    assert answer.text == "<!doctype html><p>the page"
    policy = answer.headers["Content-Security-Policy"]
    assert "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy
    client.get("/study/before?lang=zh", headers=LOCAL)
    client.get("/study/before", headers=LOCAL)
    assert made == [("before", "en"), ("before", "zh")]
    damage(results / "before")
    client.get("/study/before", headers=LOCAL)
    assert made[2:] == [("before", "en")]


def test_the_report_of_a_study_is_one_page(client: FlaskClient) -> None:
    assert "lenet-mnist · quick · digits · cpu" in read(client, "/study/before")


def test_two_studies_are_compared_as_on_the_command_line(client: FlaskClient) -> None:
    page = read(client, "/compare?a=before&b=after")
    assert "<h1>after against before</h1>" in page
    assert "<td>slower</td>" in page
    assert 'href="/compare?a=after&amp;b=before"' in page
    assert "would be compared with itself" in read(client, "/compare?a=before&b=before", 400)
    assert "Choose two studies" in read(client, "/compare?a=before", 400)


def test_nothing_from_a_record_is_markup_or_a_template(results: Path) -> None:
    strange = measured(versions={"torch": HOSTILE}, settings={HOSTILE: HOSTILE}, device_name=HOSTILE)
    machine = replace(record().machine, cpu=HOSTILE, kernel=HOSTILE)
    for name in ("a", "b"):
        bad = replace(
            record(found=strange, machine=machine, reason=HOSTILE, git_revision=HOSTILE + name), evenbench=HOSTILE
        )
        spec = replace(bad.spec, task="x<y>", backend="<b>{{ 7 * 7 }}", dataset="a&b")
        write_study(results / name, [replace(bad, spec=spec)])
    client = create_app(results).test_client()
    for address in (
        "/",
        "/?q=<script>alert(1)</script>&task=<script>",
        "/study/a",
        "/compare?a=a&b=b",
        "/study/<script>",
    ):
        page = client.get(address, headers=LOCAL).text
        assert HOSTILE not in page
        if address == "/study/a":  # it has scripts of its own: tests/test_page_browser.py sees that no others run
            page = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
        assert "<script" not in page
        assert "\x1b" not in page
        assert "<b>" not in page
        assert not re.search(r"\b49\b", page)


@pytest.mark.parametrize(
    "path",
    [
        "/study/..", "/study/../secret", "/study/..%2Fsecret", "/study/%2e%2e%2fsecret", "/study/%252e%252e%252fsecret",
        "/study//etc/passwd", "/study/%2Fetc%2Fpasswd", "/study/before%00", "/study/before/../../secret",
        "/study/before/study.json", "/study/before%2Fstudy.json", "/study/..%5Csecret", "/study/.", "/study/",
        "/serve.css/../../secret", "/static/secret", "/../secret", "/study/outside", "/study/holds-a-link",
        "/study/loop", "/study/" + "x" * 5000, "/compare?a=before&b=../secret", "/compare?a=before&b=/etc",
        "/compare?a=before&b=before%00", "/compare?a=before&b=outside", "/study/.hidden",
    ],
)  # fmt: skip
def test_nothing_outside_the_results_can_be_read(path: str, results: Path) -> None:
    outside = write_study(results.parent / "elsewhere", [record(git_revision=SECRET)])
    (results / "outside").symlink_to(outside)
    linked = write_study(results / "holds-a-link", [record(repeat=1)])
    (linked / f"{record().spec.run_id}.json").symlink_to(next(outside.glob("lenet*.json")))
    (results / "loop").symlink_to(results / "loop")
    write_study(results / ".hidden", [record()])
    client = create_app(results).test_client()
    answer = client.get(path, headers=LOCAL)
    assert answer.status_code in (400, 404)
    assert SECRET not in answer.text
    assert str(results) not in answer.text
    listed = client.get("/", headers=LOCAL).text
    assert "outside" not in listed
    assert "holds-a-link" not in listed


def test_a_link_inside_the_results_may_be_followed(results: Path) -> None:
    (results / "again").symlink_to(results / "before")
    assert "again" in create_app(results).test_client().get("/", headers=LOCAL).text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "ANYTHING"])
@pytest.mark.parametrize("path", ["/", "/study/before", "/nothing"])
def test_only_reading_is_allowed(method: str, path: str, client: FlaskClient) -> None:
    answer = client.open(path, method=method, headers=LOCAL)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "path", ["/", "/study/before", "/compare?a=before&b=after", "/serve.css", "/nothing", "/compare"]
)
def test_every_answer_has_its_headers_and_no_cookie(path: str, client: FlaskClient) -> None:
    for answer in (client.get(path, headers=LOCAL), client.head(path, headers=LOCAL), client.post(path, headers=LOCAL)):
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert client.head(path, headers=LOCAL).data == b""


@pytest.mark.parametrize(
    ("given", "host", "allowed"),
    [
        ("127.0.0.1:8737", "127.0.0.1", True),
        ("localhost", "127.0.0.1", True),
        ("LOCALHOST:1", "127.0.0.1", True),
        ("[::1]:8737", "127.0.0.1", True),
        ("evil.example", "127.0.0.1", False),
        ("evil.example:8737", "127.0.0.1", False),
        ("127.0.0.1.evil.example", "127.0.0.1", False),
        ("localhost@evil.example", "127.0.0.1", False),
        ("", "127.0.0.1", False),
        ("192.168.0.7:8737", "127.0.0.1", False),
        ("192.168.0.7:8737", "192.168.0.7", True),
        ("class.example", "class.example", True),
        ("192.168.0.7:8737", "0.0.0.0", True),
        ("[fe80::1]:8737", "::", True),
        ("evil.example", "0.0.0.0", False),
        (f"{socket.gethostname()}:8737", "0.0.0.0", True),
    ],
)
def test_the_host_must_be_this_machine(given: str, host: str, allowed: bool) -> None:
    assert is_allowed(given, host) == allowed


def test_a_foreign_name_that_points_here_is_refused(client: FlaskClient) -> None:
    for headers in ({"Host": "evil.example"}, {"Host": "evil.example", "X-Forwarded-Host": "localhost"}):
        answer = client.get("/study/before", headers=headers)
        assert answer.status_code == 400
        assert "lenet" not in answer.text


@pytest.mark.parametrize(
    ("query", "accepted", "spoken"),
    [
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "fr,en;q=0.5", "en"),
        ("", "fr", "en"),
        ("?lang=zh", "en", "zh"),
        ("?lang=en", "zh", "en"),
    ],
)
def test_the_language_is_asked_for_by_the_address_or_the_browser(
    query: str, accepted: str, spoken: str, client: FlaskClient
) -> None:
    page = client.get(f"/{query}", headers=LOCAL | {"Accept-Language": accepted}).text
    assert f'<html lang="{spoken}">' in page
    assert ("/study/before?lang=" in page) == bool(query)
    assert language.current() == "en"


def test_a_language_that_is_not_here_is_one_sentence(client: FlaskClient) -> None:
    assert "lang is one of en, zh." in read(client, "/?lang=<x>", 400)


def test_only_so_many_pages_are_remembered() -> None:
    made: list[str] = []
    pages: Remembered[int] = Remembered(most=2)

    def page(name: str) -> int:
        made.append(name)
        return len(made)

    for name in ("a", "b", "a", "c", "a", "b"):
        pages.get((name,), (), partial(page, name))
    assert made == ["a", "b", "c", "b"]


def start(*arguments: str) -> "subprocess.Popen[str]":
    code = "import sys; sys.argv[0] = 'evenbench'; from harness.cli.main import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "serve", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_the_server_answers_and_ends_quietly(by: signal.Signals, results: Path) -> None:
    with start(str(results), "--port", "0") as server:
        assert server.stderr is not None
        said = server.stderr.readline()
        port = int(re.search(r"http://127\.0\.0\.1:(\d+)/", said)[1])  # type: ignore[index]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert answer.status == 200
        assert b"before" in answer.read()
        assert answer.getheader("Server") is None
        connection.close()
        taken = CliRunner().invoke(serve, [str(results), "--port", str(port)])
        server.send_signal(by)
        rest = server.stderr.read()
        assert server.wait(30) == 0
    assert "Traceback" not in rest
    assert isinstance(taken.exception, EnvironmentFailure)
    assert str(taken.exception) == f"port {port} of 127.0.0.1 is in use: choose another one with --port"


def test_another_address_is_warned_of(results: Path) -> None:
    with start(str(results), "--port", "0", "--host", "0.0.0.0") as server:
        assert server.stderr is not None
        assert "anyone who reaches this machine over the network can read" in server.stderr.readline()
        assert "0.0.0.0" in server.stderr.readline()
        server.terminate()
        server.stderr.read()


def test_the_web_framework_is_imported_for_serving_only() -> None:
    for path in [path for folder in ("harness", "reports") for path in (ROOT / folder).rglob("*.py")]:
        found = re.findall(r"^\s*(?:from|import) (flask|werkzeug|waitress)", path.read_text(), re.M)
        assert not found or path.name in ("serve.py", "collect.py"), path


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder .*nothing"):
        CliRunner().invoke(serve, [str(tmp_path / "nothing")], catch_exceptions=False)


def test_the_list_says_what_came_out_and_leads_to_files_choice_and_mistakes(results: Path) -> None:
    steps = (("torch", 0.01), ("tensorflow", 0.02))
    runs = [record(name, repeat=i, found=measured(s * (1 + i / 1e4))) for name, s in steps for i in range(3)]
    write_study(results / "clear", runs)
    client = create_app(results).test_client()
    page = html.unescape(read(client, "/?lang=en"))
    assert "torch eager is the fastest; tensorflow eager is 2.0 times slower" in page
    addresses = re.findall(r'href="(/study/clear/[^"]+)"', page)
    assert len(addresses) == 5
    for address in addresses:
        read(client, address)
    answer = client.get("/study/clear/file/report.csv", headers=LOCAL)
    assert answer.headers["Content-Disposition"] == "attachment; filename=clear-report.csv"
    assert len(from_csv(answer.text)) == 6
    assert "What to choose from clear" in read(client, "/study/clear/about/choice?lang=en")
    assert "no mistakes on purpose" in read(client, "/study/clear/about/mistakes?lang=en")
    for address in ("/study/clear/file/study.json", "/study/clear/about/x", "/study/none/live"):
        read(client, address, 404)


def test_a_running_study_shows_its_progress_and_asks_again(results: Path) -> None:
    write_study(results / "half", [record()], planned=[record("mindspore").spec])
    client = create_app(results).test_client()
    assert 'href="/study/half/live?lang=en">not finished</a>' in read(client, "/?lang=en")
    page = read(client, "/study/half/live?lang=en")
    assert "1 of 2 runs" in page
    assert '<meta http-equiv="refresh" content="10">' in page
    assert "torch eager" in page
    assert "refresh" not in read(client, "/study/before/live")


def test_a_report_leads_back_to_the_list_and_to_its_files(client: FlaskClient) -> None:
    page = read(client, "/study/before?lang=en")
    assert '<a href="/?lang=en">All studies</a>' in page
    assert '<a href="/study/before/file/verdicts.csv?lang=en">verdicts.csv</a>' in page
