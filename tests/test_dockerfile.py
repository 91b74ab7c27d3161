"""The Dockerfile names what there is: no test builds it."""

import re
import subprocess
import tomllib

import pytest
import yaml
from helpers.paths import ROOT

TEXT = (ROOT / "Dockerfile").read_text()
# Lines that go on in the next one are one instruction.
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in re.sub(r"\\\n", " ", TEXT).splitlines()
    if line.strip() and not line.startswith("#")
]


def of(kind):
    return [rest for name, rest in INSTRUCTIONS if name == kind]


def test_what_is_copied_is_there_and_not_ignored():
    sources = [source for words in of("COPY") for source in words.split()[:-1]]
    assert {"lightning_tf", "tasks", "callbacks", "pyproject.toml"} <= set(sources)
    assert [source for source in sources if not (ROOT / source).exists()] == []
    kept = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert set(sources) == set(kept)


def test_its_extras_and_its_python_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {name for words in re.findall(r"extras=([\w,]+)", TEXT) for name in words.split(",")}
    assert named == {"serve", "cuda"}
    assert named <= set(project["optional-dependencies"])
    version = re.search(r"PYTHON=(\S+)", TEXT)[1]
    assert f"Programming Language :: Python :: {version}" in project["classifiers"]


def test_the_extra_cuda_has_the_bounds_of_the_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (wanted,) = project["optional-dependencies"]["cuda"]
    assert wanted.replace("[and-cuda]", "") in project["dependencies"]


def test_it_does_not_run_as_root_and_the_user_can_write_where_runs_go():
    names = [name for name, _ in INSTRUCTIONS]
    (user,) = of("USER")
    assert names.index("USER") > max(i for i, name in enumerate(names) if name == "RUN")
    assert f"chown {user} {of('WORKDIR')[0]}" in TEXT


def test_the_cluster_file_starts_what_the_image_has():
    job = yaml.safe_load((ROOT / "scripts" / "cluster" / "tfjob.yaml").read_text())
    pod = job["spec"]["tfReplicaSpecs"]["Worker"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["workingDir"] == of("WORKDIR")[0]
    (script,) = [word for word in container["command"] if word.endswith(".py")]
    assert script.split("/")[0] in [words.split()[0] for words in of("COPY")]


@pytest.mark.parametrize(
    ("accelerator", "extras"), [("cpu", "serve"), ("cuda", "serve,cuda"), ("tpu", None)]
)
def test_its_argument_chooses_the_extras(accelerator, extras):
    (install,) = [words for words in of("RUN") if "pip install" in words]
    script = install.replace("pip install", "echo pip install")
    done = subprocess.run(
        ["sh", "-c", script], env={"ACCELERATOR": accelerator}, capture_output=True, text=True
    )
    if extras is None:
        assert done.returncode == 1
        assert "ACCELERATOR=tpu: give cpu or cuda" in done.stderr
    else:
        assert done.stdout.strip().endswith(f".[{extras}]")
