"""The CPSC 2018 loader: headers of the Challenge 2020, and the original struct files with REFERENCE.csv."""

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import wfdb
from messages import one_line
from scipy.io import savemat

from ecgtl import published
from ecgtl.datasets import cpsc2018, snomed
from ecgtl.datasets.leads import LEADS
from ecgtl.errors import EcgtlError

# record -> codes of its header, class numbers of its row in REFERENCE.csv (in an order of its own), samples
RECORDS = {"A0001": ("59118001", "5", 3750), "A0002": ("164889003,59118001", "5,2", 5000),
           "A0003": ("164889003,164909002,429622005", "2,8,4", 4000), "A0004": ("164884008", "7", 36000)}
EXPECTED = {"A0001": {"right_bundle_branch_block"},
            "A0002": {"atrial_fibrillation", "right_bundle_branch_block"},
            "A0003": {"atrial_fibrillation", "left_bundle_branch_block", "st_depression"},
            "A0004": {"premature_ventricular_contraction"}}


def signal_of(record, n_samples):
    return np.random.default_rng(int(record[1:])).integers(-900, 900, (12, n_samples))


def write_header_form(root, record, dx, n_samples=500, first_line=None, stored=None, age="74"):
    """One record as the Challenge 2020 has it; returns the path of its header."""
    base = root / cpsc2018.FOLDER / f"g{record[-1]}"
    base.mkdir(parents=True, exist_ok=True)
    stored = signal_of(record, n_samples) if stored is None else stored
    savemat(base / f"{record}.mat", {"val": stored.astype("<i2")}, format="4")
    lines = [first_line or f"{record} 12 500 {stored.shape[1]}"]
    lines += [f"{record}.mat 16+24 1000/mV 16 0 {x[0]} {x.sum() % 65536} 0 {lead}"
              for x, lead in zip(stored, LEADS, strict=True)]
    lines += [f"#Age: {age}", "#Sex: Female", f"#Dx: {dx}", "#Rx: Unknown"]
    (base / f"{record}.hea").write_text("\n".join(lines) + "\n")
    return base / f"{record}.hea"


def write_struct_form(root, rows, folder="TrainingSet1"):
    """Records as the challenge of 2018 gave them out: ``rows`` of record -> (labels, samples)."""
    base = root / cpsc2018.ORIGINAL / folder
    base.mkdir(parents=True, exist_ok=True)
    for record, (_, n_samples) in rows.items():
        ecg = {"sex": "Female", "age": 74.0, "data": signal_of(record, n_samples) / 1000}
        savemat(base / f"{record}.mat", {"ECG": ecg}, do_compression=record.endswith("2"))
    lines = [",".join([record, *labels.split(","), "", ""][:4]) for record, (labels, _) in rows.items()]
    table = root / cpsc2018.ORIGINAL / cpsc2018.TABLE
    table.write_text("\n".join(["Recording,First_label,Second_label,Third_label", *lines]) + "\n")
    return table


@pytest.fixture
def header_form(tmp_path):
    for record, (dx, _, n_samples) in RECORDS.items():
        write_header_form(tmp_path, record, dx, n_samples)
    return tmp_path


@pytest.fixture
def struct_form(tmp_path):
    root = tmp_path / "original"
    write_struct_form(root, {record: row[1:] for record, row in RECORDS.items()})
    return root


def names(recordings):
    return {str(record): {name for name, there in zip(recordings.classes, row, strict=True) if there}
            for record, row in zip(recordings.ids, recordings.labels, strict=True)}


def test_both_forms_read_what_was_written(header_form, struct_form):
    for root, version in ((header_form, "PhysioNet 1.0.2"), (struct_form, "ICBEB 2018")):
        recordings = cpsc2018.read(root)
        assert recordings.version == version and recordings.multi_label and recordings.skipped == {}
        assert recordings.classes == cpsc2018.CLASSES and names(recordings) == EXPECTED
        assert recordings.subjects.tolist() == recordings.ids.tolist() == list(RECORDS)
        assert recordings.sampling_rate.tolist() == [500] * 4
        assert recordings.durations.tolist() == [7.5, 10, 8, 72]
        for i, (record, row) in enumerate(RECORDS.items()):
            np.testing.assert_allclose(recordings.signal(i), signal_of(record, row[2]) / 1000, atol=1e-6)


