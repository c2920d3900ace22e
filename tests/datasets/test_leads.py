"""Leads are found by name in each recording: data sets whose recordings store them in different orders, or lack
some."""

import re

import numpy as np
import pytest
import torch
import wfdb
from messages import one_line

from ecgtl import datasets, errors, models
from ecgtl.config import FinetuneConfig, RecordingsConfig, ScoreConfig
from ecgtl.datasets import LOADERS, leads
from ecgtl.datasets.collector import Collector, Reading
from ecgtl.errors import EcgtlError
from ecgtl.jobs import finetune, inputs, rank
from ecgtl.models import checkpoint
from ecgtl.report import figures
from ecgtl.report.jobs import recordings as jobs_recordings
from ecgtl.signals import filters, frames, preparation, windows

GAIN = {"I": 100.0, "II": 200.0, "V1": 400.0, "V5": 50.0, "ECG": 10.0, "ECG I": 100.0, "DII": 200.0}


@pytest.fixture(autouse=True)
def _notes_anew(own_results):
    errors.note_once.cache_clear()


def wave(record, name, n=600):
    """Lead ``name`` of a recording as stored: no two alike."""
    rng = np.random.default_rng([record, *name.encode()])
    return (rng.normal(size=n).cumsum() * 20 + 300 * len(name)).astype(np.int16)


def recordings(*orders, name="mixed"):
    """One recording for each tuple of names, which its columns have in that order."""
    collector = Collector(name, "1", ("a", "b"))
    for k, names in enumerate(orders):
        collector.add(Reading(f"r{k}", np.stack([wave(k, lead) for lead in names], axis=1), 250.0, names,
                              [GAIN[lead] for lead in names], [3 + len(lead) for lead in names], label="ab"[k % 2]),
                      f"r{k}")
    return collector.recordings()


STRAIGHT = recordings(*[("I", "II")] * 4)
BY_WINDOW = preparation.Input("end", "window", None)
TURNED = recordings(*[("I", "II"), ("II", "I")] * 2)


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text, name", [
    *((f"{prefix}{lead}", lead) for prefix in ("", "Lead ", "ECG ", "EKG ", "lead_", "Lead: ", "Lead-", "Lead - ",
                                               "MDC_ECG_LEAD_") for lead in ("I", "II", "aVR", "V6")),
    ("DI", "I"), ("DII", "II"), ("diii", "III"), ("D1", "I"), ("d2", "II"), ("D3", "III"), ("AVR", "aVR"),
    ("avl", "aVL"), ("aVf", "aVF"), ("MDC_ECG_LEAD_AVF", "aVF"), ("I (Einthoven)", "I"), ("ECG I (LA-RA)", "I"),
    (" ecg v1 ", "V1")])
def test_other_names_of_the_standard_leads(text, name):
    assert leads.standard_name(text) == leads.standard_name(text.upper()) == leads.standard_name(text.lower()) == name


@pytest.mark.parametrize("text", [
    "MLII", "MLIII", "-aVR", "Lead -aVR", "ECG -I", "aVR (-)", "aVR (inverted)", "aVR-", "MDC_ECG_LEAD_AVRneg", "V1-V2",
    "IR", "ECG", "Lead 1", "D4", "DV1", "V7", "V10", "IIII", "I II", "\u0131", "CM5", "resp", ""])
def test_other_leads_keep_their_names(text):
    assert leads.standard_name(text) == leads.standard_name(f" {text} ") == text


def test_a_lead_is_found_by_its_other_names_where_no_lead_has_the_exact_one():
    assert leads.find(["MLII", "ECG II", "V1"], "II") == leads.find(["MLII", "II", "V1"], "Lead ii") == [1]
    assert leads.find(["DII", "ii", "Lead II"], "II") == [1]
    assert leads.find(["DII", "ii"], "dii") == [0]
    assert leads.find(["DII", "V1", "Lead II"], "II") == [0, 2]
    assert leads.find(["MLII", "-II", "V2"], "II") == [] == leads.find(["II"], "MLII")
    assert leads.find(["resp ", "ABP"], "RESP") == [0]


