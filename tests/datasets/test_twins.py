"""The twins of PTB-XL, CPSC 2018, Georgia, Chapman-Ningbo and Icentia11k: how statements look, and files."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import wfdb
from wfdb.processing import XQRS

from ecgtl import datasets
from ecgtl.config import FinetuneConfig, PretrainConfig
from ecgtl.datasets import cpsc2018, csn, georgia, icentia11k, ptbxl, snomed, splits, synthetic
from ecgtl.datasets.leads import LEADS
from ecgtl.datasets.synthetic import hospitals
from ecgtl.datasets.synthetic.hospitals import go_together, record_with
from ecgtl.datasets.synthetic.model import Changes
from ecgtl.datasets.synthetic.noise import Noise
from ecgtl.datasets.synthetic.plans import synthesise
from ecgtl.datasets.synthetic.rhythms import table
from ecgtl.jobs import finetune, pretrain
from ecgtl.signals import frame_labels
from ecgtl.signals.frames import sampled

RATE = 500
RHYTHMS, FINDINGS = (table("statements")[name] for name in ("rhythms", "findings"))


def made(*words, subject=1, stream=2, seconds=10.0):
    """A record without noise that shows the statements ``words``; findings at one rate, to be compared."""
    plan = record_with(words, np.random.default_rng(0), "x", (9, stream), (9, 0, subject), seconds)
    segments = plan.segments
    if not words or words[0] in FINDINGS:
        segments = tuple(replace(segment, rate=70, variability=0.01) for segment in segments)
    return synthesise(replace(plan, noise=Noise(), segments=segments), RATE, seed=0)


def beat(record, lead, start=-0.35, stop=0.5):
    """The mean beat in mV, from ``start`` to ``stop`` s about the R peak."""
    offsets = np.arange(int(start * RATE), int(stop * RATE))
    at = np.rint(record.beat_times[1:-1] * RATE).astype(int)[:, None] + offsets
    at = at[(at[:, 0] >= 0) & (at[:, -1] < len(record.signal))]
    return record.signal[:, LEADS.index(lead)][at].mean(axis=0)


def qrs(record, lead):
    return beat(record, lead, -0.06, 0.06)


def net(record, lead):
    """Sum of the highest and the lowest value in the QRS complex: its direction in that lead."""
    part = qrs(record, lead)
    return part.max() + part.min()


# --- what statements look like ---

@pytest.mark.parametrize("subject", range(3))
def test_left_axis_deviation_turns_the_qrs_complex_up_and_to_the_left(subject):
    normal, turned = made(subject=subject), made("left_axis_deviation", subject=subject)
    assert net(normal, "II") > 0 > net(turned, "II") and net(turned, "aVF") < 0 < net(turned, "I")
    t_waves = [beat(record, "II", 0.2, 0.4) for record in (normal, turned)]
    np.testing.assert_allclose(*t_waves, atol=0.02)


@pytest.mark.parametrize(("word", "low", "high"), [("low_qrs_voltages", 0.2, 0.5),
                                                   ("left_ventricular_high_voltage", 1.5, 2.5)])
def test_voltages_change_the_qrs_complex_alone(word, low, high):
    normal, other = made(), made(word)
    assert low < np.ptp(qrs(other, "V5")) / np.ptp(qrs(normal, "V5")) < high
    np.testing.assert_allclose(beat(other, "V5", 0.25, 0.4), beat(normal, "V5", 0.25, 0.4), atol=0.02)


def test_first_degree_av_block_moves_the_p_wave_away_from_the_qrs_complex():
    def p_wave(record):
        return beat(record, "II")[:int(0.28 * RATE)].argmax() / RATE - 0.35  # up to 70 ms before R

    delay = p_wave(made()) - p_wave(made("first_degree_av_block"))
    low, high = FINDINGS["first_degree_av_block"]["pr"]
    assert low - 0.01 < delay < high + 0.01
    np.testing.assert_allclose(qrs(made("first_degree_av_block"), "II"), qrs(made(), "II"), atol=0.02)


def test_t_waves_flatten_and_turn_round():
    normal, flat, inverted = (beat(made(*words), "V5", 0.2, 0.45)
                              for words in ((), ("t_wave_abnormal",), ("t_wave_inversion",)))
    assert normal.max() > 0.2 and np.abs(flat).max() < 0.3 * normal.max()
    assert inverted.min() < -0.5 * normal.max() and inverted.max() < 0.1


def test_prolonged_qt_interval_moves_the_end_of_the_t_wave():
    peak = [beat(made(*words), "V5", 0.15, 0.6).argmax() / RATE + 0.15
            for words in ((), ("prolonged_qt_interval",))]
    low, high = FINDINGS["prolonged_qt_interval"]["qt"]
    assert low - 0.05 < peak[1] / peak[0] < high + 0.05


@pytest.mark.parametrize(("word", "looked_at", "elsewhere"), [
    ("inferior_myocardial_infarction", ("II", "III", "aVF"), ("I", "V1", "V2")),
    ("anterior_myocardial_infarction", ("V1", "V2", "V3"), ("I", "III", "V6"))])
def test_infarcts_leave_q_waves_where_they_look(word, looked_at, elsewhere):
    early = slice(0, int(0.04 * RATE))  # 60 to 20 ms before the R peak

    def change(lead):  # the median over subjects, for each heart lies a little differently
        differences = [qrs(made(word, subject=k), lead) - qrs(made(subject=k), lead) for k in range(8)]
        return np.median(differences, axis=0)[early]

    assert all(change(lead).min() < -0.2 for lead in looked_at)
    assert all(np.abs(change(lead)).max() < 0.15 for lead in elsewhere)


def test_st_statements_move_the_st_segment_their_way():
    level = {word: (beat(made(word), "V5") - beat(made(), "V5"))[int(0.45 * RATE):int(0.52 * RATE)].mean()
             for word in ("st_depression", "st_elevation", "nonspecific_st_t_abnormality")}
    assert level["st_depression"] < -0.1 and level["st_elevation"] > 0.1
    assert level["st_depression"] < level["nonspecific_st_t_abnormality"] < -0.02


@pytest.mark.parametrize(("word", "symbol"), [
    ("premature_atrial_contraction", "A"), ("ventricular_ectopics", "V"), ("ventricular_bigeminy", "V"),
    ("pacing_rhythm", "/"), ("right_bundle_branch_block", "R"), ("left_bundle_branch_block", "L")])
def test_beats_are_those_of_the_statement(word, symbol):
    assert symbol in made(word).symbols and symbol not in made().symbols


def test_an_attack_of_tachycardia_begins_within_the_record():
    spans = made("paroxysmal_supraventricular_tachycardia").spans
    assert [span.rhythm for span in spans] == ["sinus", "supraventricular"] and 2.5 < spans[1].start < 6.5
    assert [span.rhythm for span in made("supraventricular_tachycardia").spans] == ["supraventricular"]


@pytest.mark.parametrize(("one", "other"), [
    ("atrial_fibrillation", "first_degree_av_block"), ("atrial_flutter", "premature_atrial_contraction"),
    ("left_bundle_branch_block", "st_depression"),
    ("left_bundle_branch_block", "complete_right_bundle_branch_block"),
    ("low_qrs_voltages", "left_ventricular_high_voltage"), ("t_wave_abnormal", "t_wave_inversion"),
    ("sinus_rhythm", "sinus_bradycardia"), ("pacing_rhythm", "q_wave_abnormal")])
def test_statements_that_exclude_each_other(one, other):
    assert not go_together(one, [other]) and not go_together(other, ["sinus_arrhythmia", one])


def test_statements_that_go_together_are_all_seen():
    assert go_together("right_bundle_branch_block", ["atrial_fibrillation", "st_depression"])
    words = ("atrial_fibrillation", "right_bundle_branch_block", "st_depression", "left_axis_deviation")
    plan = record_with(words, np.random.default_rng(0), "x", (1,), (2,))
    assert plan.segments[0].rhythm == "fibrillation" and plan.conduction == "rbbb" and plan.st < -0.1
    assert plan.changes.axis < -60 and replace(plan.changes, axis=0.0) == Changes()


def test_every_statement_can_be_drawn():
    for word in RHYTHMS | FINDINGS:
        signal = made(word).signal
        assert np.isfinite(signal).all() and 0.05 < signal[:, LEADS.index("II")].std() < 3
    with pytest.raises(KeyError):
        hospitals.appearance("brugada_pattern")


# --- the twelve-lead twins ---

LOADERS = {"ptbxl": ptbxl, "cpsc2018": cpsc2018, "georgia": georgia, "csn": csn}


@pytest.fixture(scope="module")
def twins(session_cache):
    """The four twins in lead I, and the folder of their files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        return {name: (datasets.load(name, twin=True, leads="I"), synthetic.twin_root(name))
                for name in LOADERS}


