"""What a release is made of agrees: versions, citation, licences; workflows, Dockerfile and Binder name what exists.

The steps of Dockerfile and Binder that install are run, in a scratch folder that holds what they may see, by a Python
whose environment has the packages of ``requirements.lock`` already (links to those of this one) and reaches no network.
That proves that they name files that are there, that every pin is the version which the tests run with, and that the
package then installs and runs. It does not prove that an index or conda-forge serves these versions, nor the base
image, ``useradd``, and what Binder itself adds.
"""

import fnmatch
import json
import re
import subprocess
import tomllib
from importlib import metadata

import installed
import pytest
import yaml
from packaging.utils import canonicalize_name

import ecgtl
from ecgtl import paths
from ecgtl.report.site import frame

ROOT = paths.repository()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
WORKFLOWS = {file.name: yaml.safe_load(file.read_text()) for file in (ROOT / ".github" / "workflows").glob("*.yml")}
MAKEFILE = (ROOT / "Makefile").read_text()
PINS = {canonicalize_name(name): version for name, version in
        re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "requirements.lock").read_text(), re.MULTILINE)}
JOBS = [pytest.param(name, job, id=f"{name}-{job}") for name, body in WORKFLOWS.items() for job in body["jobs"]]

# --- what it says of itself ---------------------------------------------------------------------------------------


def test_version_title_licence_and_papers_are_the_same_everywhere():
    zenodo = json.loads((ROOT / ".zenodo.json").read_text())
    assert {PROJECT["version"], ecgtl.__version__, str(CITATION["version"]), zenodo["version"]} == {PROJECT["version"]}
    assert PROJECT["license"] == CITATION["license"] == zenodo["license"] == "MIT"
    assert "MIT License" in (ROOT / "LICENSE").read_text()
    about = PROJECT["description"]
    assert CITATION["title"] == zenodo["title"] == f"ecgtl: {about[0].lower()}{about[1:]}"
    assert PROJECT["keywords"] == CITATION["keywords"] == zenodo["keywords"]
    names = [author["name"] for author in PROJECT["authors"]]
    assert names == [one["name"] for one in CITATION["authors"]] == [one["name"] for one in zenodo["creators"]]
    cited = [one["identifier"] for one in zenodo["related_identifiers"]]
    assert cited == [one["doi"] for one in CITATION["references"]]


def test_the_changelog_dates_this_version_as_the_citation_does():
    sections = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sections[:2] == [("Unreleased", ""), (PROJECT["version"], str(CITATION["date-released"]))]


def test_how_to_cite_says_the_licences_of_the_citation():
    page = " ".join((ROOT / "book" / "cite.md").read_text().split())
    assert "ecgtl-citation" in page and f"under the {CITATION['license']} licence" in page
    assert "results under CC BY 4.0" in CITATION["abstract"] and "results under CC BY 4.0" in page
    assert f"version = {{{PROJECT['version']}}}" in frame.bibtex(CITATION)


def test_the_readme_installs_this_version_s_wheel_and_links_to_binder():
    readme = (ROOT / "README.md").read_text()
    assert f"pip install ecgtl-{PROJECT['version']}-py3-none-any.whl" in readme
    assert f"]({frame.binder()})" in readme and "{binder}`" in (ROOT / "book" / "index.md").read_text()
    [notebook] = re.findall(r"lab/tree/(\S+)$", frame.binder())
    assert (ROOT / notebook).is_file() and 'tier = "demo"' in (ROOT / notebook).read_text().replace("\\", "")


# --- workflows ----------------------------------------------------------------------------------------------------


