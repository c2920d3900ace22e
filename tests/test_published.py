"""The transcription of the papers, proved by the relations that hold among their numbers.

No number is typed twice here: means follow from trials, gains in the text from tables, tables from one
another. Where ``ECGTL_PAPERS`` names a folder with the papers' texts (``jang2021.txt``, …), every cell is
compared with them.
"""

import hashlib
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ecgtl import published
from ecgtl.errors import EcgtlError

JANG, WEIMANN, MELEP = (published.load(name) for name in ("jang2021", "weimann2021", "melep2023"))
PRETRAINED = ("beat", "rhythm", "heart_rate", "future")
CLASSES = ("f1_normal", "f1_af", "f1_other", "f1_noise")
HALF = 0.0005 + 1e-9  # half of the third decimal, and room for binary fractions


def leaves(tree, path=()):
    """Every (path, value) below a nested dict; lists count as values."""
    if not isinstance(tree, dict):
        yield path, tree
        return
    for key, value in tree.items():
        yield from leaves(value, (*path, key))


def gain(new, old):
    """Relative change in percent between two cells."""
    return 100 * (new["mean"] - old["mean"]) / old["mean"]


def scalar(paper, name):
    return paper["scalars"][name]["value"]


def notes(table):
    return " ".join(table["notes"])


def mean_fits(cell):
    return abs(np.mean(cell["trials"]) - cell["mean"]) <= HALF


def sd_fits(cell, ddof):
    return abs(np.std(cell["trials"], ddof=ddof) - cell["sd"]) <= HALF


def jang_cells(table):
    return [(size, arm, cell) for size, row in JANG[table]["rows"].items()
            for arm, cell in row.items() if arm != "p_value"]


# The interface


def test_papers_and_items():
    assert published.papers() == ("jang2021", "weimann2021", "melep2023")
    listed = published.items()
    counted = {name: [item for paper, item, _ in listed if paper == name] for name in published.papers()}
    assert counted["jang2021"] == ["T1", "T2", "T3", "F1", "F2", "F3", "F4", "F5"]
    assert counted["weimann2021"] == ["T1", "T2", "T3", "T4", "T5", "F1", "F2", "F3"]
    assert counted["melep2023"] == ["T1", "T2", "F1", "F2", "F3", "F4", "F5", "F6"]
    assert len(listed) == 24 and all(caption for _, _, caption in listed)


def test_load_returns_a_copy():
    published.load("jang2021")["table2"]["rows"].clear()
    published.lookup("jang2021.table2.rows").clear()
    assert published.load("jang2021")["table2"]["rows"]


@pytest.mark.parametrize("name", published.papers())
def test_every_leaf_has_a_dotted_path(name):
    for path, value in leaves(published.load(name)):
        assert all(isinstance(key, str) and "." not in key for key in path), path
        assert published.lookup(".".join((name, *path))) == value


@pytest.mark.parametrize(("path", "told"), [
    ("jang2020.table1", "weimann2021"),
    ("weimann2021.table9", "table5"),
    ("weimann2021.table2.rows.random.80.mean", "25, 50, 75"),
    ("weimann2021.table2.rows.random.75.mean.value", "nothing lies below"),
])
def test_wrong_paths_name_what_there_is(path, told):
    with pytest.raises(EcgtlError, match=told):
        published.lookup(path)


def test_unknown_paper_names_the_allowed_ones():
    with pytest.raises(EcgtlError, match="jang2021, weimann2021, melep2023"):
        published.load("jang")


@pytest.mark.parametrize("name", published.papers())
def test_every_entry_says_what_and_where(name):
    content = published.load(name)
    about = {"title", "authors", "year", "journal", "citation", "doi", "url", "licence", "n_runs"}
    assert about <= set(content["paper"])
    for key, entry in content.items():
        if key.startswith("table"):
            assert {"caption", "where", "columns", "units", "rows"} <= set(entry)
    assert all({"caption", "where"} == set(figure) for figure in content["figures"].values())
    allowed = {"value", "unit", "where", "says", "printed", "note", "quoted"}
    for key, entry in content["scalars"].items():
        assert {"value", "unit", "where", "says"} <= set(entry) <= allowed, key


