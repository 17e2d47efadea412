"""A class hands in: what is right is stored once, what is wrong is never stored, and every refusal is one sentence."""

import http.client
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import pytest
import requests
from click.testing import CliRunner
from flask.testing import FlaskClient
from msgspec.structs import replace
from records_factory import died, measured, record, write_study
from waitress.server import create_server
from waitress.wasyncore import close_all

from harness.cli.commands.serve import serve
from harness.cli.commands.submit import submit
from harness.errors import EnvironmentFailure, StoreError, UsageError
from harness.record import Record
from harness.records.bundles import LARGEST, Bundle, keep, pack, unpack
from harness.records.store import Source, Store
from reports.formats.collect import ATTEMPTS, Collector
from reports.formats.serve import create_app

TOKEN = "correct horse"
LOCAL = {"Host": "127.0.0.1:8737", "Authorization": f"Bearer {TOKEN}"}
SCRIPT = "<script>alert(1)</script>"


def runs(step_s: float = 0.01) -> list[Record]:
    return [record(repeat=repeat, found=measured(step_s * (1 + repeat / 100))) for repeat in range(3)]


@pytest.fixture
def ann(tmp_path: Path) -> Path:
    return write_study(tmp_path / "ann" / "quick", [*runs(), died("tensorflow", reason=SCRIPT)])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@pytest.fixture
def client(results: Path) -> Iterator[FlaskClient]:
    with create_app(results, token=TOKEN).test_client() as found:
        yield found


def hand_in(client: FlaskClient, content: bytes) -> tuple[int, Any]:
    """Return the code and the words of the answer."""
    answer = client.post("/collect", data=content, headers=LOCAL)
    return answer.status_code, answer.json


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_study_arrives_as_it_was(client: FlaskClient, ann: Path, results: Path) -> None:
    content = pack(ann, "ann")
    code, told = hand_in(client, content)
    assert code == 201, told
    folder = results / told["study"]
    assert folder.name.startswith("ann-quick-")
    sent = {name: text for name, text in everything(ann).items() if name.endswith(".json")}
    assert {n: t for n, t in everything(folder).items() if n.endswith(".json")} == sent
    assert hand_in(client, content) == (200, {"study": folder.name, "was_there": True})
    assert [path.name for path in results.iterdir()] == [folder.name]
    page = client.get("/", headers=LOCAL).text
    assert folder.name in page
    assert 'href="/class"' in page


def test_a_study_that_grew_lies_beside_the_first(client: FlaskClient, ann: Path, results: Path) -> None:
    first = hand_in(client, pack(ann, "ann"))[1]["study"]
    more = record(repeat=7, found=measured(0.01))
    plan = Store(ann).study()
    (ann / "study.json").write_bytes(msgspec.json.encode(replace(plan, specs=(*plan.specs, more.spec))))
    Store(ann).add(more)
    second = hand_in(client, pack(ann, "ann"))[1]["study"]
    assert first != second
    assert {path.name for path in results.iterdir()} == {first, second}


def test_the_whole_class_is_one_report(client: FlaskClient, tmp_path: Path, results: Path) -> None:
    assert client.get("/class", headers=LOCAL).status_code == 404
    for name, step_s in (("ann", 0.01), ("bob", 0.02)):
        folder = write_study(tmp_path / name / "quick", runs(step_s))
        assert client.post("/collect", data=pack(folder, name), headers=LOCAL).status_code == 201
    page = client.get("/class", headers=LOCAL).text
    assert "ann-quick-" in page
    assert "bob-quick-" in page


def changed(content: bytes, **fields: object) -> bytes:
    return msgspec.json.encode(replace(msgspec.json.decode(content, type=Bundle), **fields))


def escaping(content: bytes) -> bytes:
    """Return a bundle whose plan and record agree on a name that leads out of the folder."""
    study = unpack(content).study
    bad = record(repeat=0)
    bad = replace(bad, spec=replace(bad.spec, task="../../../etc/x"))
    plan = msgspec.json.encode(replace(study, specs=(bad.spec,))).decode()
    return changed(content, plan=plan, records={bad.spec.run_id: msgspec.json.encode(bad).decode()})


