"""The PTB-XL loader: three views of its statements, folds and patients, whole and partial copies."""

import ast
import csv
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import wfdb
from messages import one_line

from ecgtl.datasets import ptbxl
from ecgtl.datasets.leads import LEADS
from ecgtl.errors import EcgtlError

STATEMENTS = [("NORM", 1, "", "NORM"), ("IMI", 1, "", "MI"), ("NDT", 1, "", "STTC"), ("CRBBB", 1, "", "CD"),
              ("LVH", 1, "", "HYP"), ("LVOLT", "", "", ""), ("SR", "", 1, ""), ("AFIB", "", 1, ""),
              ("STACH", "", 1, ""), ("BIGU", "", 1, "")]
# ecg_id, patient_id, age, sex, scp_codes, strat_fold
ROWS = [(1, 15.0, 56.0, 1, "{'NORM': 100.0, 'SR': 0.0}", 3),
        (2, 16.0, 300.0, 0, "{'IMI': 35.0, 'AFIB': 0.0}", 2),
        (3, 15.0, 57.0, 1, "{'LVH': 100.0, 'IMI': 0.0, 'SR': 0.0, 'BIGU': 100.0}", 10),
        (4, 17.0, 40.0, 0, "{'LVOLT': 0.0}", 1), (5, 18.0, "", 0, "{'NORM': 80.0, 'STACH': 0.0}", 9),
        (6, 19.0, 33.0, 1, "{'CRBBB': 100.0, 'SR': 0.0}", 9),
        (7, 20.0, 33.0, 1, "{'NDT': 50.0, 'SR': 0.0}", 9)]


def write_tables(base, rows=ROWS, **changed):
    """The two tables; ``changed`` gives one column another value in the first row, or None to drop it."""
    base.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(rows, columns=["ecg_id", "patient_id", "age", "sex", "scp_codes", "strat_fold"])
    for column, folder, ending in (("filename_lr", "records100", "lr"), ("filename_hr", "records500", "hr")):
        table[column] = [f"{folder}/00000/{row[0]:05d}_{ending}" for row in rows]
    for column, value in changed.items():
        table[column] = [value, *table[column][1:]]
        table = table.drop(columns=column) if value is None else table
    table.to_csv(base / ptbxl.TABLE, index=False)
    with open(base / ptbxl.STATEMENTS, "w", newline="") as out:
        csv.writer(out).writerows([("", "diagnostic", "rhythm", "diagnostic_class"), *STATEMENTS])


def write_record(base, number, rate=500, stored=None):
    folder = base / f"records{rate}/00000"
    folder.mkdir(parents=True, exist_ok=True)
    if stored is None:
        stored = np.random.default_rng([number, rate]).integers(-900, 900, (2 * rate, 12))
    name = f"{number:05d}_{'hr' if rate == 500 else 'lr'}"
    wfdb.wrsamp(name, fs=rate, units=["mV"] * 12, sig_name=[lead.upper() for lead in LEADS], d_signal=stored,
                fmt=["16"] * 12, adc_gain=[1000.0] * 12, baseline=[0] * 12, write_dir=str(folder))
    return folder / f"{name}.hea"


@pytest.fixture(scope="module")
def signals(tmp_path_factory):
    base = tmp_path_factory.mktemp("signals")
    for row in ROWS:
        write_record(base, row[0])
        write_record(base, row[0], rate=100)
    return base


@pytest.fixture
def root(signals, tmp_path):
    """A small release: tables of its own, the signals of all tests as hard links."""
    base = tmp_path / ptbxl.FOLDER
    write_tables(base)
    for file in signals.rglob("*_*"):
        target = base / file.relative_to(signals)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(file, target)
    return tmp_path


@pytest.fixture
def base(root):
    return root / ptbxl.FOLDER


def labels(recordings, i):
    return [name for name, there in zip(recordings.classes, recordings.labels[i], strict=True) if there]