@pytest.mark.parametrize("path", [
    "jang2021.scalars.rhythms_abstract", "jang2021.scalars.cae_error_percent",
    "jang2021.scalars.imagenet_images", "weimann2021.scalars.ptbxl_records",
    "melep2023.scalars.ptbxl_records", "melep2023.scalars.georgia_labels",
    "melep2023.scalars.georgia_records_preprocessing",
])
def test_slips_are_marked(path):
    assert published.lookup(path)["note"]


# Jang: the trials carry the rest


@pytest.mark.parametrize("table", ["table2", "table3"])
def test_jang_means_and_sds_follow_from_trials(table):
    ddof = {"n-1": 1, "n": 0}[JANG[table]["sd_divisor"]]
    for size, arm, cell in jang_cells(table):
        assert len(cell["trials"]) == JANG[table]["runs"] == JANG["paper"]["n_runs"]["value"]
        fits = {"mean": mean_fits(cell), "sd": sd_fits(cell, ddof)}
        assert {key for key in fits if not fits[key]} == set(cell.get("differs", {})), (size, arm)


@pytest.mark.parametrize("table", ["table2", "table3"])
def test_jang_means_off_the_trials_are_truncated(table):
    for _, _, cell in jang_cells(table):
        if "mean" in cell.get("differs", {}):
            assert int(1000 * np.mean(cell["trials"])) == round(1000 * cell["mean"])


def test_jang_table2_divisors_are_as_noted():
    keys = {(True, False): set(), (False, True): set(), (True, True): set()}
    for size, arm, cell in jang_cells("table2"):
        keys[sd_fits(cell, 1), sd_fits(cell, 0)].add((size, arm))
    assert keys[True, False] == {("50", "cae"), ("25", "random"), ("25", "image")}
    assert keys[False, True] == {("100", "image")}
    assert len(keys[True, True]) == 5


def test_jang_p_values():
    comparisons = [("table2", other) for other in ("random", "image")] + [("table3", "random")]
    for table, other in comparisons:
        for row in JANG[table]["rows"].values():
            p = stats.ttest_ind(row["cae"]["trials"], row[other]["trials"], equal_var=False).pvalue
            printed = row["p_value"]
            holds = p < printed["value"] if printed["relation"] == "<" else round(p, 2) == printed["value"]
            assert holds, (table, other, p)


def test_jang_text_repeats_its_table():
    named = [key for key in JANG["scalars"] if key.startswith("f1_")]
    assert len(named) == 7
    for key in named:
        _, arm, size = key.split("_")
        assert scalar(JANG, key) == JANG["table2"]["rows"][size][arm]["mean"]


def test_jang_index_below_one():
    row = JANG["table3"]["rows"]["25"]
    threshold = scalar(JANG, "lci_threshold")
    assert max(row["random"]["trials"]) < threshold
    assert sum(trial > threshold for trial in row["cae"]["trials"]) > 5


def test_jang_counts_and_errors():
    rows = JANG["table1"]["rows"]
    for group, count in rows["patients"].items():
        assert rows["ecgs"][group] == count * rows["ecgs_per_patient"][group]
    share = {group: 100 * cell["count"] / rows["patients"][group] for group, cell in rows["male"].items()}
    # The upstream share is truncated, the downstream share rounded, as the table's note says.
    assert int(1000 * share["aumc"]) == round(1000 * rows["male"]["aumc"]["percent"])
    assert round(share["shaoxing"], 3) == rows["male"]["shaoxing"]["percent"]
    assert scalar(JANG, "aumc_samples") == rows["ecgs"]["aumc"] > scalar(JANG, "aumc_samples_rounded")
    assert scalar(JANG, "aumc_patients") == rows["patients"]["aumc"] > scalar(JANG, "aumc_patients_rounded")
    assert scalar(JANG, "shaoxing_records") == rows["ecgs"]["shaoxing"]
    per_sample = scalar(JANG, "cae_mse") / scalar(JANG, "window_samples")
    assert int(1000 * per_sample) == round(1000 * scalar(JANG, "cae_mse_per_sample"))
    low, high = scalar(JANG, "signal_range")
    percent = 100 * scalar(JANG, "cae_mse_per_sample") / (high - low)
    assert round(percent, 2) != scalar(JANG, "cae_error_percent") == round(100 * 0.3 / (high - low), 2)
    seconds = scalar(JANG, "window_samples") / scalar(JANG, "sampling_rate")
    assert round(seconds, 1) == scalar(JANG, "window_seconds")