@pytest.mark.parametrize("name", list(LOADERS))
def test_records_read_alike_through_wfdb(name, twins):
    whole, root = datasets.load(name, twin=True), twins[name][1]
    headers = sorted((root / LOADERS[name].FOLDER).rglob("*.hea"))
    files = {path.stem.removesuffix("_hr"): path for path in headers if not path.stem.endswith("_lr")}
    assert set(whole.ids.tolist()) <= set(files) and set(whole.sampling_rate) == {500.0}
    for i in range(0, len(whole), 20):
        read = wfdb.rdrecord(str(files[str(whole.ids[i])].with_suffix("")))
        np.testing.assert_allclose(read.p_signal.T, whole.signal(i), atol=1e-6)
        assert [lead.lower() for lead in read.sig_name] == [lead.lower() for lead in LEADS]
        stored = wfdb.rdrecord(str(files[str(whole.ids[i])].with_suffix("")), physical=False)
        assert not (np.subtract(stored.checksum, stored.calc_checksum()) % 65536).any()
        assert stored.init_value == stored.d_signal[0].tolist()


@pytest.mark.parametrize("name", list(hospitals.archives()))
def test_labels_are_those_of_the_plan_in_the_shares_of_the_release(name, twins):
    recordings, archive = twins[name][0], hospitals.archives()[name]
    planned = {plan.record: {snomed.name_of(code) for code in plan.labels}
               for plan in hospitals.archive(name, synthetic.SEED)}
    found = {record: {recordings.classes[k] for k in np.flatnonzero(row)}
             for record, row in zip(recordings.ids.tolist(), recordings.labels, strict=True)}
    same = {"ventricular_ectopics": "premature_ventricular_contraction"} if name == "cpsc2018" else {}
    assert found == {record: {same.get(word, word) for word in words} for record, words in planned.items()}
    counts = {snomed.name_of(code): n for code, n in archive.counts().items()}
    assert min(counts.values()) == hospitals.LEAST and len(recordings) == sum(counts.values())
    assert all(recordings.counts()[same.get(word, word)] >= n for word, n in counts.items())
    most = max(archive.codes, key=lambda code: snomed.records(code, *archive.sources))
    assert counts[snomed.name_of(most)] == max(counts.values()) > 2 * hospitals.LEAST


