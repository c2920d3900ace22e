"""What bad input gets on the whole way from files to a result: one line with the remedy, or a counted skip.

Below are the ways through whole jobs; the tests named with a file hold the part by itself.

==================================================  =========================================================
bad input                                           tests
==================================================  =========================================================
a recording shorter than a frame                    test_short_recordings_are_counted_in_the_result,
                                                    test_recordings_that_are_all_too_short;
                                                    test_frames, test_future, test_windows
a frame without beats                               test_frames_without_beats_have_no_beat_and_are_noise,
                                                    test_a_part_without_labels_ends_the_job_before_training;
                                                    test_labels::test_the_beat_of_a_frame,
                                                    test_classification_pretraining
annotations beyond the signal's end                 test_misplaced_marks_end_the_job,
                                                    test_marks_that_are_left_out_change_no_other_label;
                                                    test_mitdb, test_icentia11k, test_labels
unsorted annotations                                the same
unknown symbols                                     test_unknown_rhythms_end_the_job,
                                                    test_codes_that_stand_for_no_mark_end_the_job;
                                                    test_labels
a patient with one segment (contrastive negatives)  test_patients_with_one_segment_have_negatives;
                                                    test_future
a database with one patient                         test_one_patient_cannot_be_divided; test_frames
a label set without positives in train or test      test_labels_without_positives_are_counted,
                                                    test_a_part_without_any_positives_ends_the_run;
                                                    test_finetune, test_metrics, test_splits
a checkpoint for 12 leads given one                 test_a_checkpoint_of_twelve_leads_is_not_given_one;
                                                    test_models::test_twelve_leads_do_not_fit_one
PTB-XL without its CSV                              test_ptbxl_without_a_table_ends_the_run; test_ptbxl
PTB-XL with records missing from disk               test_ptbxl_with_missing_records_meets_the_policy;
                                                    test_ptbxl
scp_codes that are not a literal                    test_codes_are_never_evaluated; test_ptbxl
an ICBEB header with .mat in its first line         test_headers_with_mat_in_line_1_are_the_same_data;
                                                    test_cpsc2018
a wrong label in silence                            test_no_unread_frame_is_labelled_by_a_guess; test_labels
==================================================  =========================================================
"""

import dataclasses
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import wfdb
from messages import one_line

from ecgtl import datasets, models
from ecgtl.config import FinetuneConfig, PretrainConfig
from ecgtl.datasets import cpsc2018, icentia11k, ptbxl, synthetic
from ecgtl.datasets.recordings import UNLABELLED
from ecgtl.datasets.synthetic.plans import synthesise
from ecgtl.errors import EcgtlError
from ecgtl.jobs import finetune, pretrain
from ecgtl.models import checkpoint
from ecgtl.signals import frame_labels
from ecgtl.training import classification