def test_the_first_form_that_is_there_or_the_one_asked_for(header_form):
    write_struct_form(header_form, {"A0009": ("9", 600)})
    assert len(cpsc2018.read(header_form)) == len(RECORDS)
    assert cpsc2018.read(header_form, form="icbeb").counts()["st_elevation"] == 1


@pytest.mark.parametrize("form", ["physionet", "icbeb"])
def test_single_labels(header_form, struct_form, form):
    recordings = cpsc2018.read(header_form if form == "physionet" else struct_form, view="single")
    assert [recordings.classes[k] for k in recordings.labels] == ["right_bundle_branch_block",
                                                                  "premature_ventricular_contraction"]
    assert recordings.skipped == {"several labels": ["A0002", "A0003"]}


def test_the_first_label_stands_in_the_original_table_alone(header_form, struct_form):
    recordings = cpsc2018.read(struct_form, view="first")
    assert (recordings.labels + 1).tolist() == [5, 5, 2, 7]  # the classes stand in the order of their numbers
    with pytest.raises(EcgtlError) as error:
        cpsc2018.read(header_form, view="first")
    one_line(error, "view='first'", "form='icbeb'", "view='single'")


def test_the_nine_are_those_of_the_official_table():
    table = snomed.tables()
    counted = {code: snomed.records(code, "cpsc2018") for code in table["codes"]}
    nine = table["cpsc_9"].values()
    assert {code for code, n in counted.items() if n} == {entry["codes"][0] for entry in nine}
    assert len(nine) == published.lookup("melep2023.scalars.cpsc2018_labels.value")
    assert [entry["number"] for entry in nine] == list(range(1, 10))
    assert all(snomed.name_of(entry["codes"][-1]) == entry["name"] for entry in nine)


def test_either_code_of_ventricular_ectopy(header_form):
    write_header_form(header_form, "A0005", "164884008,427172004")
    assert names(cpsc2018.read(header_form))["A0005"] == {"premature_ventricular_contraction"}


@pytest.mark.parametrize("age", ["NaN", "300", "-1", "unknown"])
def test_mat_in_the_first_line_and_odd_ages_are_read(header_form, age):
    path = write_header_form(header_form, "A0005", "426783006", age=age,
                             first_line="A0005.mat 12 500 500 12-May-2020 12:33:59")
    recordings = cpsc2018.read(header_form)
    assert names(recordings)["A0005"] == {"sinus_rhythm"}
    np.testing.assert_allclose(recordings.signal(4), signal_of("A0005", 500) / 1000, atol=1e-6)
    with pytest.raises(ValueError, match=r"\w"):  # which is why the project has a parser of its own
        wfdb.rdrecord(str(path.with_suffix("")))


@pytest.mark.parametrize("form", ["physionet", "icbeb"])
def test_some_leads(header_form, struct_form, form):
    root = header_form if form == "physionet" else struct_form
    whole, some = cpsc2018.read(root), cpsc2018.read(root, leads=("v6", "I"))
    assert some.leads[0].tolist() == ["V6", "I"]
    np.testing.assert_array_equal(some.signal(1), whole.signal(1)[[11, 0]])


def refused(root, path, reason, record, *words):
    """Reading stops with one line about ``path``, or leaves ``record`` out and counts it."""
    with pytest.raises(EcgtlError) as error:
        cpsc2018.read(root)
    one_line(error, path, "on_bad=skip", *words)
    recordings = cpsc2018.read(root, on_bad="skip")
    assert recordings.skipped == {reason: [record]}
    assert set(recordings.ids.tolist()) == set(RECORDS) - {record}


@pytest.mark.parametrize("dx, reason", [
    ("", "no diagnosis"), ("59118001,12345", "unknown code 12345"),
    ("59118001,426177001", "code 426177001 outside the nine classes")])