@pytest.mark.parametrize("name", [
    "", " ", "ECG", "ekg", "ECG1", "ecg_2", "ECG Lead", "signal 0", "channel 1", "CH0", "ch-12", "col3", "unknown",
    "val", "value", "record", "lead", "Lead 1", "0", "17", "Unnamed: 0", "record sel30, signal 1"])
def test_names_that_name_no_lead(name):
    assert leads.is_unnamed(name)


@pytest.mark.parametrize("name", [*leads.LEADS, "MLII", "ABP", "resp", "CM5", "ECG II", "D3", "chest", "V", "recorder"])
def test_names_of_leads(name):
    assert not leads.is_unnamed(name)


def test_recordings_that_name_their_leads_otherwise(capsys):
    other = recordings(("ECG I", "DII"), ("DII", "ECG I"), ("I", "DII"), ("DII", "I"))
    assert other.leads[0].tolist() == ["ECG I", "DII"]  # names stay as they are stored
    for asked in (("I", "II"), leads.resolve(other, (0, 1)), leads.resolve(other, ("II", "I"))[::-1]):
        x = preparation.prepare(other, 125, 250, asked, BY_WINDOW)
        turned = preparation.prepare(other.select([1, 3]), 125, 250, (1, 0), BY_WINDOW)
        np.testing.assert_array_equal(x[[1, 3]], turned)
        assert leads.missing(other, asked) == [""] * 4
    np.testing.assert_array_equal(other.lead(1, "I"), other.signal(1)[1])
    assert leads.resolve(other, ("I", "II")) == ("I", "II")  # by name: their columns differ
    leads.say_names("mixed", 0, np.array(["I", "ECG I", "Lead I"]))
    assert "lead 0 is" not in capsys.readouterr().err
    leads.say_names("mixed", 0, np.array(["I", "ECG I", "V5"]))
    assert "lead 0 is" in capsys.readouterr().err


def test_a_name_that_two_leads_have_is_refused_whatever_else_is_asked():
    twice = recordings(("ECG", "ECG", "I"), ("ECG", "ECG", "I"))
    with pytest.raises(EcgtlError, match="2 leads named ECG"):
        preparation.prepare(twice, 125, 250, leads.resolve(twice, ("ECG", "V9")))


# --- limb leads that are computed ---------------------------------------------------------------------------------


def limb(i, ii):
    """The six limb leads of potentials, by hand: of the arms and the foot against Wilson's terminal."""
    right, left, foot = -(i + ii) / 3, (2 * i - ii) / 3, (2 * ii - i) / 3
    return {"I": left - right, "II": foot - right, "III": foot - left, "aVR": 1.5 * right, "aVL": 1.5 * left,
            "aVF": 1.5 * foot}


@pytest.mark.parametrize("wanted", leads.LEADS[:6])
def test_any_two_limb_leads_determine_every_other(wanted):
    rng = np.random.default_rng(0)
    every = limb(*rng.normal(size=(2, 50))) | {"V1": rng.normal(size=50)}
    for one in leads.LEADS[:6]:
        assert leads.derived([one, "V1"], wanted) is None
        assert leads.derived([one, f"Lead {one}"], wanted) is None  # the same lead twice
        for other in set(leads.LEADS[:6]) - {one}:
            weights = leads.derived([f"ECG {one}", "V1", other.lower()], wanted)
            assert weights.shape == (3,) and weights[1] == 0
            np.testing.assert_allclose(weights @ [every[one], every["V1"], every[other]], every[wanted], atol=1e-12)
    assert leads.derived(["I", "II"], "V1") is None is leads.derived(["I", "II"], "MLII")