pytestmark = pytest.mark.usefixtures("own_results")
PATIENTS = 12  # of the release that the tests damage


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Files of a few made patients as Icentia11k has them."""
    root = tmp_path_factory.mktemp("icentia")
    twin = synthetic.TWINS["icentia11k"]
    plans = [plan for plan in twin.plan(0) if plan.record < f"p{PATIENTS:05d}"]
    twin.write(root, plans, lambda plan, rate: synthesise(plan, rate, 0))
    return root


@pytest.fixture
def root(made, tmp_path):
    """A copy of them to damage."""
    shutil.copytree(made, tmp_path / "data")
    return tmp_path / "data"


def segment(root, record):
    """Path without suffix of a segment of ``root``."""
    return root / icentia11k.FOLDER / record[:3] / record[:6] / record


def pretraining(root, objective="rhythm", **options):
    """The config of a small pretraining on the recordings below ``root``."""
    small = {"tier": "reduced", "epochs": 1, "width": 2, "per_subject": 8, "batch_size": 32,
             "sampling_rate": 62.5}
    mine = {"objective": objective, "sources": "icentia11k", "root": str(root)}
    return PretrainConfig.of(**mine | small | options)


def refused(config, run=pretrain.run):
    """The error that the job ends with; nothing has been written."""
    with pytest.raises(EcgtlError) as error:
        run(config)
    assert not os.path.exists(os.environ["ECGTL_RESULTS"])
    return error


# --- frames of long recordings ------------------------------------------------------------------------------


def cut(root, record, seconds):
    """Shorten a segment to its first ``seconds``, marks and all."""
    path = segment(root, record)
    read, marks = wfdb.rdrecord(str(path), physical=False), wfdb.rdann(str(path), "atr")
    stop = round(250 * seconds)
    kept = marks.sample < stop
    wfdb.wrsamp(record, 250, ["mV"], ["ecg"], d_signal=read.d_signal[:stop], fmt=["16"],
                adc_gain=read.adc_gain, baseline=read.baseline, write_dir=str(path.parent))
    annotate(path, marks.sample[kept], np.array(marks.symbol)[kept], np.array(marks.aux_note)[kept])


def annotate(path, sample, symbol, aux):
    wfdb.wrann(path.name, "atr", np.asarray(sample), list(symbol), aux_note=list(aux), fs=250,
               write_dir=str(path.parent))


def test_short_recordings_are_counted_in_the_result(root):
    cut(root, "p00000_s00", 8)
    cut(root, "p00001_s00", 8.2)
    for objective, reason, number in (("rhythm", "recording shorter than a frame", 1),
                                      ("future", "recording shorter than 25 frames", 3)):  # one is so already
        result = pretrain.run(pretraining(root, objective)).result
        assert result.data["skipped"][reason] == number
    # the result says how many there were
    assert result.data["sources"]["icentia11k"]["recordings"] == len(icentia11k.read(root))


def test_recordings_that_are_all_too_short(root):
    for path in root.rglob("*.hea"):
        cut(root, path.stem, 8)
    one_line(refused(pretraining(root)), "icentia11k", "8.192 s", "are shorter", "give longer recordings")


def test_frames_without_beats_have_no_beat_and_are_noise(root):
    """All that is marked in them is the rhythm, and for the last minute of each segment not even that."""
    for path in sorted(root.rglob("*.atr")):
        marks = wfdb.rdann(str(path.with_suffix("")), "atr")
        first = np.array(marks.sample) < 10 * 250
        annotate(path.with_suffix(""), [*marks.sample[first], 2500], [*np.array(marks.symbol)[first], "+"],
                 [*np.array(marks.aux_note)[first], "(N"])
    beats = pretrain.run(pretraining(root, "beat")).result
    assert beats.data["skipped"]["frame without a label, drawn anew"] > 1000
    rates = pretrain.run(pretraining(root, "heart_rate")).result
    assert rates.data["counts"]["noise"] > 0.7 * sum(rates.data["counts"].values())
    rhythms = pretrain.run(pretraining(root, "rhythm")).result
    assert rhythms.data["counts"]["normal"] > 0.7 * sum(rhythms.data["counts"].values())


def test_a_part_without_labels_ends_the_job_before_training(root, monkeypatch):
    """The patients that are tested have a rhythm from the last mark on alone: that is said before hours of training."""
    config = pretraining(root).resolved()
    whole = pretrain.whole_of(config, pretrain.read(config))
    tested = pretrain.parts_of(config, whole)["test"].frames.subjects
    for path in sorted(root.rglob("*.atr")):
        if f"icentia11k/{path.parent.name}" in tested:
            marks = wfdb.rdann(str(path.with_suffix("")), "atr")
            beats = np.array(marks.symbol) != "+"
            annotate(path.with_suffix(""), [*marks.sample[beats], marks.sample[-1]],
                     [*np.array(marks.symbol)[beats], "+"], [*np.array(marks.aux_note)[beats], "(N"])
    monkeypatch.setattr(classification, "fit", lambda *given: pytest.fail("it has been trained"))
    one_line(refused(config), *tested, "rhythm label", "another seed")


def test_a_patient_without_any_rhythm_is_left_out_and_counted(root):
    path = segment(root, "p00005_s00")
    for file in path.parent.glob("*.atr"):
        marks = wfdb.rdann(str(file.with_suffix("")), "atr")
        beats = np.array(marks.symbol) != "+"
        annotate(file.with_suffix(""), marks.sample[beats], np.array(marks.symbol)[beats],
                 np.array(marks.aux_note)[beats])
    config = pretraining(root).resolved()
    whole = pretrain.whole_of(config, pretrain.read(config))
    assert "icentia11k/p00005" not in whole.subjects and len(whole.subjects) == PATIENTS - 1
    assert whole.skipped["recording excluded"] == len(list(path.parent.glob("*.atr")))


def unsorted(path):
    """An annotation file of three normal beats, the last before the second, by the rules of annot(5)."""
    words = [1 << 10 | 100, 1 << 10 | 900, 59 << 10, 0xFFFF, -400 & 0xFFFF, 1 << 10]
    path.with_suffix(".atr").write_bytes(np.array([*words, 0], "<u2").tobytes())


def beyond(path):
    """The segment's marks and one more, ten minutes on."""
    marks = wfdb.rdann(str(path), "atr")
    annotate(path, [*marks.sample, 150_000], [*marks.symbol, "V"], [*marks.aux_note, "None"])