def test_diagnosis_that_cannot_be_read(header_form, dx, reason):
    refused(header_form, write_header_form(header_form, "A0005", dx), reason, "A0005", reason)


@pytest.mark.parametrize("rate", ["257", "1000"])
def test_records_of_the_challenge_s_other_databases(header_form, rate):
    path = write_header_form(header_form, "A0005", "59118001", first_line=f"A0005 12 {rate} 500")
    refused(header_form, path, f"sampled at {rate} Hz", "A0005", "500 Hz", "folder")


@pytest.mark.parametrize("damage", [
    lambda path: path.write_text(""), lambda path: path.with_suffix(".mat").unlink(),
    lambda path: path.with_suffix(".mat").write_bytes(path.with_suffix(".mat").read_bytes()[:-2]),
    lambda path: path.write_text(path.read_text().replace("1000/mV", "0/mV"))])
def test_damaged_record(header_form, damage):
    path = write_header_form(header_form, "A0005", "59118001")
    damage(path)
    refused(header_form, path.with_suffix(""), "damaged record", "A0005")


def flat_lead(signal):
    signal[3] = 0.005


def nan_sample(signal):
    signal[3, 100] = np.nan


@pytest.mark.parametrize("damage, reason", [(flat_lead, "constant signal"),
                                            (nan_sample, "missing samples (NaN)")])
def test_flat_leads_and_missing_samples_in_struct_files(struct_form, damage, reason):
    path = struct_form / cpsc2018.ORIGINAL / "TrainingSet1/A0003.mat"
    signal = signal_of("A0003", 4000) / 1000
    damage(signal)
    savemat(path, {"ECG": {"sex": "Male", "age": 1, "data": signal}})
    refused(struct_form, path, reason, "A0003", reason)


class Exploit:
    def __reduce__(self):
        return Path.touch, (Path("unpickled"),)


@pytest.mark.parametrize("write, words", [
    (lambda path: savemat(path, {"val": np.ones((12, 50), "<i2")}), ["struct ECG"]),
    (lambda path: savemat(path, {"ECG": np.ones((12, 50))}), ["struct ECG"]),
    (lambda path: savemat(path, {"ECG": {"sex": "Male", "age": 60}}), ["field data"]),
    (lambda path: savemat(path, {"ECG": {"data": np.ones((50, 12))}}), ["(50, 12)"]),
    (lambda path: savemat(path, {"ECG": {"data": "text"}}), ["samples"]),
    (lambda path: path.write_bytes(b""), ["MATLAB"]),
    (lambda path: path.write_bytes(b"\0" * 200), ["MATLAB"]),
    (lambda path: path.write_bytes(path.read_bytes()[:5000]), ["MATLAB"]),
    (lambda path: path.write_bytes(pickle.dumps(Exploit())), ["MATLAB"])])
def test_struct_file_that_cannot_be_read(struct_form, monkeypatch, tmp_path, write, words):
    monkeypatch.chdir(tmp_path)
    path = struct_form / cpsc2018.ORIGINAL / "TrainingSet1/A0003.mat"
    write(path)
    refused(struct_form, path, "damaged record", "A0003", *words)
    assert not Path("unpickled").exists()


@pytest.mark.parametrize("row, reason", [("A0003,,,", "no diagnosis"), ("A0003,12,,", "unknown class 12"),
                                         ("A0003,2,RBBB,", "unknown class RBBB")])
def test_label_that_cannot_be_read(struct_form, row, reason):
    table = struct_form / cpsc2018.ORIGINAL / cpsc2018.TABLE
    table.write_text(table.read_text().replace("A0003,2,8,4", row))
    refused(struct_form, table.parent / "TrainingSet1/A0003.mat", reason, "A0003")


def test_row_without_a_file_and_file_without_a_row(struct_form):
    table = struct_form / cpsc2018.ORIGINAL / cpsc2018.TABLE
    whole = table.read_text()
    table.write_text(whole + "A0009,1,,\n")
    refused(struct_form, table, "signal absent", "A0009", "first is A0009")
    table.write_text(whole.replace("A0003,2,8,4\n", ""))
    refused(struct_form, table.parent / "TrainingSet1/A0003.mat", "no diagnosis", "A0003", cpsc2018.TABLE)


