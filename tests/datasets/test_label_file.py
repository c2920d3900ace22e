"""The label file of one's own recordings: encodings, cells, subjects, and labels that look like a slip."""

import gzip
import io
import unicodedata
import zipfile

import numpy as np
import pytest
import wfdb
from messages import one_line

from ecgtl.config import FinetuneConfig
from ecgtl.datasets import folder, label_file
from ecgtl.errors import EcgtlError
from ecgtl.jobs import finetune

NAMES = ("a", "b", "c", "d")


def write(root, record, comments=(), leads=("II",)):
    path = root / record
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = np.random.default_rng([*record.encode()]).integers(-100, 100, (500, len(leads)))
    wfdb.wrsamp(path.name, fs=250, units=["mV"] * len(leads), sig_name=list(leads), d_signal=stored,
                fmt=["16"] * len(leads),
                adc_gain=[100.0] * len(leads), baseline=[0] * len(leads), comments=list(comments),
                write_dir=str(path.parent))


@pytest.fixture
def root(tmp_path):
    """Four records without labels."""
    for record in NAMES:
        write(tmp_path, record)
    return tmp_path


def given(root, content, **options):
    """The recordings of ``root`` with this label file."""
    (root / "labels.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder.read(root, **options)


def refusal(root, content, *words, **options):
    with pytest.raises(EcgtlError) as error:
        given(root, content, **options)
    one_line(error, root / "labels.csv", *words)
    assert "\ufffd" not in str(error.value)


def classes_of(recordings):
    return [recordings.classes[k] for k in recordings.labels]


# --- encodings ----------------------------------------------------------------------------------------------------

ACCENTS = "record,label\na,áé\nb,àé\nc,áé\nd,Ωβ\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_unicode_is_read_as_it_stands(root, encoding, newline):
    assert classes_of(given(root, ACCENTS.replace("\n", newline).encode(encoding))) == ["áé", "àé", "áé", "Ωβ"]


@pytest.mark.parametrize("stored, written", [("NFD", "NFC"), ("NFC", "NFD")])
def test_a_file_is_found_by_its_name_in_either_unicode_form(tmp_path, stored, written):
    """Whose signal is whose is told by its length."""
    for n, name in ((300, "é"), (400, "ward/e"), (500, "ward/á")):
        name = unicodedata.normalize(stored, name)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.csv").write_text("time (s),II (mV)\n" + "".join(f"{k / 100},{k % 7}\n" for k in range(n)))
    found = given(tmp_path, unicodedata.normalize(written, "record,label\né,x\ne,y\ná,z\n"))
    assert dict(zip(found.durations.tolist(), classes_of(found), strict=True)) == {3.0: "x", 4.0: "y", 5.0: "z"}


def test_utf_16_of_either_order_is_told_by_its_mark(root):
    big = b"\xfe\xff" + ACCENTS.encode("utf-16-be")
    assert classes_of(given(root, big)) == ["áé", "àé", "áé", "Ωβ"]


@pytest.mark.parametrize("encoding, words", [
    ("latin-1", ("line 3", "Latin-1 / Windows-1252", "iconv -f WINDOWS-1252")), ("utf-16-le", ("UTF-16 without",)),
    ("utf-16-be", ("UTF-16 without",)), ("utf-32", ("UTF-32",)), ("cp1251", ("line 3", "another script")),
    ("gb18030", ("line 3", "another script")), ("shift_jis", ("line 3", "another script"))])
def test_other_encodings_are_named(root, encoding, words):
    text = {"cp1251": "ритм", "gb18030": "心房颤动", "shift_jis": "心房細動"}.get(encoding, "bloqué")
    refusal(root, f"record,label\na,x\nb,{text}\n".encode(encoding), "CSV UTF-8", *words)


def test_a_damaged_byte_is_not_replaced(root):
    refusal(root, ACCENTS.encode() + b"d,\xff\n", "line 6", "UTF-8 with bytes of another encoding")
    refusal(root, ACCENTS.encode("utf-16")[:-1], "damaged UTF-16")


def test_files_that_are_no_text_are_called_what_they_are(root):
    workbook = io.BytesIO()
    with zipfile.ZipFile(workbook, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    refusal(root, workbook.getvalue(), "Excel workbook (.xlsx)", ".ods", "CSV UTF-8")
    refusal(root, gzip.compress(b"record,label\na,x\n"), "gzip")
    refusal(root, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Excel workbook (.xls)")


# --- rows and cells -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row, number", [("a,AF, rapid", 2), ("a,,AF", 2), ("a,x,", 2), ("b,x\na,AF,rapid", 3),
                                         ('b,"two\nlines"\na,AF,rapid', 4)])
def test_a_row_with_more_cells_than_the_header_names_its_line(root, row, number):
    refusal(root, f"record,label\n{row}\n", f"line {number}", "3 cells for 2 columns", "quotes")


@pytest.mark.parametrize("text, found", [
    ('record,label\na,"AF, rapid"\nb,"one\nclass"\nc, "AF, rapid"\nd,"say ""x"""\n',
     ["AF, rapid", "one\nclass", "AF, rapid", 'say "x"']),
    ("record,label\na,x\u0085y\nb,x\u2028y\nc,x\x0by\nd,x\x1cy\n", ["x\u0085y", "x\u2028y", "x\x0by", "x\x1cy"]),
    ("record;label;age\na;x, y;1,5\nb;z;2\nc;z;3\nd;z;4\n", ["x, y", "z", "z", "z"]),
    ('"record";"label"\n"a";"x;y"\nb;z\nc;z\nd;z\n', ["x;y", "z", "z", "z"]),
    ("record\tlabel\na\tx\nb\tx, y\nc\tx\nd\tx\n", ["x", "x, y", "x", "x"])])
def test_rows_and_cells_are_those_of_csv(root, text, found):
    assert classes_of(given(root, text)) == found


@pytest.mark.parametrize("text, words", [
    ("record,label\na;x\n", ("line 2", "lacks a record, a label")),
    ("record,label\nb,x\na,\"AF\nc,y\n", ("line 3", "not a CSV file")),
    ("record,label\na,\"AF\"x\n", ("line 2", "not a CSV file")),
    ("record,label,Label\na,x,y\n", ("line 1", "several columns label")),
    ("record,label,subject,patient_id\na,x,1,2\n", ("line 1", "several columns subject")),
    ("record,label,subject\na,x\n", ("line 2", "subject")), ("x" * 300_000, ("record and label",)),
    ('record,label\n"a\nb",x\n', ("line 2", "absent"))])
def test_what_can_be_read_in_two_ways_is_refused(root, text, words):
    refusal(root, text, *words)


# --- subjects -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["subject", "Patient", "PATIENT_ID", "subject_id ", "PatientID", "Subject ID",
                                    "patient-id", "participant_id"])