def test_several_labels_are_as_frequent_as_in_each_archive(twins):
    number = {name: recordings.labels.sum(axis=1) for name, (recordings, _) in twins.items()}
    assert set(number["cpsc2018"]) == {1, 2, 3} and 0.03 < (number["cpsc2018"] > 1).mean() < 0.2
    assert (number["csn"] > 1).mean() > 0.5 and (number["georgia"] > 1).mean() > 0.5
    assert len(snomed.label_set("csn_20")) == 20 < len(twins["csn"][0].classes)
    normal = twins["cpsc2018"][0].labels[:, 0] == 1
    assert (number["cpsc2018"][normal] == 1).all()  # a normal record is nothing else


def test_csn_twin_has_both_hospitals(twins):
    recordings, root = twins["csn"]
    shaoxing = sum(record <= csn.SHAOXING_LAST for record in recordings.ids.tolist())
    assert abs(2 * shaoxing - len(recordings)) <= 1
    assert (root / csn.FOLDER / "WFDBRecords/01/010/JS00001.hea").is_file()


def test_lengths_are_those_of_each_archive(twins):
    seconds = {name: recordings.durations for name, (recordings, _) in twins.items()}
    assert set(seconds["csn"]) == set(seconds["ptbxl"]) == {10.0}
    for name, shortest, longest in (("cpsc2018", 6, 20), ("georgia", 5, 10)):
        assert shortest <= seconds[name].min() < 10 <= seconds[name].max() <= longest
        assert 0.7 < (seconds[name] == 10).mean() < 1


@pytest.mark.parametrize(("name", "options"), [
    ("cpsc2018", {}), ("cpsc2018", {"view": "single"}), ("georgia", {}),
    ("georgia", {"labels": "georgia_10"}), ("csn", {}), ("csn", {"view": "csn_20"}), ("ptbxl", {}),
    ("ptbxl", {"view": "rhythm_single"}), ("ptbxl", {"view": "superclass"})])
def test_every_class_reaches_every_part_that_needs_it(name, options):
    recordings = datasets.load(name, twin=True, leads="I", **options)
    for seed in range(5):
        split = splits.stratified(recordings, 0.05, 0.2, seed, seed)
        for part in (split.train, split.test):
            assert (recordings.label_matrix[part].sum(axis=0) > 0).all()
        if not recordings.multi_label:
            splits.bootstrap(recordings, 0.1, 0.2, 0.25, seed)


