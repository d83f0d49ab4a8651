"""The command line: help that reads well, and one error for people where something is wrong."""

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from kinefract import cli
from kinefract.common.errors import UserError
from kinefract.common.progress import log_line
from kinefract.config import params, plan

JOBS = {
    "init": ["folder"],
    "doctor": ["--json", "--config-dir"],
    "check": ["params", "--verbose", "--json", "--config-dir"],
    "tracking": ["studies"],
    "shard": ["spec", "number"],
    "plan": ["studies", "--all", "--json", "--config-dir"],
    "studies": ["--json", "--config-dir"],
    "prune": ["--yes", "--dry-run", "--config-dir"],
    "download": ["benchmark", "--config-dir"],
    "study": ["spec", "--partial", "--config-dir"],
    "overview": ["params", "--config-dir"],
    "evaluate": ["run", "--on", "--split", "--out", "--json", "--workers", "--accelerator", "--config-dir"],
    "predict": ["run", "videos", "--top", "--json", "--workers", "--accelerator"],
    "sync": ["folders"],
    "dataset": ["spec"],
    "index": ["benchmark", "--config-dir"],
    "verify": ["results", "--sample", "--all", "--jobs", "--config-dir"],
    "export": ["dataset", "folder", "--config-dir"],
    "card": ["dataset", "--study", "--against", "--sample", "--out", "--config-dir"],
    "preview": ["dataset", "--family", "--class", "--variation", "--curve", "--out", "--config-dir"],
    "pretrain": ["spec", "--workers", "--accelerator", "--checkpoint-minutes", "--time-limit"],
    "finetune": ["spec", "--workers", "--accelerator", "--checkpoint-minutes", "--time-limit"],
    "metrics": ["params", "--config-dir"],
    "release": ["run", "name", "--folder"],
    "table": ["study", "--against", "--json", "--config-dir"],
    "export-model": ["network", "--to", "--output", "--config-dir"],
    "log-model": ["run", "--register"],
    "push": ["result", "--repo", "--private", "--dry-run", "--license", "--config-dir"],
}


@pytest.fixture
def specs(tmp_path, tiny, monkeypatch) -> plan.Plan:
    """Write the specs of the tiny study into an empty project; return them."""
    monkeypatch.chdir(tmp_path)
    resolved = plan.resolve(params.parse(tiny))
    for shelf in (resolved.datasets, resolved.benchmarks, resolved.pretrains, resolved.finetunes):
        for spec in shelf.values():
            spec.write(tmp_path)
    return resolved


@pytest.fixture
def refuse(capsys, tmp_path):
    """Return a function that runs a job which must be refused, and returns what it said."""

    def run(*arguments) -> str:
        before = {path for path in tmp_path.rglob("*") if path.is_file()}
        assert cli.main([str(argument) for argument in arguments]) == 1
        said = capsys.readouterr()
        assert said.err.count("error:") == 1
        assert "Traceback" not in said.err
        assert {path for path in tmp_path.rglob("*") if path.is_file()} == before
        return said.err

    return run


def first(shelf: dict):
    return next(iter(shelf.values()))


def test_help_of_the_program_names_every_job_and_shows_examples(capsys):
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert "kinefract pretrain results/pretrain/<id>/spec.yaml" in text
    listed = [line.split()[0] for line in text.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()]
    assert sorted(listed) == sorted(JOBS)
    assert "..." not in text.partition("Commands:\n")[2]


