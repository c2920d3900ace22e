"""Weimann's Figure 1: the study, as the paper has it and as it was run."""

import dataclasses
import re

from pages import row_of, texts
from stored_runs import store_pretraining, store_values

from ecgtl import results
from ecgtl.analysis import cells, names
from ecgtl.report import study
from ecgtl.report.weimann import figure1, shared


def test_the_overview_follows_pretrainings_and_runs(monkeypatch):
    steps = figure1.overview("reduced").set_index("what")
    assert steps.loc["subjects", "ours"] == steps.loc["macro F1, best pretraining", "ours"] == names.PENDING
    known = {"frames": {"train": 1000, "validation": 100, "test": 100},
             "subjects": {"train": 36, "validation": 7, "test": 5}, "sources": {"mitdb": {}}}
    store_pretraining("beat", {"accuracy": 0.8, "n": 960, "macro_f1": 0.5, "majority": 0.6}, **known)
    store_pretraining("future", {"accuracy": 0.8, "n": 960}, **known)
    store_values(shared.TABLE2, "random", 75, [0.70, 0.71, 0.72])
    store_values(shared.TABLE2, "beat", 75, [0.73, 0.74, 0.75])
    steps = figure1.overview("reduced").set_index("what")
    ours = steps["ours"]
    assert re.findall("[0-9]+", ours["subjects"]) == ["36", "7", "5"]
    assert ours["tasks"] == "beat, future prediction"
    assert ours["frames seen"] == "2,000"
    assert ours["macro F1, random weights"] == ".710" and ours["macro F1, best pretraining"] == ".740 (beat)"
    assert steps.loc["macro F1, best pretraining", "paper"] == ".779 (beat)" and ours["runs a cell"] == "0 to 3"
    drawn = " ".join(texts(study.study_chart(shared.PAPER, steps.reset_index())))
    assert "subjects: 36 " in drawn and ".740" in drawn
    learned = figure1.learned("reduced")
    future = row_of(learned, Task="Future prediction")
    assert future[["Accuracy", "Without looking", "Macro F1"]].tolist() == [".800", ".111", "–"]
    assert row_of(learned, Task="Rhythm classification")["Accuracy"] == names.PENDING
    later = f"{shared.TABLE2}-seeds"
    store_values(later, "beat", 75, [0.80])
    single = results.load(next(results.folder("reduced").glob("pretrain/beat*.json")))
    data = {"subjects": {"train": 83, "validation": 17, "test": 11}, "sources": {"mitdb": {}, "qtdb": {}}}
    results.save(dataclasses.replace(single, experiment="weimann2021-seeds", key="beat-seed0-reduced",
                                     data=single.data | data))
    monkeypatch.setattr(cells, "current", lambda *asked: later)  # once it is full
    ours = figure1.overview("reduced").set_index("what")["ours"]
    assert re.findall("[0-9]+", ours["subjects"]) == ["83", "17", "11"] and "QT" in ours["source of continuous ECG"]
    assert ours["macro F1, best pretraining"] == ".800 (beat)"
