"""The page on pretraining and architecture: differences to random twins by the plan's rule, marks, and what it says."""

import dataclasses

import numpy as np
import pytest
from pages import run_page, seen
from stored_runs import PROVENANCE, planned

from ecgtl import experiments, results
from ecgtl.jobs import scoring
from ecgtl.report.across import probe
from ecgtl.results import Result

pytestmark = pytest.mark.usefixtures("own_results")
CINC, PTBXL, CPSC = probe.TARGETS
N = 400


def store(experiment, method, size, right, labels=50, sources=("mitdb",), short=0):
    """Runs of a cell that answer a share ``right`` (one a run) of the test recordings as they should; without the first
    few where they are too ``short``."""
    entry = experiments.load(experiment)
    classes = ("a", "b", "c", "d")
    runs = [run for run in planned(experiment) if (run.method, run.size) == (method, size)]
    for run, share in zip(runs, right, strict=False):
        rng = np.random.default_rng([run.number, len(method)])
        y = np.arange(N) % len(classes)
        given = np.where(rng.random(N) < share, y, rng.integers(len(classes), size=N))
        p = np.full((N, len(classes)), 0.1, np.float16)
        p[np.arange(N), given] = 0.7
        if entry.score == "macro_auc":
            y = np.eye(len(classes), dtype=np.uint8)[y]
        scored = (scoring.score_multi_label if y.ndim == 2 else scoring.score)(y, p, classes)
        start = {"start": {"sources": [*sources]}} if run.config.init != "random" else {}
        results.save(Result(run.home, run.key, dataclasses.asdict(run.config),
                            {"upstream": "substitute" if start else "none", "target": "full", "leads": "full"},
                            scored | {"validated": scored | {"epoch": 0}}, [],
                            {"name": entry.dataset, "version": "1", "records": N, "classes": [*classes],
                             "digest": entry.data.without_short if short else entry.data.digest,
                             "split": {"train": dict.fromkeys(classes, labels)}} | start,
                            {"test": np.arange(N - short, dtype=np.uint32), "y_test": y.astype(np.uint8)[short:],
                             "prob_validated": p[short:]}, PROVENANCE))


def of(method, column, experiment=CINC, over="twin"):
    found = probe.frame("reduced").set_index(["experiment", "method", "column", "over"])
    return found.loc[experiment, method, column, over]


def test_each_pretrained_encoder_is_held_against_the_same_network_with_random_weights():
    found = probe.encoders(PTBXL, "reduced")
    twins = {method: probe.twin_of(method, found) for method in found}
    assert twins == {"cae_random": None, "cae": "cae_random", "resnet18_random": None, "rr_logistic": None,
                     **dict.fromkeys(("beat", "rhythm", "heart_rate", "future"), "resnet18_random"),
                     "resnet1d101_random": None, "bilstm_random": None,
                     **{f"{arch}_{source}": f"{arch}_random" for arch in ("resnet1d101", "bilstm")
                        for source in ("cpsc2018", "cinc2017")}}


def test_the_answer_follows_from_the_interval_over_runs_and_recordings():
    store(CINC, "resnet18_random", 100, [0.3, 0.32, 0.31, 0.3, 0.33])
    store(CINC, "beat", 100, [0.8, 0.81, 0.8, 0.79, 0.8])
    store(CINC, "rhythm", 100, [0.05, 0.04, 0.05, 0.06, 0.05])
    store(CINC, "future", 100, [0.31, 0.3, 0.33, 0.32, 0.3])
    store(CINC, "heart_rate", 100, [0.8, 0.8])
    store(CINC, "rr_logistic", 100, [0.9] * 5)
    assert [of(name, 100).answer for name in ("beat", "rhythm", "future", "heart_rate", "cae")] == [
        "yes", "opposite", "undecided", "not tested", "not tested"]
    assert of("beat", 100, over="rr").answer == "opposite"


def test_a_difference_of_other_test_recordings_is_said_to_cover_runs_alone():
    assert "All intervals cover runs and test recordings" in probe.runs_alone(probe.frame("reduced")).data
    store(CINC, "bilstm_random", 100, [0.3, 0.32, 0.31, 0.3, 0.33], short=3)
    store(CINC, "bilstm_cpsc2018", 100, [0.6, 0.61, 0.6, 0.59, 0.6], short=3)
    store(CINC, "rr_logistic", 100, [0.9, 0.91, 0.9, 0.89, 0.9])
    found = probe.frame("reduced")
    assert "1 of 138 intervals cover runs alone" in (said := probe.runs_alone(found).data)
    assert said.endswith("other has: Minus RR intervals, CinC 2017, Bi-LSTM, labels of CPSC 2018.</p>")


def test_an_encoder_that_never_varies_still_has_an_interval_by_its_test_recordings():
    store(CINC, "resnet18_random", 100, [0.3, 0.32, 0.31, 0.3, 0.33])
    store(CINC, "beat", 100, [1.0] * 5)
    found = of("beat", 100).ours
    assert found.low < found.value < found.high


def test_a_cell_with_few_labels_is_marked_and_so_is_an_encoder_that_has_seen_the_target():
    store(CINC, "cae", 10, [0.5] * 5, labels=7, sources=("cinc2017", "mitdb"))
    store(CINC, "cae", 100, [0.6] * 5, sources=("cinc2017", "mitdb"))
    table = probe.table(probe.frame("reduced"), CINC, "reduced").set_index("Encoder").map(seen)
    row = next(name for name in table.index if name.startswith("Convolutional encoder, autoencoder"))
    assert row.endswith("‡") and [*table.columns[:3]] == ["10 labels", "10 % †", "100 %"]
    said = seen(probe.remarks(CINC, "reduced").data)
    assert "† 10 %: fewer than 10 labels of a, b, c, d." in said and "without labels" in said
    assert "†" not in probe.remarks(PTBXL, "reduced").data


def test_in_short_counts_the_answers_and_the_page_says_pending_where_nothing_was_run():
    store(CINC, "resnet18_random", 100, [0.3, 0.32, 0.31, 0.3, 0.33])
    store(CINC, "beat", 100, [0.8, 0.81, 0.8, 0.79, 0.8])
    store(CINC, "rr_logistic", 100, [0.9] * 5)
    page = run_page("across", "probe")
    text = seen(page)
    assert "Frozen encoder minus random twin: of 1 that can be judged here 1 has a 95 % CI above 0 and 0 below" in text
    assert "Minus RR intervals: of 1 that can be judged here 0 have a 95 % CI above 0 and 1 below 0" in text
    assert "PENDING" in text and f"15 of {len(planned(CINC))} runs" in text
    assert 'data-id="probe.cinc2017.beat.100"' in page


def test_the_counts_add_up_to_all_differences():
    store(CPSC, "cae_random", 100, [0.3, 0.32, 0.31])
    store(CPSC, "cae", 100, [0.8, 0.81, 0.8])
    table = probe.counts(probe.frame("reduced"))
    words = [name for name in table.columns if name not in ("Target", "Labels", "Difference")]
    assert table[words].to_numpy().sum() == len(probe.frame("reduced"))
    assert table.loc[(table["Target"] == "CPSC 2018") & (table["Labels"] == "100 %"), "yes"].sum() == 1