def test_weights_by_hand():
    np.testing.assert_allclose(leads.derived(["I", "II"], "III"), [-1, 1], atol=1e-12)
    np.testing.assert_allclose(leads.derived(["III", "V5", "DI"], "Lead II"), [1, 0, 1], atol=1e-12)
    np.testing.assert_allclose(leads.derived(["II", "III"], "avf"), [0.5, 0.5], atol=1e-12)
    # Of I, II and III, each has a third of what the other two disagree
    np.testing.assert_allclose(leads.derived(["I", "II", "III"], "II"), [1 / 3, 2 / 3, 1 / 3], atol=1e-12)


@pytest.mark.needs("ptb-xl")
def test_derived_leads_are_those_that_a_recorder_stored(real_data):
    for header in sorted((real_data / "ptb-xl/1.0.3").rglob("*_hr.hea"))[:5]:
        found = wfdb.rdrecord(str(header.with_suffix("")))
        names, x = [name.upper() for name in found.sig_name], found.p_signal
        for wanted in ("III", "AVR", "AVL", "AVF"):
            own = leads.derived(["I", "II"], wanted) @ x[:, [names.index("I"), names.index("II")]].T
            assert np.abs(own - x[:, names.index(wanted)]).max() <= 2e-3 + 1e-9  # mV: two of its steps of 1 microvolt
            assert np.ptp(own) > 0.05


# --- arrays -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("standard", preparation.STANDARDS)
@pytest.mark.parametrize("asked", [(0, 1), ("I", "II"), ("i", "ii")])
def test_rows_are_the_same_lead_in_every_recording(standard, asked):
    np.testing.assert_array_equal(preparation.prepare(TURNED, 125, 250, asked,
                                                      preparation.Input("end", standard, None)),
                                  preparation.prepare(STRAIGHT, 125, 250, asked,
                                                      preparation.Input("end", standard, None)))


def test_names_may_be_asked_for_in_any_order():
    there, back = (preparation.prepare(TURNED, 125, 250, asked, BY_WINDOW) for asked in (("I", "II"), ("II", "I")))
    np.testing.assert_array_equal(there[:, ::-1], back)
    np.testing.assert_array_equal(there[1, 0], preparation.prepare(STRAIGHT, 125, 250, ("I",), BY_WINDOW)[1, 0])


def test_recordings_in_one_order_keep_their_indices():
    assert leads.resolve(STRAIGHT, (0, 1)) == (0, 1) and leads.resolve(STRAIGHT, (1, 0)) == (1, 0)
    assert leads.resolve(STRAIGHT, ("I", "II")) == (0, 1)
    assert leads.resolve(TURNED, (1, 0)) == ("II", "I")


def test_names_that_repeat_go_by_position_where_all_recordings_have_the_same():
    alike = recordings(("ECG", "ECG", "I"), ("ECG", "ECG", "I"))
    assert leads.resolve(alike, (0, 1, 2)) == (0, 1, 2)
    assert preparation.prepare(alike, 125, 250, (0, 1, 2)).shape[1] == 3
    differing = recordings(("ECG", "ECG"), ("ECG", "I"))
    with pytest.raises(EcgtlError) as error:
        preparation.prepare(differing, 125, 250, leads.resolve(differing, (0, 1)))
    one_line(error, "r0", "2 leads named ECG", "0 or 1")


def test_a_lead_beyond_the_last_is_refused():
    for asked in ((0, 2), (5,), (-1,), (0, -1), ("I", "V9")):
        with pytest.raises(EcgtlError, match="has no lead .*; it has I, II"):
            preparation.prepare(TURNED, 125, 250, asked)


# --- one lead by position -----------------------------------------------------------------------------------------


def test_an_index_goes_by_position_and_says_so_once(capsys):
    for _ in range(2):
        x = preparation.prepare(recordings(("I", "II"), ("V5", "I"), ("I", "II")), 125, 250, (0,), BY_WINDOW)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "mixed: lead 0 is I in 2 recordings, V5 in 1;" in said
    assert (x[1, 0] != x[0, 0]).any()