# Weimann: the text's gains follow from the tables, the tables from one another


def best_rows():
    """The setting of each pretraining with the highest macro F1."""
    rows = WEIMANN["table1"]["rows"]
    own = {init: [key for key in rows if rows[key]["init"] == init] for init in ("random", *PRETRAINED)}
    return {init: max(keys, key=lambda key: rows[key]["f1"]["mean"]) for init, keys in own.items()}


def test_weimann_table1_settings():
    rows = WEIMANN["table1"]["rows"]
    assert len(rows) == 14
    for key, row in rows.items():
        if row["init"] == "future":
            name = f"future_c{row['context']}_n{row['negatives']}_o{row['offset']}"
        else:
            name = row["init"] if row["frame"] is None else f"{row['init']}_{row['frame']}"
        assert key == name


def test_weimann_macro_f1_is_the_mean_over_classes():
    # All five numbers may be half a unit off, so the mean of four lies within one unit of the macro F1.
    for key, row in WEIMANN["table1"]["rows"].items():
        assert abs(np.mean([row[name]["mean"] for name in CLASSES]) - row["f1"]["mean"]) <= 2 * HALF, key


def test_weimann_tables_share_their_common_column():
    best = best_rows()
    for init in ("random", *PRETRAINED):
        cell = WEIMANN["table1"]["rows"][best[init]]["f1"]
        assert cell == WEIMANN["table2"]["rows"][init]["75"]
        assert cell == WEIMANN["table3"]["rows"][init]["250"]
        assert cell == WEIMANN["table4"]["rows"][init]["resnet18"]


def test_weimann_preferred_frames():
    rows, best, rate = WEIMANN["table1"]["rows"], best_rows(), scalar(WEIMANN, "icentia_sampling_rate")
    seconds = {init: rows[best[init]]["frame"] / rate for init in PRETRAINED}
    long, short = (scalar(WEIMANN, f"preferred_frame_{name}") for name in ("beat_rhythm", "heart_rate"))
    assert round(seconds["beat"]) == round(seconds["rhythm"]) == long
    assert round(seconds["heart_rate"]) == short
    window = seconds["heart_rate"] + 2 * scalar(WEIMANN, "heart_rate_margin")
    assert round(window) == scalar(WEIMANN, "heart_rate_label_window")


def test_weimann_claim_about_every_class_fails_in_the_rows_noted():
    rows = WEIMANN["table1"]["rows"]
    random = rows["random"]
    below = {key for key, row in rows.items() for name in CLASSES if row[name]["mean"] < random[name]["mean"]}
    assert len(below) == 4
    said = r"(?:beat|rhythm|heart rate) in frames of [\d,]+ samples|future with \d+ negatives and offset \d+"
    noted = re.findall(said, notes(WEIMANN["table1"]))
    assert set(noted) == {
        f"future with {row['negatives']} negatives and offset {row['offset']}" if row["offset"] else
        f"{row['init'].replace('_', ' ')} in frames of {row['frame']:,} samples" for row in map(rows.get, below)}