HOSTILE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda content: b"", "is no study of this version"),
    "no JSON": (lambda content: b"\x00\xff" * 100, "is no study of this version"),
    "another schema": (lambda content: b'{"study": 1}', "is no study of this version"),
    "more fields": (lambda content: content[:-1] + b',"run":"rm -rf /"}', "is no study of this version"),
    "a deep one": (lambda content: b"[" * 100_000, "is no study of this version"),
    "no plan": (lambda content: changed(content, plan="{}"), "is no study of this version"),
    "no records": (lambda content: changed(content, records={}), "1 to 10,000 records"),
    "a record that is none": (lambda content: changed(content, records={"x": SCRIPT}), "is no study of this version"),
    "a sender above": (lambda content: changed(content, sender="../up"), "a study's name is letters"),
    "a record of no run": (
        lambda content: changed(content, records={"x": msgspec.json.encode(record(repeat=99)).decode()}),
        "is of no run",
    ),
    "a name above": (escaping, "has a name that is none of a run"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_wrong_is_one_sentence_and_nothing_is_stored(
    kind: str, client: FlaskClient, ann: Path, results: Path, tmp_path: Path
) -> None:
    make, sentence = HOSTILE[kind]
    before = everything(tmp_path)
    code, told = hand_in(client, make(pack(ann, "ann")))
    assert code == 400
    assert sentence in told["error"]
    assert everything(tmp_path) == before
    assert list(results.iterdir()) == []


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ä"])
def test_without_the_token_nothing_is_read(given: str, client: FlaskClient, ann: Path, results: Path) -> None:
    answer = client.post("/collect", data=pack(ann, "ann"), headers=LOCAL | {"Authorization": given})
    assert answer.status_code == 401
    assert list(results.iterdir()) == []


def test_only_one_address_takes_anything_and_only_where_it_was_asked_to(
    client: FlaskClient, results: Path, ann: Path
) -> None:
    assert client.post("/", headers=LOCAL).status_code == 405
    assert client.get("/collect", headers=LOCAL).status_code == 405
    assert client.post("/collect", data=b"x", headers=LOCAL | {"Host": "evil.example"}).status_code == 400
    without = create_app(results).test_client()
    assert without.post("/collect", data=pack(ann, "ann"), headers=LOCAL).status_code in (404, 405)
    assert without.get("/class", headers=LOCAL).status_code == 404
    assert list(results.iterdir()) == []


def test_an_address_that_tries_too_often_waits(results: Path) -> None:
    now = [0.0]
    collector = Collector(results, TOKEN, clock=lambda: now[0])
    assert [collector._is_too_often("a") for _ in range(ATTEMPTS + 2)] == [False] * ATTEMPTS + [True] * 2
    assert not collector._is_too_often("b")
    now[0] = 61.0
    assert not collector._is_too_often("a")


def test_what_is_shown_of_a_study_is_text(client: FlaskClient, ann: Path) -> None:
    name = hand_in(client, pack(ann, "ann"))[1]["study"]
    for address in ("/", f"/study/{name}", "/class"):
        assert SCRIPT not in client.get(address, headers=LOCAL).text


def test_a_merged_study_is_not_handed_in_again(ann: Path) -> None:
    content = pack(ann, "ann")
    plan = replace(unpack(content).study, merged_from=())
    assert unpack(changed(content, plan=msgspec.json.encode(plan).decode())).study == plan
    source = Source(name="x", study="x", created_at="", records=1)
    merged = changed(content, plan=msgspec.json.encode(replace(plan, merged_from=(source,))).decode())
    with pytest.raises(UsageError, match="was merged"):
        unpack(merged)


def test_a_study_half_stored_is_not_there(ann: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    received = unpack(pack(ann, "ann"))

    def full(self: Path, *_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(StoreError, match="No space left"):
            keep(received, results)
    assert list(results.iterdir()) == []
    assert keep(received, results)[1] is False


@pytest.fixture
def address(results: Path) -> Iterator[str]:
    """A real server, as `evenbench serve --collect` starts it."""
    listening = socket.create_server(("127.0.0.1", 0))
    channels: dict[int, Any] = {}
    app = create_app(results, token=TOKEN)
    server = create_server(app, channels, sockets=[listening], threads=4, ident=None, max_request_body_size=LARGEST)
    running = Thread(target=server.run)
    running.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    # Closed by the thread that waits for them: another one would take the descriptors from under its feet.
    server.trigger.pull_trigger(lambda: close_all(channels, ignore_all=True))
    running.join()
    server.task_dispatcher.shutdown()


def invoke(*words: str) -> str:
    return CliRunner().invoke(submit, words, catch_exceptions=False).output


def test_a_student_hands_in_by_one_command(address: str, ann: Path, results: Path) -> None:
    words = ("--to", address, "--token", TOKEN, "--as", "ann", "--results", str(ann.parent))
    assert invoke(*words).startswith("handed in as ann-quick-")
    assert invoke("quick", *words).startswith("handed in before, as ann-quick-")
    with pytest.raises(EnvironmentFailure, match="did not take the study: The token is not the one of this class"):
        invoke("--to", address, "--token", "wrong", "--as", "ann", "--results", str(ann.parent))
    with pytest.raises(EnvironmentFailure, match="nobody collects at http://127.0.0.1:1 "):
        invoke("--to", "http://127.0.0.1:1", "--token", TOKEN, "--as", "ann", "--results", str(ann.parent))
    with pytest.raises(UsageError, match="--to is an address such as"):
        invoke("--to", "teacher", "--token", TOKEN, "--results", str(ann.parent))
    with pytest.raises(UsageError, match="a token is needed"):
        invoke("--to", address, "--results", str(ann.parent))
    assert len(list(results.iterdir())) == 1


def test_what_is_too_large_is_refused_before_it_is_read(address: str, results: Path) -> None:
    host, _, port = address.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    connection.putrequest("POST", "/collect")
    for name, value in (("Authorization", f"Bearer {TOKEN}"), ("Content-Length", str(2**30))):
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 413
    assert list(results.iterdir()) == []


def test_a_class_hands_in_at_once_and_ten_of_it_mean_harm(address: str, results: Path, tmp_path: Path) -> None:
    """Thirty at the same time; the limit of attempts is one address's, and here all are one."""
    folders = {f"s{n:02}": write_study(tmp_path / f"s{n:02}" / "quick", runs(0.01 + n / 1000)) for n in range(20)}
    kinds = list(HOSTILE)[:10]
    good = {name: pack(folder, name) for name, folder in folders.items()}
    bad = {kind: HOSTILE[kind][0](good["s00"]) for kind in kinds}

    def sent_by(content: bytes) -> int:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return requests.post(f"{address}/collect", data=content, headers=headers, timeout=60).status_code

    sent = [*good.values(), *bad.values()]
    with ThreadPoolExecutor(len(sent)) as pool:
        codes = list(pool.map(sent_by, sent))
    assert codes == [201] * 20 + [400] * 10
    found = sorted(path.name for path in results.iterdir())
    assert [name.partition("-")[0] for name in found] == sorted(good)
    for name in found:
        original = folders[name.partition("-")[0]]
        kept = {n: t for n, t in everything(results / name).items() if n.endswith(".json")}
        assert kept == {n: t for n, t in everything(original).items() if n.endswith(".json")}


def test_a_token_that_is_easy_to_guess_is_refused(results: Path) -> None:
    with pytest.raises(UsageError, match="at least 8 characters"):
        CliRunner().invoke(serve, ["--collect", "short", "--results", str(results)], catch_exceptions=False)