def test_a_column_says_who_was_recorded(root, column):
    recordings = given(root, f"record,{column},label\na,p1,x\nb,p2,y\nc,p1,x\nd,p2,y\n")
    assert recordings.subjects.tolist() == ["p1", "p2", "p1", "p2"]
    assert recordings.classes == ("x", "y") and recordings.notes == ()


def test_columns_that_are_passed_over_are_said_where_none_says_who_was_recorded(root):
    rows = "a,1,x,7\nb,2,y,7\nc,1,x,8\nd,2,y,8\n"
    [note] = given(root, "record,MRN,label,age\n" + rows).notes
    assert "passed over: 'mrn', 'age'; if one says who was recorded, name it subject" in note
    assert given(root, "record,subject,label,age\n" + rows).notes == ()


def test_a_record_has_one_subject(root):
    refusal(root, "record,label,subject\na,x,p1\nb,x,p2\na,x,p2\n", "line 4", "two subjects", "'p1'", "'p2'")
    write(root, "d", ["subject: p9"])
    refusal(root, "record,label,subject\na,x,p1\nb,x,p2\nc,x,p2\nd,x,p2\n", "line 5", "'p9'", "header")
    recordings = given(root, "record,label,subject\na,x,p9\nb,x,p2\nc,x,p2\nd,x,\n")
    assert recordings.subjects.tolist() == ["p9", "p2", "p2", "p9"] and recordings.notes == ()


@pytest.mark.parametrize("empty", ["", "NA", "nan", "None", "NULL"])
def test_records_without_a_subject_are_counted(root, empty):
    """What programs write for an empty cell is nobody, and not one and the same person."""
    recordings = given(root, f"record,label,subject\na,x,p1\nb,x,{empty}\nc,x,{empty}\nd,x,p1\n")
    assert recordings.subjects.tolist() == ["p1", "b", "c", "p1"]
    assert [note for note in recordings.notes if "2 of 4 records have no subject (first b)" in note]