def printed_gains():
    """(name of the scalar, new cell, old cell) for every relative change that the text prints."""
    f1 = {init: WEIMANN["table1"]["rows"][key]["f1"] for init, key in best_rows().items()}
    rate, depth = WEIMANN["table3"]["rows"]["random"], WEIMANN["table4"]["rows"]
    found = [("best_gain", max(f1.values(), key=lambda cell: cell["mean"]), f1["random"])]
    found += [(f"gain_{init}", f1[init], f1["random"]) for init in PRETRAINED]
    found += [("drop_random_300hz", rate["300"], rate["250"])]
    found += [(f"gain_resnet34_{init}", row["resnet34"], row["resnet18"]) for init, row in depth.items()]
    found += [(f"drop_resnet50_{init}", depth[init]["resnet50"], depth[init]["resnet34"])
              for init in ("random", "beat")]
    for data in ("ptbxl", "cpsc2018"):
        auc = {init: row[data]["macro_auc"] for init, row in WEIMANN["table5"]["rows"].items()}
        found += [(f"gain_auc_{data}_{init}", auc[init], auc["random"]) for init in PRETRAINED]
    return found


def test_weimann_gains_follow_from_the_tables():
    found = printed_gains()
    named = {key for key in WEIMANN["scalars"] if re.search("gain|^drop", key)}
    assert named == {name for name, _, _ in found}
    for name, new, old in found:
        assert round(gain(new, old), 2) == scalar(WEIMANN, name), name


def test_weimann_claims_on_size_and_rate():
    size, rate = WEIMANN["table2"]["rows"], WEIMANN["table3"]["rows"]
    assert size["beat"]["25"]["mean"] > size["random"]["75"]["mean"]
    for init in ("beat", "heart_rate"):
        gains = [gain(size[init][column], size["random"][column]) for column in ("25", "50", "75")]
        assert gains == sorted(gains, reverse=True)
    for column in ("25", "50", "75"):
        rise = size["rhythm"][column]["mean"] - size["random"][column]["mean"]
        assert f".{round(1000 * rise):03d}" in notes(WEIMANN["table2"])
    other = ("128", "300")
    assert all(rate[init][hz]["mean"] > rate["random"][hz]["mean"] for init in PRETRAINED for hz in other)
    kept = {(init, hz) for init, row in rate.items() for hz in other if row[hz]["mean"] >= row["250"]["mean"]}
    assert kept == {("beat", "128"), ("heart_rate", "300")}  # against the decline of the text, see the note


def test_weimann_claims_that_its_tables_contradict():
    depth, target = WEIMANN["table4"]["rows"], WEIMANN["table5"]["rows"]
    assert {(init, net) for init in PRETRAINED for net in depth[init]
            if depth[init][net]["mean"] < depth["random"][net]["mean"]} == {("future", "resnet34")}
    metrics = [(data, metric) for data, row in target["random"].items() for metric in row]
    lost = {(init, data, metric) for init in PRETRAINED for data, metric in metrics
            if target[init][data][metric]["mean"] <= target["random"][data][metric]["mean"]}
    assert lost == {("heart_rate", "cpsc2018", "macro_auc"), ("heart_rate", "cpsc2018", "f_max")}
    orders = {(data, metric): sorted(target, key=lambda init: -target[init][data][metric]["mean"])
              for data, metric in metrics}
    assert orders["ptbxl", "macro_auc"][0] == "heart_rate" and orders["ptbxl", "f_max"][0] == "beat"
    last = {metric: orders["cpsc2018", metric][-1] for metric in ("macro_auc", "f_beta", "g_beta")}
    assert last == {"macro_auc": "heart_rate", "f_beta": "random", "g_beta": "random"}


def test_weimann_footnote_and_quoted_row():
    marked = [path for path, value in leaves(WEIMANN["table4"]["rows"]) if value == "*"]
    assert marked == [("future", "resnet50", "mark")] and list(WEIMANN["table4"]["footnotes"]) == ["*"]
    quoted = WEIMANN["table5"]["quoted_rows"]["strodthoff2020"]
    assert quoted["quoted"] is True
    own = WEIMANN["table5"]["rows"]["random"]
    assert all(set(quoted[data]) == set(own[data]) for data in own)