def test_there_are_workflows_for_tests_the_site_and_a_release():
    assert set(WORKFLOWS) == {"tests.yml", "site.yml", "release.yml"}
    assert WORKFLOWS["tests.yml"]["jobs"]["tests"]["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    assert WORKFLOWS["release.yml"][True] == {"push": {"tags": ["v*"]}}, "YAML 1.1 reads 'on' as True"


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_steps_name_targets_variables_and_files_that_exist(name, job):
    body, text = WORKFLOWS[name]["jobs"][job], (ROOT / ".github" / "workflows" / name).read_text()
    assert body["timeout-minutes"] <= 120
    for step in body["steps"]:
        for target, words in re.findall(r"make (\w[\w-]*)([^;&|\n]*)", step.get("run", "")):
            assert re.search(rf"^{target}:.*## ", MAKEFILE, re.MULTILINE), target
            assert all(re.search(rf"^{word}\s*\?=", MAKEFILE, re.MULTILINE) for word in re.findall(r"(\w+)=", words))
        lock = step.get("with", {}).get("cache-dependency-path", "requirements.lock")
        assert (ROOT / lock).is_file()
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@(release/)?v\d+", step["uses"]), "by major version"
    if any("make " in step.get("run", "") for step in body["steps"]):
        assert WORKFLOWS[name]["env"]["TORCH_INDEX"] == "${{ vars.TORCH_INDEX }}" and "${{ secrets" not in text


def test_what_is_uploaded_is_what_make_builds():
    uploaded = [step["with"]["path"] for body in WORKFLOWS.values() for job in body["jobs"].values()
                for step in job["steps"] if "upload" in step.get("uses", "")]
    assert sorted(uploaded) == ["book/_build/html", "build/dist"]


def test_a_job_may_write_what_it_must_alone():
    assert all(body["permissions"] == {"contents": "read"} for body in WORKFLOWS.values())
    more = {(name, job): body["permissions"] for name, workflow in WORKFLOWS.items()
            for job, body in workflow["jobs"].items() if "permissions" in body}
    assert more == {("site.yml", "pages"): {"pages": "write", "id-token": "write"},
                    ("release.yml", "release"): {"contents": "write"},
                    ("release.yml", "publish"): {"id-token": "write"}}


# --- Dockerfile and Binder ----------------------------------------------------------------------------------------


def instructions():
    """The Dockerfile as (instruction, words)."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line and line[0] != "#"]


def in_the_context(name):
    """Whether .dockerignore leaves a file in; the last line that matches it, or a folder above it, decides."""
    kept = True
    above = [name[:at] for at, sign in enumerate(name) if sign == "/"] + [name]
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and line[0] != "#" and any(fnmatch.fnmatch(one, line.lstrip("!")) for one in above):
            kept = line[0] == "!"
    return kept


@pytest.fixture
def machine(tmp_path):
    """A folder ``tree``, and how to run a shell command there with the packages of the lock, pip, and no network."""
    here = {canonicalize_name(one.name): one.version.partition("+")[0] for one in metadata.distributions()}
    if {name: here.get(name) for name in PINS} != PINS:
        pytest.skip("the environment is not that of requirements.lock")
    installed.link([*PINS, "pip"], installed.empty(tmp_path / "env"))
    (tmp_path / "tree").mkdir()

    def run(line, **more):
        return subprocess.run(["bash", "-euc", line], cwd=tmp_path / "tree", capture_output=True, text=True, check=True,
                              env=installed.surroundings(tmp_path / "env", HOME=str(tmp_path), **more)).stdout

    run.tree, run.env = tmp_path / "tree", tmp_path / "env"
    return run


def test_what_the_dockerfile_installs_is_the_lock_and_the_package(machine):
    installed.copy(filter(in_the_context, installed.known_to_git()), machine.tree)
    there = {file.name for file in machine.tree.iterdir()}
    assert there == {"ecgtl", "requirements.lock", "pyproject.toml", "README.md", "LICENSE"}
    steps = [words for instruction, words in instructions() if instruction == "RUN" and "pip" in words]
    said = [machine(step, TORCH_INDEX="") for step in steps]
    assert said[0] == "" and f"torch=={PINS['torch']}" in said[1] and "No broken requirements" in said[2]
    assert machine("ecgtl --version") == f"ecgtl {ecgtl.__version__}\n"
    [site] = machine.env.glob("lib/python*/site-packages")
    assert (site / "ecgtl" / "weights").is_dir() and not (site / "ecgtl").is_symlink()


def test_the_dockerfile_takes_torch_alone_from_the_index_that_is_given(tmp_path):
    """A stand-in for Python writes down what it is asked."""
    (tmp_path / "requirements.lock").write_bytes((ROOT / "requirements.lock").read_bytes())
    (tmp_path / "python").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "python").chmod(0o755)
    [step] = [words for instruction, words in instructions() if instruction == "RUN" and "TORCH_INDEX" in words]
    done = subprocess.run(["bash", "-euc", step], cwd=tmp_path, capture_output=True, text=True, check=True,
                          env={"PATH": f"{tmp_path}:/usr/bin:/bin", "TORCH_INDEX": "some-index"})
    assert done.stdout.split()[2:] == ["install", "--no-cache-dir", "--no-deps", "--index-url", "some-index",
                                       f"torch=={PINS['torch']}"]


def test_the_image_runs_ecgtl_as_nobody_special_and_knows_its_commit():
    steps = instructions()
    assert [words for name, words in steps if name == "FROM"] == [f"python:{PROJECT['requires-python'][2:]}-slim"]
    assert ("ARG", 'TORCH_INDEX=""') in steps and any("ECGTL_COMMIT=$COMMIT" in words for _, words in steps)
    assert steps[-1] == ("ENTRYPOINT", '["ecgtl"]')
    [user] = [words for name, words in steps if name == "USER"]
    assert user != "root" and any(f"useradd --create-home --uid 1000 {user}" in words for _, words in steps)


def test_no_weights_that_git_ignores_get_into_the_image():
    ignored = [line for line in (ROOT / ".gitignore").read_text().splitlines() if line.startswith("ecgtl/weights/")]
    assert ignored and not any(in_the_context(line.replace("*", "x")) for line in ignored)
    assert all(in_the_context(f"ecgtl/weights/{name}.safetensors") for name in ("cae-cae-demo", "a/model"))


def test_binder_s_step_installs_the_lock_and_the_package(machine):
    installed.copy(installed.known_to_git("*.lock", "pyproject.toml", "README.md", "LICENSE", "ecgtl", ".binder"),
                   machine.tree)
    said = machine(".binder/postBuild")
    assert f"torch=={PINS['torch']}" in said
    assert machine("ecgtl --version") == f"ecgtl {ecgtl.__version__}\n"
    assert str(machine.tree) in machine("cd / && python -P -c 'import ecgtl; print(ecgtl.__file__)'"), "editable"


def test_binder_s_torch_is_that_of_the_lock_and_needs_no_gpu():
    conda = yaml.safe_load((ROOT / ".binder" / "environment.yml").read_text())
    python = PROJECT["requires-python"].removeprefix(">=")
    assert conda["dependencies"] == [f"python={python}", "pip", f"pytorch-cpu={PINS['torch']}"]
    assert conda["channels"] == yaml.safe_load((ROOT / "environment.yml").read_text())["channels"]