def test_subjects_that_may_be_one_are_said(root):
    notes = given(root, "record,label,subject\na,x,P1\nb,x,p1\nc,x,2\nd,x,2.0\n").notes
    assert any("subjects 'P1' (1 records), 'p1' (1 records)" in note for note in notes)
    assert any("'2' (1 records), '2.0' (1 records)" in note for note in notes)


@pytest.mark.parametrize("comment", ["subject: p1", "Patient: p1", "patient_id:p1", "Patient ID: p1"])
def test_header_comments_say_it_too(root, comment):
    write(root, "a", [comment])
    write(root, "c", [comment])
    write(root, "b", [comment.replace("p1", "n/a")])
    write(root, "d", [comment.replace("p1", "n/a")])
    assert folder.read(root).subjects.tolist() == ["p1", "b", "p1", "d"]


SEVERAL = {"folders": ["p01/rec_1", "p01/rec_2", "p02/rec_1"], "names": ["patient7_a", "patient7_b", "patient12_a"],
           "nested": ["files/patient001/s0010_re", "files/patient001/s0014lre", "files/patient002/s0015lre"],
           "segments": ["p00000_s00", "p00000_s01", "p00001_s00"], "ptb": ["s0010_re/1", "s0010_re/2", "s0014_re/1"],
           "numbers": ["0017_1", "0017_2", "0018_1"], "bids": ["sub-01/ses-1_ecg", "sub-01/ses-2_ecg",
                                                               "sub-02/ses-1_ecg"],
           "ecg-id": ["Person_01/rec_1", "Person_01/rec_2", "Person_02/rec_1"],
           "rates": ["00001_lr", "00001_hr", "00002_hr"]}
INDEPENDENT = {"plain": ["a", "b", "c"], "numbered": ["rec_1", "rec_2", "rec_3"],
               "patients": ["patient_001", "patient_002", "p003"],
               "wards": ["ward-a/0001", "ward-a/0002", "ward-b/0001"], "sets": ["train/1", "train/2", "test/1"],
               "cinc2017": ["A00001", "A00002"], "georgia": ["g1/E00001", "g1/E00002", "g2/E01001"],
               "mitdb": ["100", "101", "102"],
               "csn": ["WFDBRecords/01/010/JS00001", "WFDBRecords/01/010/JS00002", "WFDBRecords/01/011/JS00103"],
               "ptbxl": ["records500/00000/00001_hr", "records500/00000/00002_hr", "records500/01000/01001_hr"],
               "classes": ["af_001", "af_002", "normal_001", "normal_002"], "twin": ["own01", "own02", "own03"],
               "years": [f"{year}_{k:04d}" for year in (2019, 2020) for k in range(200)],
               "each its folder": ["p01/ecg", "p02/ecg", "p03/ecg"], "devices": ["s1/r1", "s1/r2", "s2/r1"]}


@pytest.mark.parametrize("records", SEVERAL.values(), ids=SEVERAL)
def test_names_that_look_like_several_records_a_person(records):
    assert label_file.several_a_person(records) == records[:2]


@pytest.mark.parametrize("records", INDEPENDENT.values(), ids=INDEPENDENT)
def test_names_that_say_nothing_of_persons(records):
    assert label_file.several_a_person(records) == []


def test_a_split_of_independent_records_is_said(tmp_path, capsys):
    for record in ("p01/a", "p01/b", "p02/a", "p02/b"):
        write(tmp_path, record)
    said = "records are split as independent, but p01/a and p01/b look like one person's; give a column subject"
    assert said in folder.read(tmp_path).notes[0]
    assert said in capsys.readouterr().err
    folder.read(tmp_path)  # from the cache
    assert said in capsys.readouterr().err
    assert folder.read(tmp_path, labels="none").notes == ()  # nothing is split where labels are not looked at
    whose = "record,label,subject\np01/a,x,1\np01/b,x,1\np02/a,y,2\np02/b,y,2\n"
    assert given(tmp_path, whose).notes == ()


# --- labels that look like a slip ---------------------------------------------------------------------------------


@pytest.mark.parametrize("one, other", [("AF", "af"), ("sinus rhythm", "sinus  rhythm"), ("1", "1.0"), ("01", "1"),
                                        ("bloqu\u00e9", "bloque\u0301"), ("AF", "A\u200bF"), ("x\u00a0y", "x y")])