@pytest.mark.parametrize("job", JOBS)
def test_help_of_a_job_says_what_it_does_and_takes(job, capsys):
    assert cli.main([job, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: kinefract {job}")
    for argument in JOBS[job]:
        assert argument in text.partition("\n\n")[2]


def test_help_loads_nothing_heavy():
    program = (
        "import sys; from kinefract import cli; code = cli.main(['--help'])\n"
        "sys.exit(code or bool({'numpy', 'pydantic', 'torch', 'yaml', 'rich'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL).returncode == 0


def test_the_shell_can_complete_commands_and_options():
    def completed(*words: str) -> list[str]:
        asked = {"_KINEFRACT_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(("kinefract", *words))}
        program = Path(sys.executable).with_name("kinefract")
        env = {**os.environ, **asked, "COMP_CWORD": str(len(words))}
        return subprocess.run([program], capture_output=True, text=True, env=env).stdout.split()

    assert completed("pre") == ["preview", "pretrain", "predict"]
    assert completed("pretrain", "--check") == ["--checkpoint-minutes"]


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            [],
            ["pretrian"],
            ["shard", "spec.yaml"],
            ["shard", "spec.yaml", "one"],
            ["table", "a", "--agains"],
        ),
        *(
            ["card"],
            ["card", "fractal", "--study", "tiny"],
            ["evaluate", "run", "--on", "b", "--split", "tset"],
        ),
    ],
)
def test_wrong_usage_ends_with_2(arguments, capsys):
    assert cli.main(arguments) == 2
    assert "Usage: kinefract" in capsys.readouterr().err


def test_a_job_that_is_stopped_by_the_keyboard_ends_with_130(monkeypatch, capsys):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(params, "load", stopped)
    assert cli.main(["check"]) == 130
    assert "stopped; run the same command again to go on" in capsys.readouterr().err


@pytest.fixture
def failing(monkeypatch, tmp_path):
    """Return a function that runs a command in a folder, in which an error comes that nobody expects."""

    def run(error: BaseException, *before: str) -> int:
        def fail(*_):
            raise error

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(params, "load", fail)
        return cli.main([*before, "check"])

    monkeypatch.setenv("KINEFRACT_DEBUG", "")
    return run


def test_an_unexpected_error_in_a_project_is_one_line_that_names_the_file_of_its_traceback(
    failing, tmp_path, capsys
):
    (tmp_path / "params.yaml").touch()
    assert failing(RuntimeError("no such\noperator")) == 1
    line = capsys.readouterr().err
    assert line.startswith(
        "error: unexpected: RuntimeError: no such; the traceback is in results/logs/errors/"
    )
    assert line.count("\n") == 1
    (report,) = (tmp_path / "results/logs/errors").iterdir()
    assert str(report.relative_to(tmp_path)) in line
    text = report.read_text()
    assert "Traceback (most recent call last)" in text and "RuntimeError: no such\noperator" in text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "unexpected: MemoryError: memory ran out; "),
        (ConnectionError("it went"), "unexpected: ConnectionError: it went; "),
        (KeyError("a\x1b[2J"), "unexpected: KeyError: 'a\\x1b[2J'; "),
        (
            ValueError(
                "Caught ValueError in worker 0.\nOriginal Traceback (most):\n  x\nValueError: no picture"
            ),
            "unexpected: ValueError: no picture; ",
        ),
    ],
)
def test_an_unexpected_error_elsewhere_leaves_its_traceback_in_a_temporary_folder(
    failing, error, said, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert failing(error) == 1
    line = capsys.readouterr().err
    assert said in line and line.count("\n") == 1
    (report,) = tmp_path.glob("kinefract-*/*.txt")
    assert str(report) in line


@pytest.mark.parametrize("way", ["option", "variable"])
def test_debugging_shows_the_traceback_of_every_error(failing, way, monkeypatch, capsys):
    if way == "variable":
        monkeypatch.setenv("KINEFRACT_DEBUG", "1")
    for error in (ValueError("odd"), UserError("a mistake")):
        assert failing(error, *(["--debug"] if way == "option" else [])) == 1
        said = capsys.readouterr().err
        assert "Traceback (most recent call last)" in said and str(error) in said.splitlines()[-1]


def test_without_a_place_for_the_traceback_it_is_printed(failing, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    assert failing(ValueError("odd")) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said and said.endswith("error: unexpected: ValueError: odd\n")


def shell(command: str, **changes: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **changes}
    return subprocess.run(["bash", "-c", command], env=env, capture_output=True, text=True, errors="replace")


def test_output_that_nobody_reads_ends_quietly_with_141():
    done = shell("kinefract studies | true; echo ${PIPESTATUS[0]}")
    assert (done.stdout, done.stderr) == ("141\n", "")


ODD = "Größe \u202e\x1b]0;x\x07 \U0001f600 \udcff"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "Größe \\u202e\\x1b]0;x\\x07 \U0001f600 \\udcff"),
        ("latin-1", "Größe \\u202e\\x1b]0;x\\x07 \\U0001f600 \\udcff"),
        ("ascii", "Gr\\xf6\\xdfe \\u202e\\x1b]0;x\\x07 \\U0001f600 \\udcff"),
    ],
)
def test_what_an_output_cannot_show_or_that_would_deceive_is_escaped(encoding, shown, monkeypatch):
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding) for name in ("stdout", "stderr")}

    def odd(*_):
        print(ODD)
        log_line(f"{ODD}\r")
        raise UserError(ODD)

    with monkeypatch.context() as patch:
        for name, stream in streams.items():
            patch.setattr(sys, name, stream)
        patch.setattr(params, "load", odd)
        assert cli.main(["check"]) == 1
        streams["stderr"].flush()
    out, err = (stream.buffer.getvalue().decode(encoding) for stream in streams.values())
    assert out == f"{shown}\n"
    assert err == f"{shown}\\r\nerror: {shown}\n"


def test_check_lists_all_problems_at_once(tmp_path, tiny, refuse):
    tiny["datasets"]["fractal"]["sise"] = 64
    tiny["pretraining"]["small"]["dataset"] = "fractl"
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(tiny), encoding="utf-8")
    text = refuse("check", path)
    assert "2 problems" in text
    assert "datasets.fractal.sise: unknown key" in text
    assert "pretraining.small.dataset: 'fractl' is not one of: fractal (did you mean 'fractal'?)" in text


@pytest.mark.parametrize("job", ["shard", "dataset", "index", "pretrain", "finetune", "study"])
def test_a_missing_spec(job, tmp_path, refuse):
    path = tmp_path / "a" / "b" / "c" / "spec.yaml"
    text = refuse(job, path, *(["0"] if job == "shard" else []))
    assert f"{path}: no such file; " in text and "`snakemake -n` lists what can be made" in text