@pytest.mark.parametrize("asked", [("I",), (0, 1)])
def test_nothing_is_said_of_names_nor_of_one_order(asked, capsys):
    preparation.prepare(TURNED, 125, 250, asked)
    preparation.prepare(STRAIGHT, 125, 250, (0,))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("source", [windows.unlabelled, frames.sampled])
def test_pretraining_takes_the_first_lead_and_says_it_once(source, capsys):
    own = [recordings(("I", "II"), ("V5", "II"), name="one"), recordings(("I", "II"), name="two")]
    whole = source(own, 1.0, 250.0)
    whole.split(0.34, 0.33, 0)
    assert capsys.readouterr().err.count("one: lead 0 is I in 1 recordings, V5 in 1;") == 1
    if source is windows.unlabelled:
        expected = recordings(("V5", "II"), ("V5", "II")).lead(1, 0)[:250]
        at = [k for k, origin in enumerate(whole.origin(range(len(whole)))) if origin[1:] == ("r1", 0.0)]
        assert np.corrcoef(whole.take(at)[0, 0], filters.remove_baseline_wander(expected, 250))[0, 1] > 0.8


# --- fine-tuning --------------------------------------------------------------------------------------------------


def write(folder, orders, rate=250, n=600):
    """WFDB records with labels; recording k has the same signals whatever the order of its leads."""
    folder.mkdir(parents=True)
    for k, names in enumerate(orders):
        x = np.stack([wave(k, lead, n) for lead in names], axis=1)
        unique = [f"L{j}" for j in range(len(names))]  # wfdb refuses names that repeat
        wfdb.wrsamp(f"r{k:02d}", rate, ["mV"] * len(names), unique, d_signal=x, fmt=["16"] * len(names),
                    adc_gain=[200.0] * len(names), baseline=[0] * len(names), write_dir=str(folder))
        header = folder / f"r{k:02d}.hea"
        header.write_text(re.sub(r"L(\d+)$", lambda found, names=names: names[int(found[1])], header.read_text(),
                                 flags=re.MULTILINE))
    (folder / "labels.csv").write_text("record,label\n" + "".join(f"r{k:02d},{'ab'[k % 2]}\n"
                                                                  for k in range(len(orders))))
    return folder


SMALL = {"dataset": "folder", "tier": "reduced", "epochs": 1, "width": 2, "sampling_rate": 125, "seconds": 2,
         "batch_size": 8, "precision": "float32"}


def tuned(root, **parameters):
    return finetune.run(FinetuneConfig.of(root=str(root), **SMALL | {"lead": "all"} | parameters))


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    return write(tmp_path_factory.mktemp("straight") / "x", [("I", "II")] * 24)


@pytest.fixture(scope="module")
def turned(tmp_path_factory):
    return write(tmp_path_factory.mktemp("turned") / "x", [("I", "II"), ("II", "I"), ("II", "I")] * 8)


@pytest.mark.parametrize("protocol", ["weimann2021", "jang2021"])
def test_fine_tuning_on_all_leads_does_not_depend_on_their_order(straight, turned, protocol, tmp_path):
    arch = "resnet18" if protocol == "weimann2021" else "rr_boosting"
    path = str(tmp_path / "w.safetensors") if arch == "resnet18" else ""
    both = [tuned(root, protocol=protocol, arch=arch, save_weights=path) for root in (straight, turned)]
    np.testing.assert_array_equal(*(result.arrays["prob_validated"] for result in both))
    if path:
        facts = checkpoint.load(path)[1]
        assert facts.leads == ("I", "II")
        own = datasets.load("folder", straight)
        assert facts.mean == tuple(preparation.mean_and_sd(own, k)[0] for k in (0, 1))