def test_floats_byte_order_mark_and_nested_folders_are_read(struct_form):
    """As pandas writes the table again, and as some tools unpack the archives."""
    base = struct_form / cpsc2018.ORIGINAL
    text = (base / cpsc2018.TABLE).read_text()
    text = text.replace("A0003,2,8,4", "A0003,2.0,8.0,4.0").replace("7,,", "7.0,nan,NaN")
    (base / cpsc2018.TABLE).unlink()
    (base / "TrainingSet1" / cpsc2018.TABLE).write_text("\ufeff" + text)
    assert names(cpsc2018.read(struct_form)) == EXPECTED


@pytest.mark.parametrize("text, words", [
    ("", ["not a readable CSV"]), ("Recording,First_label\nA0001,5\n", ["Second_label"]),
    ("Recording,First_label,Second_label,Third_label\nA0001,5,,\nA0001,6,,\n", ["A0001", "twice"]),
    ("Recording,First_label,Second_label,Third_label\n,5,,\n", ["without Recording"])])
def test_table_that_cannot_be_read(struct_form, text, words):
    table = struct_form / cpsc2018.ORIGINAL / cpsc2018.TABLE
    table.write_text(text)
    for on_bad in ("error", "skip"):
        with pytest.raises(EcgtlError) as error:
            cpsc2018.read(struct_form, on_bad=on_bad)
        one_line(error, table, *words)


def test_a_record_in_two_folders(struct_form):
    write_struct_form(struct_form, {"A0001": RECORDS["A0001"][1:]}, folder="TrainingSet2")
    with pytest.raises(EcgtlError) as error:
        cpsc2018.read(struct_form, on_bad="skip")
    one_line(error, "TrainingSet1/A0001.mat", "TrainingSet2/A0001.mat", "remove")


def test_nothing_there_and_unknown_options(tmp_path, header_form):
    with pytest.raises(EcgtlError) as error:
        cpsc2018.read(tmp_path / "nowhere")
    one_line(error, "icbeb2018", "data fetch cpsc2018", "ECGTL_DATA")
    with pytest.raises(EcgtlError) as error:
        cpsc2018.read(tmp_path, form="icbeb")
    one_line(error, cpsc2018.TABLE, "TrainingSet1.zip")
    for option, allowed in (("view", "single"), ("form", "icbeb"), ("on_bad", "skip")):
        with pytest.raises(EcgtlError) as error:
            cpsc2018.read(header_form, **{option: "other"})
        one_line(error, option, allowed)


@pytest.mark.needs("challenge-2020")
def test_the_real_records(real_data):
    """Counted again from the headers' text, and the signals as wfdb reads them."""
    recordings = cpsc2018.read(real_data)
    codes = {path.stem: path.read_text().split("Dx: ")[1].split("\n")[0].split(",")
             for path in (real_data / cpsc2018.FOLDER).rglob("*.hea")}
    assert len(recordings) == len(codes) and recordings.skipped == {} and recordings.duplicates == ()
    nine = snomed.tables()["cpsc_9"].values()
    numbers = {code: entry["number"] for entry in nine for code in entry["codes"]}
    counts = Counter(numbers[code] for found in codes.values() for code in found)
    assert list(recordings.counts().values()) == [counts[number] for number in range(1, 10)]
    assert len(cpsc2018.read(real_data, view="single")) == sum(len(found) == 1 for found in codes.values())
    # Why the headers have no first label: they are sorted by the number of the class
    assert all(found == sorted(found, key=numbers.get) for found in codes.values())
    for i in (0, len(recordings) // 2, int(np.argmax(recordings.durations))):
        path, = (real_data / cpsc2018.FOLDER).rglob(f"{recordings.ids[i]}.hea")
        read = wfdb.rdrecord(str(path.with_suffix("")))
        np.testing.assert_allclose(recordings.signal(i), read.p_signal.T, atol=1e-6)