def test_rhythm_view(root, base):
    recordings = ptbxl.read(root)
    assert recordings.ids.tolist() == ["00001", "00002", "00003", "00005", "00006", "00007"]
    assert recordings.classes == ("SR", "AFIB", "STACH", "BIGU")
    assert [labels(recordings, i) for i in range(4)] == [["SR"], ["AFIB"], ["SR", "BIGU"], ["STACH"]]
    assert recordings.folds.tolist() == [3, 2, 10, 9, 9, 9]
    assert recordings.subjects.tolist() == ["15", "16", "15", "18", "19", "20"]
    assert recordings.skipped == {"no rhythm statement": ["00004"]}
    assert (recordings.version, set(recordings.sampling_rate)) == ("1.0.3", {500.0})
    for i, record in enumerate(recordings.ids.tolist()):
        expected = wfdb.rdrecord(str(base / f"records500/00000/{record}_hr")).p_signal.T
        np.testing.assert_allclose(recordings.signal(i), expected, atol=1e-6)


def test_single_rhythms(root):
    recordings = ptbxl.read(root, view="rhythm_single")
    assert recordings.counts() == {"SR": 3, "AFIB": 1, "STACH": 1, "BIGU": 0}
    assert recordings.skipped == {"no rhythm statement": ["00004"], "several rhythm statements": ["00003"]}
    some = ptbxl.read(root, view="rhythm_single", classes=("AFIB", "SR"))
    assert some.counts() == {"AFIB": 1, "SR": 3}
    assert some.skipped["rhythm outside the classes"] == ["00005"]


def test_cap_is_a_seeded_draw(root):
    drawn = {seed: ptbxl.read(root, view="rhythm_single", cap={"SR": 2}, seed=seed) for seed in range(6)}
    for recordings in drawn.values():
        assert recordings.counts() == {"SR": 2, "AFIB": 1, "STACH": 1, "BIGU": 0}
        kept = {str(record) for record in recordings.ids}
        beyond = recordings.skipped["beyond the cap"]
        assert sorted([*kept, *beyond]) == ["00001", "00002", "00005", "00006", "00007"]
    assert len({tuple(recordings.ids) for recordings in drawn.values()}) > 1
    again = ptbxl.read(root, view="rhythm_single", cap={"SR": 2}, seed=3)
    assert again.ids.tolist() == drawn[3].ids.tolist()


def test_superclass_view(root):
    recordings = ptbxl.read(root, view="superclass")
    assert recordings.classes == ("NORM", "MI", "STTC", "CD", "HYP")
    assert [labels(recordings, i) for i in range(6)] == [["NORM"], ["MI"], ["MI", "HYP"], ["NORM"], ["CD"],
                                                         ["STTC"]]
    assert recordings.skipped == {"no diagnostic superclass": ["00004"]}


def test_the_smaller_copies_are_read_where_they_are_all_there_is(root, base):
    assert set(ptbxl.read(root).sampling_rate) == {500.0}
    shutil.rmtree(base / "records500")
    assert set(ptbxl.read(root).sampling_rate) == {100.0}
    with pytest.raises(EcgtlError, match="records500"):
        ptbxl.read(root, rate=500)


def test_both_rates(root, base):
    recordings = ptbxl.read(root, rate=100)
    assert set(recordings.sampling_rate) == {100.0}
    assert recordings.ids.tolist() == ptbxl.read(root).ids.tolist()
    expected = wfdb.rdrecord(str(base / "records100/00000/00002_lr")).p_signal.T
    np.testing.assert_allclose(recordings.signal(1), expected, atol=1e-6)


def test_some_leads(root):
    whole, some = ptbxl.read(root), ptbxl.read(root, leads=("II", "aVR"))
    assert some.leads[0].tolist() == ["II", "AVR"]
    np.testing.assert_array_equal(some.signal(2), whole.signal(2)[[1, 3]])
    np.testing.assert_array_equal(some.lead(2, "avr"), whole.lead(2, "aVR"))


