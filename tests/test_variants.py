"""A student's question: a preset with other numbers is a variant, with a name, a fingerprint and a proof of its own."""

from pathlib import Path

import msgspec
import pytest
from test_cli import call

from harness import registry
from harness.errors import UsageError
from harness.optimizers import SGD, Momentum
from harness.record import Record
from harness.records.store import Store
from harness.spec import CHANGEABLE, base_preset, changes_in, fingerprint, variant_name

WISHES = ("batch_size=32", "epochs=2", "optimizer=sgd", "learning_rate=0.1")
NAME = "quick+batch_size=32,epochs=2,optimizer=sgd,learning_rate=0.1"


def test_one_variant_has_one_name_however_it_is_asked_for() -> None:
    assert variant_name("quick", WISHES) == NAME
    assert variant_name("quick", reversed(WISHES)) == NAME
    assert variant_name("quick+epochs=2", ["Learning-Rate=1e-1", "optimizer=SGD", "batch_size=0032"]) == NAME
    assert variant_name("quick", []) == "quick"
    assert base_preset(NAME) == "quick"
    assert changes_in(NAME) == dict(wish.split("=") for wish in WISHES)


def test_a_variant_is_the_preset_with_these_numbers_and_without_its_target() -> None:
    task = registry.task("lenet-mnist")
    before, found = task.preset("quick"), task.preset(NAME)
    assert before.target is not None
    assert found == msgspec.structs.replace(
        before, batch_size=32, epochs=2, optimizer=SGD(learning_rate=0.1), target=None
    )
    aimed = task.preset("quick+target=0.5").target
    assert aimed is not None
    assert (aimed.metric, aimed.at_least) == ("accuracy", 0.5)


def test_a_variant_is_a_part_of_the_fingerprint_and_a_preset_as_it_is_changes_none() -> None:
    task = registry.task("lenet-mnist")
    assert fingerprint(task.at("quick")) == fingerprint(task)
    found = {fingerprint(task.at(name)) for name in ("quick", NAME, "quick+epochs=2", "full+epochs=2")}
    assert len(found) == 4
    read_back = msgspec.json.decode(msgspec.json.encode(task.at(NAME)), type=type(task))
    assert read_back.presets[NAME] == task.preset(NAME)


def test_the_learning_rate_falls_after_as_many_epochs_as_before() -> None:
    task = registry.task("lenet-mnist")
    before, found = task.preset("full").optimizer, task.preset("full+batch_size=32").optimizer
    assert isinstance(found, Momentum)
    assert before.schedule is not None
    assert found.schedule is not None
    assert found.schedule.every == 2 * before.schedule.every


@pytest.mark.parametrize("name", registry.task_names())
@pytest.mark.parametrize("change", ["batch_size=2", "epochs=1", "evaluations=1", "learning_rate=0.5", "l2=0.001"])
def test_every_task_has_variants(name: str, change: str) -> None:
    task = registry.task(name)
    for preset in task.presets:
        changed = task.at(variant_name(preset, [change]))
        assert fingerprint(changed) != fingerprint(task)


def test_every_key_changes_something() -> None:
    values = {"optimizer": "nesterov"}
    for key in CHANGEABLE:
        kinds = [
            o
            for o in ("momentum", "rmsprop", "adam")
            if key in registry.task(f"lenet-{o}").preset("quick").optimizer.__struct_fields__
        ]
        task = registry.task(f"lenet-{kinds[0]}" if kinds else "lenet-mnist")
        wishes = [f"{key}={values.get(key, '2' if key in ('epochs', 'batch_size', 'evaluations') else '0.125')}"]
        if key == "optimizer":
            wishes.append("learning_rate=0.01")
        assert task.preset(variant_name("quick", wishes)) != msgspec.structs.replace(task.preset("quick"), target=None)


def test_a_name_that_is_too_long_for_a_file_is_refused() -> None:
    many = ["epochs=123456", "batch_size=123456", "evaluations=1234", "target=0.123456789012", "optimizer=adam"]
    many += [f"{key}=0.1234567890{n}" for n, key in enumerate(("learning_rate", "beta1", "beta2", "epsilon", "l1"))]
    with pytest.raises(UsageError, match="its name has .* characters, and 120 are the most"):
        variant_name("quick", many)


def test_a_variant_runs_is_proven_resumed_listed_and_shown(home: Path, tmp_path: Path) -> None:
    wishes = [
        word for wish in ("batch_size=2", "epochs=3", "optimizer=sgd", "learning_rate=0.1") for word in ("--set", wish)
    ]
    given = ["xor", "well", *wishes, "--preset", "smoke", "--study", "s"]
    done = call("run", *given, "--repeats", "2", home=home, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    name = "smoke+batch_size=2,epochs=3,optimizer=sgd,learning_rate=0.1"
    assert f"{name} is a variant of smoke" in done.stderr
    assert name in "".join(done.stdout.split())
    store = Store(tmp_path / "results" / "s")
    records: list[Record] = store.records()[0]
    assert [r.spec.preset for r in records] == [name] * 2
    assert all(r.parity.passed and r.outcome.status == "ok" for r in records)
    assert {r.measured.batch_size for r in records} == {2}
    assert records[0].task.presets[name].optimizer == SGD(learning_rate=0.1)
    (store.folder / f"{records[0].spec.run_id}.json").unlink()
    again = call("run", "--resume", "s", home=home, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert len(store.records()[0]) == 2
    (listed,) = msgspec.json.decode(call("list", "studies", "--json", home=home, cwd=tmp_path).stdout)["studies"]
    assert listed["presets"] == [name]
    assert "smoke+batch_size=2" in call("list", "studies", home=home, cwd=tmp_path).stdout
    shown = call("show", "1", home=home, cwd=tmp_path)
    assert "batch_size=2" in shown.stdout
    assert call("show", records[1].spec.run_id, home=home, cwd=tmp_path).returncode == 0


def test_parity_of_a_variant_is_proven(home: Path, tmp_path: Path) -> None:
    given = ["parity", "xor", "well", "--set", "optimizer=adagrad", "--set", "learning_rate=0.1"]
    done = call(*given, home=home, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "pass" in done.stdout