def test_a_spec_of_another_version(specs, tmp_path, refuse):
    path = tmp_path / first(specs.pretrains).folder / "spec.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("version: 1", "version: 7", 1), encoding="utf-8")
    assert "made by version 7 of its code, this is version 1" in refuse("pretrain", path)


def test_an_edited_spec(specs, tmp_path, refuse):
    spec = first(specs.pretrains)
    path = tmp_path / spec.folder / "spec.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("epochs: 2", "epochs: 3"), encoding="utf-8")
    text = refuse("pretrain", path)
    assert f"its id is {spec.id!r}, but its settings make " in text


def test_a_spec_of_another_kind(specs, tmp_path, refuse):
    path = tmp_path / first(specs.datasets).folder / "spec.yaml"
    assert "not a FinetuneSpec this version of kinefract can use" in refuse("finetune", path)


@pytest.mark.parametrize("content", ["", "- a\n", "id: [", "\x00", "id: a\n"])
def test_a_file_that_is_no_spec(tmp_path, refuse, content):
    path = tmp_path / "a" / "b" / "c" / "spec.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(content, encoding="utf-8")
    assert str(path) in refuse("pretrain", path)


def test_pretraining_without_its_dataset(specs, tmp_path, refuse):
    path = tmp_path / first(specs.pretrains).folder / "spec.yaml"
    manifest = f"{first(specs.datasets).folder}/manifest.csv"
    said = refuse("pretrain", path)
    assert f"{manifest}: no such file; make it with `snakemake {manifest}`" in said


@pytest.mark.parametrize("job", [["verify"], ["export"]])
def test_a_dataset_that_is_not_there_or_not_made(job, specs, tmp_path, tiny, refuse):
    out = [str(tmp_path / "out")] if job == ["export"] else []
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tiny), encoding="utf-8")
    assert "did you mean 'fractal'?" in refuse(*job, "fractl", *out)
    for named in ("fractal", first(specs.datasets).folder):
        assert "manifest.csv: no such file; make " in refuse(*job, named, *out)


@pytest.mark.parametrize(
    "arguments", [["--jobs", "0"], ["--sample", "-1"], ["--sample", "few"], ["--all", "--sample", "3"]]
)
def test_verify_refuses_numbers_out_of_range(arguments, capsys):
    assert cli.main(["verify", "fractal", *arguments]) == 2
    assert arguments[0] in capsys.readouterr().err


def test_finetuning_without_its_index(specs, tmp_path, refuse):
    path = tmp_path / first(specs.finetunes).folder / "spec.yaml"
    assert "index.csv is missing: the benchmark is not indexed yet; `kinefract" in refuse("finetune", path)


def test_a_dataset_without_its_shards(specs, tmp_path, refuse):
    path = tmp_path / first(specs.datasets).folder / "spec.yaml"
    shard = f"{first(specs.datasets).folder}/shards/00000.csv"
    assert f"{shard}: no such file; make it with `snakemake {shard}`" in refuse("dataset", path)


@pytest.mark.parametrize("number", ["2", "-1"])
def test_a_shard_that_the_dataset_does_not_have(specs, tmp_path, refuse, number):
    path = tmp_path / first(specs.datasets).folder / "spec.yaml"
    assert f"shard {number}: the dataset has shards 0 to 1" in refuse("shard", path, "--", number)


def test_a_study_without_its_runs(specs, tmp_path, refuse):
    path = first(specs.studies).write(tmp_path)
    assert "results/finetune/" in refuse("study", path)


def test_sync_outside_of_a_project(tmp_path, monkeypatch, refuse):
    monkeypatch.chdir(tmp_path)
    assert "params.yaml: no such file; run this from the project's folder" in refuse("sync")
    assert list(tmp_path.iterdir()) == []


def test_a_configuration_outside_of_the_project(tmp_path, tiny, monkeypatch, capsys, refuse):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KINEFRACT_CONFIG_DIR", "")  # so that it is as before after the test
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tiny), encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    mine = {"studies": {"mine": {"like": "tiny", "seeds": [3], "question": "And elsewhere?"}}}
    (tmp_path / "elsewhere/mine.yaml").write_text(yaml.safe_dump(mine), encoding="utf-8")
    assert cli.main(["check", "--verbose", "--config-dir", "elsewhere"]) == 0
    assert "mine: And elsewhere?" in capsys.readouterr().out
    assert "nowhere: no such folder" in refuse("check", "--config-dir", "nowhere")


def test_a_table_is_that_of_the_study_as_it_is_configured_now(specs, tmp_path, tiny, refuse):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tiny), encoding="utf-8")
    folder = specs.study("tiny").folder
    assert f"{folder}: the study is not made yet; make it with `snakemake tiny`" in refuse("table", "tiny")


def test_a_table_of_a_study_that_is_not_there(tmp_path, monkeypatch, refuse):
    monkeypatch.chdir(tmp_path)
    assert "params.yaml: no such file; run this from the project's folder" in refuse("table", "nosuch")


def test_it_runs_as_a_module_too():
    command = [sys.executable, "-m", "kinefract.cli", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("kinefract ")