@pytest.mark.parametrize("damage, words", [(beyond, ["annotation outside the signal", "sample 150000 of"]),
                                           (unsorted, ["annotation out of order", "sample 600 of"])])
def test_misplaced_marks_end_the_job(root, damage, words):
    damage(segment(root, "p00003_s00"))
    one_line(refused(pretraining(root)), "p00003_s00.atr", *words, "on_bad=skip")
    result = pretrain.run(pretraining(root, on_bad="skip")).result
    assert result.data["skipped"][words[0]] == 1


def test_marks_that_are_left_out_change_no_other_label(root):
    whole = icentia11k.read(root)
    for path in sorted(root.rglob("*.atr")):
        beyond(path.with_suffix(""))
    rest = icentia11k.read(root, on_bad="skip")
    assert {reason: len(marks) for reason, marks in rest.skipped.items()} == {
        "annotation outside the signal": len(whole)}
    record = np.repeat(np.arange(len(whole)), 20)
    start = np.random.default_rng(0).integers(0, np.diff(whole.offsets)[record] - 2048)
    for task in frame_labels.TASKS.values():
        found, expected = (task.rule(frame_labels.tracks_of(recordings, 250), record, start, start + 2048)
                           for recordings in (rest, whole))
        np.testing.assert_array_equal(found, expected)


def test_unknown_rhythms_end_the_job(root):
    path = segment(root, "p00002_s00")
    marks = wfdb.rdann(str(path), "atr")
    annotate(path, marks.sample, marks.symbol, ["(XYZ" if aux == "(N" else aux for aux in marks.aux_note])
    one_line(refused(pretraining(root)), "p00002_s00", "rhythm '(XYZ'", "labels.yml", "add it to")
    assert pretrain.run(pretraining(root, "future")).result.data["frames"]["train"] > 0  # it needs no label


def test_codes_that_stand_for_no_mark_end_the_job(root):
    path = segment(root, "p00002_s00").with_suffix(".atr")
    path.write_bytes(np.array([1 << 10 | 100, 44 << 10 | 100, 0], "<u2").tobytes())
    error = refused(pretraining(root, "beat"))
    one_line(error, "p00002_s00.atr", "codes that stand for none", "fetch it again")


# --- patients -----------------------------------------------------------------------------------------------


def keep(root, records):
    for path in sorted(root.rglob("*.*")):
        if path.is_file() and path.parent.name.startswith("p") and path.stem not in records:
            path.unlink()
    for folder in sorted(root.rglob("p?????")):
        if not any(folder.iterdir()):
            folder.rmdir()


@pytest.mark.parametrize("among", ["data", "patient"])
def test_patients_with_one_segment_have_negatives(root, among):
    """The segment holds hardly more than a context and its future."""
    records = [f"p{patient:05d}_s00" for patient in range(PATIENTS)]
    keep(root, records)
    for record in records:
        cut(root, record, 25 * 2.048 + 1)
    result = pretrain.run(pretraining(root, "future", negatives_from=among, per_subject=64)).result
    assert result.scores["n"] == 64 * result.data["subjects"]["test"]
    assert result.data["skipped"] == {}  # no negative was equal to the future
    assert 0 < result.scores["loss"] < 10


