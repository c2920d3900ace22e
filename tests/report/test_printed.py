"""Numbers as text: a paper's digit for digit, ours from results, a clear word for a wrong path."""

import re

import pytest
from pages import seen
from stored_runs import save

from ecgtl import experiments, paths, published
from ecgtl.analysis import coverage
from ecgtl.errors import EcgtlError
from ecgtl.report import printed
from ecgtl.report.printed import MINUS, published_text
from ecgtl.report.site import values

EXPERIMENT = "weimann2021-table2"
# Mean .7, SD .1; t(2, .975) = 4.3027, so the half width of the mean's interval is 4.3027 · .1 / √3 = .2484
SCORES = (0.60, 0.70, 0.80)


@pytest.fixture
def three_runs(own_results):
    """Three finished runs of one cell, one of another, with scores chosen by hand."""
    wanted = {("random", 25, k): score for k, score in enumerate(SCORES)} | {("random", 50, 0): 0.65}
    for run in experiments.enumerate_runs(EXPERIMENT, "reduced"):
        score = wanted.get((run.method, run.size, run.number))
        if score is not None:
            scored = {"macro_f1": score, "f1_per_class": {"af": score / 2}}
            best = {"macro_f1": score + 0.05, "f1_per_class": {}}
            save(run, scored | {"validated": scored, "best_test": best}, upstream="none")


def numbers(tree, path):
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from numbers(value, f"{path}.{key}")
    elif isinstance(tree, int | float) and not isinstance(tree, bool):
        yield path, tree


@pytest.mark.parametrize("paper", published.papers())
def test_every_number_of_a_paper_keeps_its_value_and_its_characters(paper):
    source = (paths.PACKAGE / "published" / f"{paper}.yml").read_text(encoding="utf-8")
    found = list(numbers(published.load(paper), paper))
    assert len(found) > 50
    for path, value in found:
        text = published_text(path).replace(MINUS, "-").replace(",", "")
        assert float(text) == value, path
        assert text in source, path


@pytest.mark.parametrize(("path", "text"), [
    ("weimann2021.table2.rows.random.25.mean", ".670"),
    ("weimann2021.table2.rows.random.25", ".670 ± .013"),
    ("weimann2021.scalars.gain_resnet34_future.value", "0.40"),
    ("weimann2021.scalars.icentia_beats", "2,700,000,000"),
    ("weimann2021.scalars.cinc2017_records", "8,528"),
    ("weimann2021.paper.year", "2021"),
    ("jang2021.scalars.cae_mse", "626.583"),
    ("jang2021.scalars.split", "8:2"),
    ("jang2021.scalars.training_sizes", "100, 50, 25"),
    ("melep2023.table2.rows.resnet1d101_georgia_ptbxl.correlation", "\N{MINUS SIGN}0.500"),
    ("melep2023.scalars.csn_labels_per_fold.printed", "from 2 to 10"),
])
def test_a_paper_s_numbers_are_printed_as_the_paper_prints_them(path, text):
    assert published_text(path) == text


def test_sentences_are_joined_by_spaces():
    notes = published.lookup("weimann2021.table5.notes")
    assert len(notes) == 2
    assert published_text("weimann2021.table5.notes") == " ".join(notes)


@pytest.mark.parametrize(("path", "told"), [
    ("weimann2021.table2.rows.random.80.mean", "25, 50, 75"),
    ("weimann2021.table2.rows", "random, beat, rhythm"),
    ("weimann2021.table1.rows.random.frame", "prints nothing"),
    ("weimann2021-table2.reduced.random.25", "experiment.tier.method.size"),
    ("weimann2021-table9.reduced.random.25.macro_f1.mean", EXPERIMENT),
    ("weimann2021-table2.large.random.25.macro_f1.mean", "demo, reduced, paper"),
    ("weimann2021-table2.reduced.vgg.25.macro_f1.mean", "random, beat"),
    ("weimann2021-table2.reduced.random.30.macro_f1.mean", "25, 50, 75"),
    ("weimann2021-table2.reduced.random.25.macro_f1.median", "mean, sd, n"),
    ("weimann2021-table2.reduced.random.25.macro_f2.mean", "macro_f1, f1_per_class.af"),
    ("weimann2021-table2.reduced.beat.75.macro_f1.mean", "ecgtl run weimann2021-table2 --tier reduced"),
    ("weimann2021-table2.reduced.random.50.macro_f1.sd", "one run has no sd"),
    ("coverage.finished", "items, done, partial, pending"),
])
def test_a_path_that_leads_nowhere_names_what_there_is(three_runs, path, told):
    read = published_text if path.split(".")[0] in published.papers() else values.result_text
    with pytest.raises(EcgtlError, match=told):
        read(path)


@pytest.mark.parametrize(("end", "text"), [
    ("macro_f1.mean", ".700"), ("macro_f1.sd", ".100"), ("macro_f1.n", "3"), ("macro_f1.low", ".452"),
    ("macro_f1.high", ".948"), ("f1_per_class.af.mean", ".350")])
def test_our_numbers_are_worked_out_from_the_runs(three_runs, end, text):
    assert seen(values.result_text(f"{EXPERIMENT}.reduced.random.25.{end}")) == text


@pytest.mark.parametrize(("end", "opens"), [
    ("macro_f1.mean", ""), ("f1_per_class.af.mean", ".f1_per_class.af"), ("macro_f1.sd", None)])
def test_a_mean_opens_its_runs(three_runs, end, opens):
    found = re.findall('data-id="(.*?)"', values.result_text(f"{EXPERIMENT}.reduced.random.25.{end}"))
    assert found == ([] if opens is None else [f"weimann2021.table2.random.25{opens}"])


def test_one_run_has_a_mean(three_runs):
    assert seen(values.result_text(f"{EXPERIMENT}.reduced.random.50.macro_f1.mean")) == ".650"


def test_coverage_is_counted(three_runs):
    counts = {name: int(values.result_text(f"coverage.{name}")) for name in ("items", *coverage.STATES)}
    assert counts["items"] == 24 == sum(counts[state] for state in coverage.STATES)
    assert counts["partial"] == int((coverage.coverage()["state"] == "partial").sum()) >= 1


def test_reading_numbers_as_written_runs_no_code(tmp_path, monkeypatch):
    evil = tmp_path / "evil.yml"
    evil.write_text("a: !!python/object/apply:os.system ['touch owned']\n")
    monkeypatch.chdir(tmp_path)
    assert printed.as_written(evil) == {"a": ["touch owned"]}
    assert not (tmp_path / "owned").exists()