@pytest.mark.parametrize("suffix", ["hea", "dat"])
def test_partial_copy(root, base, suffix):
    for number in (2, 4):  # the fourth has no rhythm statement, but the copy is partial all the same
        (base / f"records500/00000/{number:05d}_hr.{suffix}").unlink()
    with pytest.raises(EcgtlError) as error:
        ptbxl.read(root)
    one_line(error, base / ptbxl.TABLE, "7 recordings", "2 are absent", "00002", "data fetch ptbxl",
             "on_bad=skip")
    recordings = ptbxl.read(root, on_bad="skip")
    assert recordings.skipped == {"signal absent": ["00002", "00004"]}
    assert recordings.ids.tolist() == ["00001", "00003", "00005", "00006", "00007"]


def test_cap_draws_among_those_present(root, base):
    (base / "records500/00000/00001_hr.dat").unlink()
    recordings = ptbxl.read(root, view="rhythm_single", cap={"SR": 2}, on_bad="skip")
    assert {"00006", "00007"} <= set(recordings.ids.tolist())


@pytest.mark.parametrize("text", ["__import__('os').abort()", "{'SR': open('x')}", "['SR']", "SR",
                                  "{'SR': 0.0", "nan", "{1: 0.0}", "{'SR': 0.0} + {}", "(" * 5000, ""])
@pytest.mark.parametrize("on_bad", ["error", "skip"])
def test_codes_that_are_no_literal(root, base, text, on_bad):
    write_tables(base, scp_codes=text)
    with pytest.raises(EcgtlError) as error:
        ptbxl.read(root, on_bad=on_bad)
    one_line(error, base / ptbxl.TABLE, "scp_codes of 00001", "no literal")


def test_unknown_statement(root, base):
    write_tables(base, scp_codes="{'SR': 0.0, 'XYZ': 0.0}")
    with pytest.raises(EcgtlError) as error:
        ptbxl.read(root)
    one_line(error, base / ptbxl.TABLE, "'XYZ'", "00001", ptbxl.STATEMENTS)


@pytest.mark.parametrize("column", ["ecg_id", "patient_id", "age", "scp_codes", "strat_fold", "filename_hr"])
def test_table_without_a_column(root, base, column):
    write_tables(base, **{column: None})
    with pytest.raises(EcgtlError) as error:
        ptbxl.read(root)
    one_line(error, base / ptbxl.TABLE, f"no column {column}", "data fetch ptbxl")


@pytest.mark.parametrize("changed, word", [
    ({"patient_id": "n/a"}, "patient_id"), ({"strat_fold": np.inf}, "strat_fold"), ({"ecg_id": 2}, "ecg_id"),
    ({"filename_hr": "../../etc/passwd"}, "../../etc/passwd"),
    ({"filename_hr": "/etc/passwd"}, "/etc/passwd"),
    ({"filename_lr": ""}, "filename_lr")])
def test_table_with_wrong_values(root, base, changed, word):
    write_tables(base, **changed)
    with pytest.raises(EcgtlError) as error:
        ptbxl.read(root)
    one_line(error, base / ptbxl.TABLE, word)


@pytest.mark.parametrize("name", [ptbxl.TABLE, ptbxl.STATEMENTS])
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\0\x81", b"a,b\n1,2,3\n"])
def test_damaged_tables(root, base, name, content):
    (base / name).unlink()
    if content is not None:
        (base / name).write_bytes(content)
    with pytest.raises(EcgtlError) as error:
        ptbxl.read(root)
    one_line(error, base / name, "data fetch ptbxl")


def test_truncated_signal(root, base):
    file = base / "records500/00000/00002_hr.dat"
    content = file.read_bytes()
    file.unlink()  # it is a hard link
    file.write_bytes(content[:-2])
    with pytest.raises(EcgtlError) as error:
        ptbxl.read(root)
    one_line(error, file, "truncated", "fetch", "on_bad=skip")
    assert ptbxl.read(root, on_bad="skip").skipped["truncated signal file"] == ["00002"]