@pytest.mark.parametrize("objective", ["rhythm", "future", "reconstruction"])
def test_one_patient_cannot_be_divided(root, objective):
    keep(root, [path.stem for path in (root / icentia11k.FOLDER / "p00" / "p00003").glob("*.hea")])
    own = {"sampling_rate": None} if objective == "reconstruction" else {}
    error = refused(pretraining(root, objective, **own))
    one_line(error, "validation set would be empty", "1 subjects", "give more sources")


# --- labels and leads ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hospital(session_cache):
    """The twin of PTB-XL at 100 Hz in lead I, and the folder of its files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        return datasets.load("ptbxl", twin=True, rate=100, leads="I"), synthetic.twin_root("ptbxl")


def fine_tuning(**parameters):
    """The config of a small fine-tuning."""
    return FinetuneConfig.of(**{"dataset": "ptbxl", "epochs": 1, "width": 2, "seconds": 8.0} | parameters)


@pytest.mark.parametrize("part, folds, arch", [("train", range(1, 9), "resnet18"), ("test", [10], "resnet18"),
                                               ("train", range(1, 9), "rr_boosting")])
def test_labels_without_positives_are_counted(hospital, monkeypatch, part, folds, arch):
    recordings = hospital[0]
    table = np.array(recordings.labels)
    table[np.isin(recordings.folds, folds), recordings.classes.index("PSVT")] = 0
    without = dataclasses.replace(recordings, labels=table, digest=f"without positives in {part}")
    monkeypatch.setattr(datasets, "load", lambda *given, **options: without)
    result = finetune.run(fine_tuning(arch=arch))
    assert [name for name, n in result.data["split"][part].items() if n == 0] == ["PSVT"]
    assert result.data["without_positives"] == {part: ["PSVT"]}
    values = result.scores["auc_per_class"]
    assert [name for name, value in values.items() if value is None] == (["PSVT"] if part == "test" else [])
    known = [value for value in values.values() if value is not None]
    assert result.scores["macro_auc"] == pytest.approx(np.mean(known))


PARTS = [("train", range(1, 9)), ("validation", [9]), ("test", [10])]


@pytest.mark.parametrize("part, folds", PARTS)
def test_a_part_without_any_positives_ends_the_run(hospital, monkeypatch, part, folds):
    recordings = hospital[0]
    bare = np.isin(recordings.folds, folds)
    without = dataclasses.replace(recordings, labels=np.where(bare[:, np.newaxis], 0, recordings.labels))
    monkeypatch.setattr(datasets, "load", lambda *given, **options: without)
    one_line(refused(fine_tuning(), finetune.run), f"the {part} set of ptbxl ({bare.sum()} recordings)",
             "positives and negatives", "give more recordings")


@pytest.mark.parametrize("part, folds", [PARTS[0], PARTS[2]])
def test_a_part_of_one_class_ends_the_run(hospital, monkeypatch, part, folds):
    single = datasets.load("ptbxl", twin=True, rate=100, leads="I", view="rhythm_single")
    alike = dataclasses.replace(single, labels=np.where(np.isin(single.folds, folds), 0, single.labels))
    monkeypatch.setattr(datasets, "load", lambda *given, **options: alike)
    one_line(refused(fine_tuning(), finetune.run), f"the {part} set of ptbxl", "give more recordings")


def test_a_checkpoint_of_twelve_leads_is_not_given_one(tmp_path):
    path = tmp_path / "twelve.safetensors"
    facts = {"arch": "resnet18", "width": 2, "in_channels": 12, "sampling_rate": 100.0, "seconds": 8.0}
    checkpoint.save(path, models.build("resnet18", 12, 5, width=2).state_dict(), facts)
    error = refused(fine_tuning(init=str(path), arch="resnet18"), finetune.run)
    one_line(error, path.name, "in_channels=12", "asks for 1", "set lead")


# --- PTB-XL and CPSC 2018 -----------------------------------------------------------------------------------


@pytest.fixture
def release(hospital, tmp_path):
    """A copy of the made release whose tables may be changed; the signals are links."""
    source, target = hospital[1] / ptbxl.FOLDER, tmp_path / "data" / ptbxl.FOLDER
    shutil.copytree(source, target, copy_function=os.link)
    for name in (ptbxl.TABLE, ptbxl.STATEMENTS):
        (target / name).unlink()
        shutil.copy(source / name, target / name)
    return target


def real(base, levels=2, **parameters):
    """The config of a small fine-tuning on the recordings at ``base``, which lies so deep below the root."""
    small = {"tier": "reduced", "arch": "resnet18", "sampling_rate": 50.0}
    return fine_tuning(**small | {"root": str(base.parents[levels - 1])} | parameters)


@pytest.mark.parametrize("name", [ptbxl.TABLE, ptbxl.STATEMENTS])
def test_ptbxl_without_a_table_ends_the_run(release, name):
    (release / name).unlink()
    error = refused(real(release), finetune.run)
    one_line(error, release / name, "missing", "data fetch ptbxl", "ECGTL_DATA")


def test_ptbxl_with_missing_records_meets_the_policy(release):
    table = pd.read_csv(release / ptbxl.TABLE)
    gone = table["filename_hr"][:3].tolist()
    for file in gone:
        (release / f"{file}.dat").unlink()
    one_line(refused(real(release), finetune.run), ptbxl.TABLE, f"{len(table)} recordings", "3 are absent",
             "on_bad=skip")
    result = finetune.run(real(release, on_bad="skip"))
    assert result.data["skipped"]["signal absent"] == 3 and result.evidence["target"] == "subset"
    assert result.data["records"] + sum(result.data["skipped"].values()) == len(table)


@pytest.mark.parametrize("on_bad", ["error", "skip"])
def test_codes_are_never_evaluated(release, tmp_path, on_bad):
    table = pd.read_csv(release / ptbxl.TABLE)
    table.loc[2, "scp_codes"] = f"__import__('pathlib').Path({str(tmp_path / 'done')!r}).touch()"
    table.to_csv(release / ptbxl.TABLE, index=False)
    error = refused(real(release, on_bad=on_bad), finetune.run)
    one_line(error, ptbxl.TABLE, "scp_codes of 00003", "no literal", "data fetch ptbxl")
    assert not (tmp_path / "done").exists()


def test_headers_with_mat_in_line_1_are_the_same_data(tmp_path):
    plain = datasets.load("cpsc2018", twin=True, leads="I")
    target = tmp_path / "data" / cpsc2018.FOLDER
    shutil.copytree(synthetic.twin_root("cpsc2018") / cpsc2018.FOLDER, target, copy_function=os.link)
    for path in target.rglob("*.hea"):
        text = path.read_text()
        path.unlink()  # it is a link
        path.write_text(text.replace(f"{path.stem} 12", f"{path.stem}.mat 12", 1))
    renamed = cpsc2018.read(tmp_path / "data", leads="I")
    assert renamed.digest == plain.digest and renamed.skipped == {}
    result = finetune.run(real(target, levels=4, dataset="cpsc2018"))
    assert result.data["records"] == len(plain) and result.data["counts"] == plain.counts()


def test_no_unread_frame_is_labelled_by_a_guess(made):
    """Frames that nobody could read have no beat and count as noise, whatever was drawn there."""
    recordings = icentia11k.read(made)
    tracks = frame_labels.tracks_of(recordings, 250)
    i = max(range(len(recordings)), key=lambda k: (recordings.annotations.of(k)[1] == "Q").mean())
    start = np.arange(0, np.diff(recordings.offsets)[i] - 512, 512)
    record = np.full(len(start), i)
    counts = tracks.beat_counts(record, start, start + 512)
    unread = (counts[:, -1] > 0) & (counts[:, :-1].sum(axis=1) == 0)
    assert unread.sum() >= 5
    assert (frame_labels.beat(tracks, record, start, start + 512)[unread] == UNLABELLED).all()
    noise = frame_labels.TASKS["rhythm"].classes.index("noise")
    assert (frame_labels.rhythm(tracks, record, start, start + 512)[unread] == noise).mean() > 0.9