@pytest.mark.parametrize("view", ptbxl.VIEWS)
def test_published_folds_hold_every_class(view):
    recordings = datasets.load("ptbxl", twin=True, leads="I", view=view, rate=100)
    parts = splits.by_folds(recordings, 9, 10)
    for part in (parts.train, parts.validation, parts.test):
        assert (recordings.label_matrix[part].sum(axis=0) > 0).all()
    assert set(recordings.folds) == set(range(1, 11)) and set(recordings.sampling_rate) == {100.0}


def test_ptbxl_twin_leaves_recordings_to_every_view(twins):
    whole = twins["ptbxl"][0]
    single = datasets.load("ptbxl", twin=True, leads="I", view="rhythm_single")
    superclass = datasets.load("ptbxl", twin=True, leads="I", view="superclass")
    assert whole.classes == single.classes and len(whole.classes) == 12
    assert min(single.counts().values()) == hospitals.LEAST
    assert {len(whole.skipped["no rhythm statement"]), len(single.skipped["no rhythm statement"])} == {4}
    assert len(single.skipped["several rhythm statements"]) == (whole.labels.sum(axis=1) == 2).sum() == 8
    assert min(superclass.counts().values()) >= 20
    assert len(superclass.skipped["no diagnostic superclass"]) > 10
    assert (superclass.labels.sum(axis=1) == 2).any()


def test_ptbxl_twin_has_the_columns_of_the_release_and_both_rates(twins):
    root = twins["ptbxl"][1] / ptbxl.FOLDER
    table = pd.read_csv(root / ptbxl.TABLE)
    assert table["ecg_id"].tolist() == list(range(1, len(table) + 1))
    for row in table.iloc[::40].itertuples():
        fast, slow = (wfdb.rdrecord(str(root / file)) for file in (row.filename_hr, row.filename_lr))
        assert (fast.fs, slow.fs, fast.sig_len, slow.sig_len) == (500, 100, 5000, 1000)
        middle = slice(20, -20)  # the filter has its run-in
        smooth = fast.p_signal.reshape(1000, 5, 12).mean(axis=1)
        assert np.corrcoef(smooth[middle, 1], slow.p_signal[middle, 1])[0, 1] > 0.95
    above = table["age"] == 300  # what the release writes in place of most ages above 89
    assert above.any() and table.loc[~above, "age"].between(18, 89).all() and set(table["sex"]) == {0, 1}


@pytest.mark.needs("ptb-xl")
def test_ptbxl_twin_has_the_tables_of_the_release(twins, real_data):
    ours, real = twins["ptbxl"][1] / ptbxl.FOLDER, real_data / ptbxl.FOLDER
    for file in (ptbxl.TABLE, ptbxl.STATEMENTS):
        assert pd.read_csv(ours / file).columns.tolist() == pd.read_csv(real / file).columns.tolist()
    known = pd.read_csv(real / ptbxl.STATEMENTS, index_col=0)
    made_up = pd.read_csv(ours / ptbxl.STATEMENTS, index_col=0)
    assert made_up.index.tolist() == [key for key in known.index if key in made_up.index]
    same = ["diagnostic", "rhythm", "diagnostic_class"]
    pd.testing.assert_frame_equal(made_up[same], known.loc[made_up.index, same])


def test_patients_of_the_ptbxl_twin_keep_their_fold_their_sex_and_their_heart(twins):
    recordings, root = twins["ptbxl"]
    table = pd.read_csv(root / ptbxl.FOLDER / ptbxl.TABLE)
    visits = table.groupby("patient_id")
    assert (visits.size() == 2).sum() == 7 and visits.size().max() == 2
    assert (visits[["strat_fold", "sex", "age"]].nunique() == 1).all(axis=None)
    pairs = [group.index.tolist() for _, group in visits if len(group) == 2]
    plans = hospitals.ptbxl(synthetic.SEED)
    for first, second in pairs:
        assert plans[first].subject_stream == plans[second].subject_stream
        assert plans[first].stream != plans[second].stream
    assert len(set(recordings.subjects)) < len(recordings) and recordings.duplicates == ()


@pytest.mark.parametrize("name", list(LOADERS))
def test_twins_stay_small(name, twins):
    assert sum(file.stat().st_size for file in twins[name][1].rglob("*") if file.is_file()) < 40e6