def test_flat_lead(root, base):
    stored = np.random.default_rng(0).integers(-900, 900, (1000, 12))
    stored[:, 2] = 3
    for suffix in ("hea", "dat"):
        (base / f"records500/00000/00002_hr.{suffix}").unlink()
    path = write_record(base, 2, stored=stored)
    with pytest.raises(EcgtlError) as error:
        ptbxl.read(root)
    one_line(error, path, "constant signal", "on_bad=skip")
    assert ptbxl.read(root, on_bad="skip").skipped["constant signal"] == ["00002"]


@pytest.mark.parametrize("options, word", [
    ({"view": "form"}, "rhythm_single"), ({"rate": 250}, "500 and 100"),
    ({"classes": ("SR",)}, "rhythm_single"),
    ({"view": "rhythm_single", "classes": ("SR", "NORM")}, "'NORM'"),
    ({"view": "rhythm_single", "classes": ("SR",), "cap": {"AFIB": 3}}, "'AFIB'"),
    ({"view": "rhythm_single", "cap": {"SR": 0}}, "above 0"), ({"leads": "V9"}, "V9"),
    ({"on_bad": "drop"}, "on_bad")])
def test_options_are_checked(root, options, word):
    with pytest.raises(EcgtlError) as error:
        ptbxl.read(root, **options)
    one_line(error, word)


@pytest.fixture
def real_table(real_data):
    """The release's own table, its statements parsed here."""
    base = real_data / ptbxl.FOLDER
    table = pd.read_csv(base / ptbxl.TABLE)
    table["keys"] = [list(ast.literal_eval(text)) for text in table["scp_codes"]]
    return table[[(base / f"{name}.dat").exists() for name in table["filename_hr"]]]


@pytest.mark.needs("ptb-xl")
def test_the_real_recordings(real_data, real_table):
    recordings = ptbxl.read(real_data, view="rhythm_single", leads="II", on_bad="skip")
    counts = recordings.counts()
    assert len(real_table) == 2992
    assert counts == {"SR": 2281, "AFIB": 194, "SARRH": 118, "STACH": 102, "SBRAD": 92, "PACE": 37,
                      "SVARR": 16, "AFLT": 9, "BIGU": 3, "TRIGU": 2, "SVTAC": 0, "PSVT": 0}
    rows = real_table.set_index(real_table["ecg_id"].map("{:05d}".format)).loc[recordings.ids.tolist()]
    assert recordings.folds.tolist() == rows["strat_fold"].tolist()
    record = real_data / ptbxl.FOLDER / rows["filename_hr"].iloc[11]
    np.testing.assert_allclose(recordings.lead(11), wfdb.rdrecord(str(record)).p_signal[:, 1], atol=1e-6)
    capped = ptbxl.read(real_data, view="rhythm_single", leads="II", on_bad="skip",
                        classes=("SR", "AFIB", "SARRH", "STACH", "SBRAD"), cap={"SR": 500})
    assert capped.counts() == {"SR": 500, "AFIB": 194, "SARRH": 118, "STACH": 102, "SBRAD": 92}


@pytest.mark.needs("ptb-xl")
def test_the_real_patients_and_labels(real_data, real_table):
    several = real_table["patient_id"].value_counts()
    assert ((several > 1).sum(), several[several > 1].sum()) == (78, 170)
    statements = pd.read_csv(real_data / ptbxl.FOLDER / ptbxl.STATEMENTS, index_col=0)
    rhythms = set(statements.index[statements["rhythm"] == 1])
    recordings = ptbxl.read(real_data, leads="I", on_bad="skip")
    assert set(recordings.classes) == rhythms and len(rhythms) == 12
    expected = {name: sum(name in keys for keys in real_table["keys"]) for name in recordings.classes}
    assert recordings.counts() == expected
    assert len(recordings.skipped["no rhythm statement"]) == 120
    superclass = statements["diagnostic_class"].dropna()
    found = [{superclass[key] for key in keys if key in superclass} for keys in real_table["keys"]]
    five = ptbxl.read(real_data, view="superclass", leads="I", on_bad="skip")
    assert five.counts() == {name: sum(name in one for one in found) for name in ptbxl.SUPERCLASSES}