def test_a_recording_that_lacks_a_lead_is_an_error_or_counted(tmp_path):
    root = write(tmp_path / "x", [("I", "II")] * 10 + [("V5", "I")] + [("II", "I")] * 10)
    for protocol in ("weimann2021", "jang2021"):
        with pytest.raises(EcgtlError) as error:
            tuned(root, protocol=protocol)
        one_line(error, "r10", "no lead 'II'; it has V5, I", "1 of 21", "on_bad=skip")
    result = tuned(root, on_bad="skip")
    assert result.data["skipped"] == {"no lead II": 1} and result.data["records"] == 20
    with pytest.raises(EcgtlError, match="recording r00 of folder .*21 of 21.* has no lead 2; it has I, II"):
        inputs.drop_unusable(FinetuneConfig.of(root=str(root), **SMALL | {"lead": 2, "dataset": "mitdb"}).plan(),
                             datasets.load("folder", root))


def test_a_checkpoint_of_several_leads_keeps_its_order(straight, tmp_path):
    """Weights that were trained on I, II meet recordings that all store II first."""
    back = write(tmp_path / "x", [("II", "I")] * 24)
    torch.manual_seed(0)
    model = models.build("resnet18", 2, 2, width=2)
    facts = {"arch": "resnet18", "width": 2, "in_channels": 2, "sampling_rate": 125, "seconds": 2,
             "classes": ["a", "b"], "leads": ["I", "II"]}
    checkpoint.save(tmp_path / "w.safetensors", model.state_dict(), facts)
    config = FinetuneConfig.of(root=str(back), init=str(tmp_path / "w.safetensors"),
                               **SMALL | {"lead": "all"}).resolved()
    assert inputs.Prepared(config.plan(), datasets.load("folder", back)).leads == (1, 0)
    named = write(tmp_path / "y", [("Lead II", "DI")] * 24)
    assert inputs.Prepared(config.plan(), datasets.load("folder", named)).leads == (1, 0)
    both = [tuned(root, init=config.init).arrays["prob_validated"] for root in (straight, back)]
    np.testing.assert_array_equal(*both)


# --- a lead by index or name, of every data set -------------------------------------------------------------------


@pytest.fixture(scope="module", params=LOADERS)
def dataset(request):
    return request.param


def shown(dataset, lead, **parameters):
    """Names of the leads that a strip of each recording shows, after the notebook's own reading."""
    config = RecordingsConfig.of(dataset=dataset, lead=lead, on_bad="skip", **parameters)
    found = inputs.read(config.plan())
    chosen = inputs.Prepared(config.plan(), found).leads[0]
    leads.check(found, (chosen,), "skip")
    names = [str(found.leads[i, found.lead_index(i, chosen)]) for i, lacks in enumerate(leads.missing(found, (chosen,)))
             if not lacks]
    return names[0], set(names)


def test_a_lead_of_every_data_set_by_index_and_name(dataset):
    every = datasets.load(dataset, twin=True, on_bad="skip")
    first = every.leads[0].tolist()
    for index, name in enumerate(first[:2]):
        assert shown(dataset, index)[0] == name
    name = first[-1]
    assert shown(dataset, name.lower()) == (name, {name})
    assert shown(dataset, "all")[0] == first[0]
    if dataset not in ("folder", "icu_monitor"):
        with pytest.raises(EcgtlError, match=f"no lead {len(first)}; it has {first[0]}"):
            shown(dataset, len(first))


def test_the_second_lead_of_a_folder_is_shown(tmp_path):
    root = write(tmp_path / "x", [("V1", "II")] * 3)
    assert shown("folder", 1, root=str(root), tier="reduced") == ("II", {"II"})
    config = RecordingsConfig.of(dataset="folder", root=str(root), tier="reduced", lead=1, seconds=2.0)
    found = inputs.read(config.plan())
    (lead,) = inputs.Prepared(config.plan(), found).leads
    (i, _) = jobs_recordings.chosen(found, config.seconds, lead)
    assert "lead II" in figures.strip_words(found, i, lead)
    strip = figures.strip(found, i, config.seconds, lead)
    np.testing.assert_allclose(strip.axes[0].lines[0].get_ydata(), wave(0, "II")[:500] / 200, atol=1e-6)
    assert jobs_recordings.strips(found, config.seconds, lead).data.count("lead II, 250 Hz") == 2 * 2