@pytest.mark.parametrize("name", list(LOADERS))
def test_the_demo_fine_tunes_on_them(name):
    result = finetune.run(FinetuneConfig.of(dataset=name, tier="demo", epochs=1))
    assert set(result.evidence.values()) == {"none", "synthetic"}
    assert 0 <= result.scores["macro_auc"] <= 1 and None not in result.scores["auc_per_class"].values()


# --- Icentia11k ---

@pytest.fixture(scope="module")
def patches(session_cache):
    """The twin of Icentia11k, and the folder of its files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        return datasets.load("icentia11k", twin=True), synthetic.twin_root("icentia11k") / icentia11k.FOLDER


def test_icentia11k_twin_lies_as_the_release_does(patches):
    recordings, base = patches
    first = base / "p00" / "p00000"
    assert {path.suffix for path in first.glob("p00000_s00.*")} == {".hea", ".dat", ".atr"}
    segments = pd.Series(recordings.subjects).value_counts()
    assert segments.min() == 1 and segments.max() >= 3 and len(segments) == 20
    assert icentia11k.patients(base.parent.parent) == sorted(segments.index)
    for i, record in enumerate(recordings.ids[:6]):
        path = str(base / "p00" / str(recordings.subjects[i]) / str(record))
        read, marks = wfdb.rdrecord(path), wfdb.rdann(path, "atr")
        assert read.fs == marks.fs == 250 and read.sig_name == ["ecg"]
        np.testing.assert_allclose(read.p_signal.T, recordings.signal(i), atol=1e-5)
        sample, symbol, aux = recordings.annotations.of(i)
        np.testing.assert_array_equal(sample, marks.sample)
        assert symbol.tolist() == marks.symbol and set(marks.aux_note) - {"None"} == set(aux) - {""}


def test_rhythms_of_icentia11k_open_and_close_in_turn(patches):
    recordings, _ = patches
    for i in range(len(recordings)):
        sample, symbol, aux = recordings.annotations.of(i)
        bounds = aux[symbol == "+"]
        assert (bounds[1::2] == ")").all() and np.isin(bounds[::2], ["(N", "(AFIB", "(AFL"]).all()
        within = np.cumsum(np.where(symbol == "+", np.where(aux == ")", -1, 1), 0))
        # Beats that are read lie within a rhythm or, as its first and last, at its bounds; the others outside
        at_bounds = np.isin(sample, sample[symbol == "+"])
        assert ((within == 1) | at_bounds)[np.isin(symbol, ["N", "S", "V", "a"])].all()
        assert (within[symbol == "Q"] == 0).all() and (np.diff(sample) >= 0).all()
    assert set(recordings.annotations.symbol) == {"N", "S", "V", "a", "Q", "+"}


def test_marks_of_icentia11k_stand_where_a_detector_finds_beats(patches):
    recordings, _ = patches
    i = max(range(len(recordings)), key=lambda k: (recordings.annotations.of(k)[1] == "N").mean())
    sample, symbol, _ = recordings.annotations.of(i)
    detector = XQRS(sig=recordings.lead(i).astype(float), fs=250)
    detector.detect(verbose=False)
    beats = sample[np.isin(symbol, ["N", "S", "V", "a"])]
    assert (np.abs(detector.qrs_inds[:, None] - beats).min(axis=0) <= 0.05 * 250).mean() > 0.95


@pytest.mark.parametrize("task", list(frame_labels.TASKS))
def test_frames_of_icentia11k_have_every_class_but_no_silence(patches, task):
    recordings, _ = patches
    frames = sampled([recordings], 512 / 250 if task == "heart_rate" else 2048 / 250, 250)
    row, start = frames.draw(np.random.default_rng(0), 4000)
    tracks = frame_labels.tracks_of(recordings, 250)
    found = frame_labels.TASKS[task].rule(tracks, frames.record[row], start, start + frames.n_samples)
    wanted = {"heart_rate": 3}.get(task, 4)  # hearts that stop for seconds are not among them
    assert set(range(wanted)) <= set(found.tolist())


def test_the_demo_pretrains_on_icentia11k():
    for objective, skipped in (("rhythm", set()), ("future", {"recording shorter than 25 frames"})):
        config = PretrainConfig.of(objective=objective, sources="icentia11k", epochs=1, per_subject=8)
        result = pretrain.run(config).result
        assert result.evidence["upstream"] == "synthetic" and sum(result.data["subjects"].values()) == 20
        assert skipped <= set(result.data["skipped"])


def test_all_data_sets_have_a_twin():
    assert set(synthetic.TWINS) == set(datasets.LOADERS)
    for one, other in itertools.combinations(hospitals.archives().values(), 2):
        assert one.stream != other.stream