def test_weimann_frames_and_upstream_share():
    frames = scalar(WEIMANN, "pretraining_frames")
    trained = scalar(WEIMANN, "icentia_patients") * (1 - scalar(WEIMANN, "icentia_validation") / 100)
    assert round(trained * scalar(WEIMANN, "frames_per_patient") / 1e6, 1) == frames / 1e6
    hours = scalar(WEIMANN, "icentia_hours")
    rate = scalar(WEIMANN, "icentia_sampling_rate")
    shares = [100 * frames * length / rate / 3600 / hours for length in (512, 2048, 4096)]
    assert shares[1] < scalar(WEIMANN, "upstream_used") < shares[2]
    noted = re.search(r"(\d+), (\d+) or (\d+) %", WEIMANN["scalars"]["upstream_used"]["note"])
    assert [round(share) for share in shares] == [int(percent) for percent in noted.groups()]


def test_weimann_protocol_adds_up():
    split = scalar(WEIMANN, "split")
    assert sum(split) == 100 and sum(sorted(split)[::2]) == scalar(WEIMANN, "resampled_pool")
    assert sum(scalar(WEIMANN, "cpsc2018_split")) == 100
    assert scalar(WEIMANN, "d_ff") == 2 * scalar(WEIMANN, "d_model")
    runs = {WEIMANN[key]["runs"] for key in WEIMANN if key.startswith("table")}
    assert runs == {scalar(WEIMANN, "runs")} == {WEIMANN["paper"]["n_runs"]["value"]}


# MELEP


def test_melep_rows():
    rows = MELEP["table2"]["rows"]
    on_csn = {"resnet1d101": "3.1", "bilstm": "3.2"}
    assert len(rows) == 10
    for key, row in rows.items():
        assert key == f"{row['model']}_{row['source']}_{row['target']}" and row["source"] != row["target"]
        assert row["section"] == (on_csn[row["model"]] if row["target"] == "csn" else "3.3")


def test_melep_claims_of_the_text():
    rows = MELEP["table2"]["rows"]
    values = {key: row["correlation"] for key, row in rows.items()}
    assert all(values[f"resnet1d101_{source}_csn"] < scalar(MELEP, "correlation_csn")
               for source in ("ptbxl", "cpsc2018", "georgia"))
    assert sum(-value > scalar(MELEP, "correlation_abstract") for value in values.values()) > 5
    for key in values:
        if key.startswith("resnet1d101"):
            assert values[key.replace("resnet1d101", "bilstm")] < values[key]
    # "Most" of the four PTB-XL cases would be three; the note says two.
    on_ptbxl = [value for key, value in values.items() if rows[key]["target"] == "ptbxl"]
    assert sum(value < scalar(MELEP, "correlation_ptbxl") for value in on_ptbxl) == 2


def test_melep_counts():
    rows = MELEP["table1"]["rows"]
    for key, name in (("cpsc2018", "cpsc2018_labels"), ("ptbxl", "ptbxl_statements"), ("csn", "csn_labels")):
        assert rows[key]["labels"] == scalar(MELEP, name)
        assert rows[key]["records"] == scalar(MELEP, f"{key}_records")
    assert rows["georgia"]["records"] == scalar(MELEP, "georgia_records")
    assert rows["georgia"]["records"] != scalar(MELEP, "georgia_records_preprocessing")
    assert rows["georgia"]["labels"] != scalar(MELEP, "georgia_labels")
    train, test = (scalar(MELEP, f"fold_{part}_records") for part in ("train", "test"))
    first, second = scalar(MELEP, "fold_split")
    assert train + test == scalar(MELEP, "fold_records") and train * second == test * first
    labels = MELEP["scalars"]["selection_labels"]
    assert len(labels["says"].split(": ")[1].split(", ")) == labels["value"]


def test_papers_agree_on_shared_data_sets():
    assert scalar(WEIMANN, "ptbxl_records") == scalar(MELEP, "ptbxl_records")
    assert scalar(WEIMANN, "cpsc2018_records") == scalar(MELEP, "cpsc2018_records")
    assert scalar(WEIMANN, "hannun_records") == scalar(MELEP, "hannun_records")