def test_an_index_takes_another_lead_than_the_protocols_own():
    config = FinetuneConfig.of(dataset="ptbxl", protocol="jang2021", lead=5, on_bad="skip").resolved()
    found = inputs.read(config.plan())
    (lead,) = inputs.Prepared(config.plan(), found).leads
    assert [str(found.leads[0, found.lead_index(0, lead)]).upper()] == ["AVF"]
    usual = FinetuneConfig.of(dataset="ptbxl", protocol="jang2021", on_bad="skip").resolved()
    found = inputs.read(usual.plan())
    assert found.leads[0].tolist() == ["II"] and inputs.Prepared(usual.plan(), found).leads == (0,)


# --- checkpoints --------------------------------------------------------------------------------------------------


def two_leads(path, names=("I", "II"), **more):
    torch.manual_seed(1)
    facts = {"arch": "resnet18", "width": 2, "in_channels": 2, "sampling_rate": 125, "seconds": 2,
             "classes": ["a", "b"],
             "leads": list(names), "protocol": "weimann2021", "multi_label": False, "synthetic": True, "dataset": "x",
             "mean": [0.1, -0.3], "sd": [1.0, 2.0]} | more
    model = models.build("resnet18", facts["in_channels"], 2, width=2)
    checkpoint.save(path, model.state_dict(), facts)
    return str(path)


def ranked(root, *paths, **parameters):
    said = []
    config = ScoreConfig.of(dataset="folder", root=str(root), tier="reduced", resamples=40, **parameters)
    return rank.rank(config, paths, said.append), said


@pytest.mark.parametrize("protocol", ["weimann2021", "melep2023"])
def test_scores_of_a_checkpoint_do_not_depend_on_the_order_of_leads(straight, turned, tmp_path, protocol):
    path = two_leads(tmp_path / "w.safetensors", protocol=protocol, sampling_rate=125 if protocol == "weimann2021"
                     else 250)
    first, second = (ranked(root, path)[0].scores[0] for root in (straight, turned))
    assert first.value == second.value
    back = two_leads(tmp_path / "b.safetensors", ("II", "I"), protocol=protocol,
                     sampling_rate=first.candidate.facts.sampling_rate)
    assert ranked(turned, back)[0].scores[0].value != first.value  # the leads do matter


def test_recordings_without_a_checkpoints_lead_are_counted_or_refuse_it(tmp_path):
    root = write(tmp_path / "x", [("I", "II")] * 10 + [("V5", "I")] * 2)
    path, other = two_leads(tmp_path / "w.safetensors"), two_leads(tmp_path / "o.safetensors", ("I", "V9"))
    found, said = ranked(root, path, other)
    assert found.target.left_out == {"no lead II": 2} and len(found.target.table) == 10
    assert len(said) == 1
    assert "o.safetensors: recording r00 of folder" in said[0]
    assert "no lead 'V9'; it has I, II" in said[0]
    with pytest.raises(EcgtlError, match="recording r10 of folder .*2 of 12.* has no lead 'II'; it has V5, I"):
        ranked(root, path, on_bad="error")


def test_one_lead_beside_several_is_the_one_asked_for(tmp_path, straight):
    path = two_leads(tmp_path / "w.safetensors")
    one = two_leads(tmp_path / "o.safetensors", ("I",), in_channels=1, mean=[0.0], sd=[1.0])
    scores = {lead: {score.candidate.name: score.value for score in ranked(straight, path, one, lead=lead)[0].scores}
              for lead in (0, 1, "ii")}
    assert scores[1] == scores["ii"] != scores[0]
    alone = {lead: ranked(straight, one, lead=lead)[0].scores[0].value for lead in (0, 1, "ii")}
    assert alone == {lead: values[one] for lead, values in scores.items()}