def test_classes_that_may_be_one_are_said_with_their_counts(root, one, other):
    notes = given(root, f"record,label\na,{one}\nb,{other}\nc,{one}\nd,z\n").notes
    assert len(notes) == 1 and f"{one!a} (2 records)" in notes[0] and f"{other!a} (1 records)" in notes[0]
    assert unicodedata.normalize("NFC", one) == one


@pytest.mark.parametrize("name", ["nan", "NA", "N/A", "null", "None"])
def test_a_class_that_looks_like_no_label_is_said(root, name):
    recordings = given(root, f"record,label\na,{name}\nb,x\nc,{name}\nd,y\n")
    assert recordings.notes == (f"2 records have the class {name!r}, which looks like no label; for none leave the "
                                "cell empty",)


@pytest.mark.parametrize("labels", [("AF", "N", "O", "~"), ("1", "10", "2", "11"),
                                    ("AV block, first degree", "AF", "N", "I/II"), ("ST-T", "a+b", "c", "d")])
def test_classes_that_are_plain_are_not_remarked(root, labels):
    rows = "".join(f'{record},"{label}"\n' for record, label in zip(NAMES, labels, strict=True))
    assert given(root, "record,label\n" + rows).notes == ()


@pytest.mark.parametrize("mark, cell", [(";", "AF;PVC"), ("|", "AF|PVC"), (",", '"AF, PVC"'), ("/", "AF/PVC"),
                                        ("+", "AF + PVC")])
def test_several_labels_in_a_cell(root, mark, cell):
    text = f"record,label\na,{cell}\nb,AF\nc,PVC\nd,N\n"
    notes = given(root, text).notes
    assert len(notes) == 1 and f"labels_separator={mark!r}" in notes[0]
    recordings = given(root, text, labels_separator=mark)
    assert recordings.multi_label and recordings.classes == ("AF", "N", "PVC") and recordings.notes == ()
    assert recordings.labels.tolist() == [[1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 1, 0]]


def test_empty_parts_and_repeats_are_no_labels(root):
    recordings = given(root, "record,label\na,AF; ;AF;\nb, N ;AF\nc,N\nd,;\n", labels_separator=";", on_bad="skip")
    assert recordings.labels.tolist() == [[1, 0], [1, 1], [0, 1]] and recordings.skipped == {"no label": ["d"]}


def test_a_separator_that_parts_nothing_is_refused(root):
    for text, mark in (("record,label\na,AF;N\nb,AF\nc,N\nd,N\n", "|"), ("record,label\n", ";")):
        with pytest.raises(EcgtlError, match="labels_separator is .* no label of .* holds it"):
            given(root, text, labels_separator=mark)
    with pytest.raises(EcgtlError, match="no label of .* holds it"):
        folder.read(root, labels="none", labels_separator=";")


def test_several_labels_in_comments(tmp_path):
    for record, codes in {"a": "1,2", "b": "2", "c": "3 , 1"}.items():
        write(tmp_path, record, [f"Dx: {codes}"])
    recordings = folder.read(tmp_path, labels="comments", labels_separator=",")
    assert recordings.classes == ("1", "2", "3") and recordings.labels.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]


def test_comments_that_hold_no_label_are_named(tmp_path):
    write(tmp_path, "a", ["Age: 70", "Diagnosis: AF"])
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, labels="comments")
    one_line(error, tmp_path / "a.hea", "no label", "'label: ...'", "'Dx: ...'", "Age, Diagnosis")


def test_a_network_learns_several_labels_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "results"))
    sets = ("AF", "PVC", "AF;PVC", "N")
    for k in range(32):
        write(tmp_path, f"r{k:02d}")
    rows = "".join(f"r{k:02d},{sets[k % 4]},p{k // 8 if k < 8 else k}\n" for k in range(32))
    (tmp_path / "labels.csv").write_text("record,label,subject\n" + rows)
    config = FinetuneConfig.of(dataset="folder", tier="reduced", root=str(tmp_path), labels_separator=";", epochs=1,
                               width=2, seconds=2.0, sampling_rate=50.0)
    result = finetune.run(config)
    assert result.data["classes"] == ["AF", "N", "PVC"] and result.data["counts"] == {"AF": 16, "N": 8, "PVC": 16}
    assert 0 <= result.scores["macro_auc"] <= 1 and result.config["labels_separator"] == ";"