# Few relations reach an SD of Weimann or pin a correlation of MELEP, so the tables are sealed as they were
# when compared with the papers' texts. A correction renews the seal, after a run with ECGTL_PAPERS.
SEALS = {"jang2021": "53f43f86751023bb", "weimann2021": "597ea171bc216de0", "melep2023": "0c2574268396f4a9"}


@pytest.mark.parametrize("name", published.papers())
def test_tables_are_as_compared_with_the_text(name):
    tables = {key: table for key, table in published.load(name).items() if key.startswith("table")}
    cells = [(path, value) for path, value in leaves(tables) if "rows" in path[1]]
    numbers = [(path, value) for path, value in cells if not isinstance(value, str)]
    assert hashlib.sha256(json.dumps(numbers).encode()).hexdigest()[:16] == SEALS[name]


# Against the papers' texts, where they are available here


@pytest.fixture(scope="module")
def texts():
    folder = os.environ.get("ECGTL_PAPERS")
    if not folder:
        pytest.skip("ECGTL_PAPERS names no folder with the papers' texts")
    return {name: (Path(folder) / f"{name}.txt").read_text(encoding="utf-8") for name in published.papers()}


def test_jang_tables_against_the_text(texts):
    lines = texts["jang2021"].split("\n")
    trials = [line.split("\t")[1:] for line in lines if re.match(r"\d+(\t\d\.\d+){6,9}$", line)]
    summaries = [line for line in lines if line.startswith("Mean ± SD")]
    for table, rows, summary in zip(("table2", "table3"), (trials[:10], trials[10:]), summaries, strict=True):
        cells = [cell for _, _, cell in jang_cells(table)]
        columns = [[float(number) for number in column] for column in zip(*rows, strict=True)]
        assert columns == [cell["trials"] for cell in cells]
        pairs = re.findall(r"([\d.]+)\s*\\pm\s*([\d.]+)", summary)
        assert [tuple(map(float, pair)) for pair in pairs] == [(cell["mean"], cell["sd"]) for cell in cells]


def test_weimann_tables_against_the_text(texts):
    cells = re.findall(r"(\.\d{3})\*? \(± (\.\d{3})\)", texts["weimann2021"])
    tables = {key: table for key, table in WEIMANN.items() if key.startswith("table")}
    ours = [value for path, value in leaves(tables) if path[-1] in ("mean", "sd")]
    assert ours == [float(number) for cell in cells for number in cell]


def test_melep_correlations_against_the_text(texts):
    found = re.findall(r"\t(-0\.\d{3})$", texts["melep2023"], flags=re.MULTILINE)
    ours = [row["correlation"] for row in MELEP["table2"]["rows"].values()]
    assert ours == [float(number) for number in found]


def numbers_in(text):
    """Absolute values of every number in a text, thousands separators removed."""
    bare = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    return {abs(float(number)) for number in re.findall(r"\d*\.\d+|\d+", bare)}


@pytest.mark.parametrize("name", published.papers())
def test_other_numbers_against_the_text(texts, name):
    content, text = published.load(name), " ".join(texts[name].split())
    there = numbers_in(text)
    for key, entry in content["scalars"].items():
        if "printed" in entry:
            assert entry["printed"] in text, key
            continue
        values = entry["value"] if isinstance(entry["value"], list) else [entry["value"]]
        assert {abs(value) for value in values} <= there, key
    for path, value in leaves(content["table1"]["rows"]):
        values = value if isinstance(value, list) else [value]
        assert {abs(v) for v in values if isinstance(v, int | float)} <= there, path


@pytest.mark.parametrize("name", published.papers())
def test_no_sentence_is_taken_from_the_papers(texts, name):
    def runs_of_words(text, length=8):
        words = re.findall(r"[a-z]+", text.lower())
        return {tuple(words[i:i + length]) for i in range(len(words) - length + 1)}

    taken = runs_of_words(texts[name])
    content = published.load(name)
    del content["paper"]  # a title is a title
    for path, value in leaves(content):
        for text in value if isinstance(value, list) else [value]:
            assert not (isinstance(text, str) and runs_of_words(text) & taken), path
