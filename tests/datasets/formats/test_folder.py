"""Folders of files that are not WFDB, alone and mixed: labels, policy, names, and what every job makes of them."""

import errno
import os

import numpy as np
import pandas as pd
import pytest
import wfdb
from messages import one_line
from own_files import RATE, signal
from scipy.io import savemat

from ecgtl.__main__ import main
from ecgtl.config import FinetuneConfig
from ecgtl.datasets import folder
from ecgtl.datasets.collector import Collector
from ecgtl.errors import EcgtlError
from ecgtl.jobs import features, finetune

N = 24  # recordings, of two classes


def write_wfdb(root, record, x):
    wfdb.wrsamp(record, fs=RATE, units=["mV"] * 2, sig_name=["I", "II"], p_signal=x, fmt=["16"] * 2,
                adc_gain=[1000.0] * 2, baseline=[0] * 2, write_dir=str(root))


def write_csv(root, record, x):
    pd.DataFrame(x, columns=["I (mV)", "II (mV)"], index=pd.Index(np.arange(len(x)) / RATE, name="time (s)")).to_csv(
        root / f"{record}.csv")


def write_edf(root, record, x):
    """Numbers of 1 microvolt, as of the others."""
    edfio = pytest.importorskip("edfio")
    edfio.Edf([edfio.EdfSignal.from_digital(np.rint(lead * 1000).astype(np.int16), RATE, label=name,
                                            physical_dimension="uV", physical_range=(-32768, 32767))
               for lead, name in zip(x.T, ("ECG I", "ECG II"), strict=True)]).write(root / f"{record}.edf")


def write_npz(root, record, x):
    np.savez(root / f"{record}.npz", signal=x, fs=RATE, unit="mV", leads=["I", "II"])


def write_mat(root, record, x):
    savemat(root / f"{record}.mat", {"val": np.rint(x.T * 1000).astype(np.int16), "fs": RATE, "unit": "uV",
                                     "leads": np.array(["I", "II"])})


WRITERS = (write_wfdb, write_csv, write_edf, write_npz, write_mat)


def recordings_of(root, *writers):
    """N recordings, each by the next of the writers, and labels of two classes that are told by their beats."""
    root.mkdir(exist_ok=True)
    rows = []
    for k in range(N):
        writers[k % len(writers)](root, f"r{k:02}", signal(seed=k) * (1 + k % 2))
        rows.append(f"r{k:02},{'big' if k % 2 else 'small'},s{k}")
    (root / "labels.csv").write_text("\n".join(["record,label,subject", *rows]))
    return root


def test_a_mixed_folder_is_one_data_set(tmp_path):
    mixed, plain = recordings_of(tmp_path / "mixed", *WRITERS), recordings_of(tmp_path / "wfdb", write_wfdb)
    found, expected = folder.read(mixed), folder.read(plain)
    for name in ("ids", "leads", "labels", "subjects", "sampling_rate"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist()
    assert found.classes == ("big", "small")
    for k in range(N):
        np.testing.assert_allclose(found.signal(k), expected.signal(k), atol=1e-6)


@pytest.mark.parametrize("lead", ["II", "ii", 1])
def test_a_lead_is_chosen_in_every_format(tmp_path, lead):
    found = folder.read(recordings_of(tmp_path / "mixed", *WRITERS), lead=lead)
    assert set(found.leads.ravel()) == {"II"}


def test_what_is_wrong_with_any_is_counted(tmp_path):
    root = recordings_of(tmp_path / "mixed", *WRITERS)
    for name, content in (("r01.csv", "I,II\n0.1,0.2\n"), ("r02.edf", "0       "), ("r03.npz", "PK\3\4 .npy"),
                          ("r04.mat", "MATLAB 5.0 MAT-file")):
        (root / name).write_text(content)
    with pytest.raises(EcgtlError) as error:
        folder.read(root)
    one_line(error, root / "r01.csv", "on_bad=skip")
    found = folder.read(root, on_bad="skip")
    assert sorted(record for records in found.skipped.values() for record in records) == ["r01", "r02", "r03", "r04"]
    assert len(found) == N - 4


def test_labels_may_name_the_files(tmp_path):
    root = recordings_of(tmp_path / "mixed", write_csv, write_npz)
    table = root / "labels.csv"
    lines = [line.replace(",", ".csv,", 1) if k % 2 else line.replace(",", ".npz,", 1) if k else line
             for k, line in enumerate(table.read_text().splitlines())]
    table.write_text("\n".join(lines))
    assert folder.read(root).counts() == {"big": N // 2, "small": N // 2}


def test_two_files_of_one_name_are_refused(tmp_path):
    write_csv(tmp_path, "a", signal())
    write_npz(tmp_path, "a", signal(seed=1))
    write_npz(tmp_path, "b", signal(seed=2))
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "a.csv", tmp_path / "a.npz", "rename one")
    assert folder.read(tmp_path, on_bad="skip").skipped == {"two files of one name": ["a"]}


def test_what_has_the_name_of_a_wfdb_record_belongs_to_it(tmp_path, capsys):
    """As the .mat of the challenges, annotations, and whatever a release puts beside a header."""
    savemat(tmp_path / "a.mat", {"val": np.rint(signal().T * 1000).astype(np.int16)})
    lines = [f"a 2 {RATE} {len(signal())}", *(f"a.mat 16+24 1000/mV 16 0 0 0 0 {name}" for name in ("I", "II"))]
    (tmp_path / "a.hea").write_text("\n".join(lines))
    (tmp_path / "a.atr").write_bytes(b"\0\0")
    write_csv(tmp_path, "b", signal(seed=1))
    assert folder.read(tmp_path).ids.tolist() == ["a", "b"]
    assert "passed over" not in capsys.readouterr().err


def test_a_name_with_dots_keeps_what_is_no_suffix(tmp_path):
    for record in ("1.2.840.1", "1.2.840.2"):
        np.save(tmp_path / "x.npy", signal(seed=len(record)))
        (tmp_path / "x.npy").rename(tmp_path / record)
    assert folder.read(tmp_path, rate=RATE, unit="mV", on_bad="skip").ids.tolist() == ["1.2.840.1", "1.2.840.2"]


def test_files_that_are_none_are_passed_over_and_that_is_said(tmp_path, capsys):
    write_csv(tmp_path, "a", signal())
    for name in ("README.md", "notes.pdf", "deep/photo.jpg", "settings.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\xff\xd8 nothing" if "jpg" in name else b"{} nothing")
    assert folder.read(tmp_path).ids.tolist() == ["a"]
    assert "passed over, as no recordings: 4 (README.md, deep/photo.jpg, notes.pdf, ...)" in capsys.readouterr().err


def test_a_link_out_of_the_folder_and_a_fifo_are_not_opened(tmp_path):
    (tmp_path / "in").mkdir()
    write_csv(tmp_path, "out", signal())
    write_csv(tmp_path / "in", "good", signal())
    (tmp_path / "in" / "link.csv").symlink_to(tmp_path / "out.csv")
    os.mkfifo(tmp_path / "in" / "fifo.edf")
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path / "in")
    one_line(error, tmp_path / "in" / "fifo.edf", "no file")
    assert folder.read(tmp_path / "in", on_bad="skip").skipped == {"no regular file": ["fifo", "link"]}


def test_a_folder_that_is_a_link_or_closed_is_not_passed_over_in_silence(tmp_path, monkeypatch):
    for name in ("in", "out", "in/ward"):
        (tmp_path / name).mkdir()
        write_csv(tmp_path / name, "good", signal())
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in" / "ward")
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path / "in")
    one_line(error, tmp_path / "in" / "link", "a link out of the folder")
    recordings = folder.read(tmp_path / "in", on_bad="skip")
    assert recordings.ids.tolist() == ["good", "ward/good"] and recordings.skipped == {"no regular file": ["link"]}

    def scandir(path, own=os.scandir):
        if os.path.basename(path) == "ward":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return own(path)

    monkeypatch.setattr(os, "scandir", scandir)  # root may read everything
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path / "in", on_bad="skip")
    one_line(error, tmp_path / "in" / "ward", "permissions")


@pytest.mark.parametrize("noise", [1, 0.01])  # microvolts called mV; between the beats of a clean one little is seen
def test_an_implausible_amplitude_is_said(tmp_path, noise):
    x = signal()
    np.savez(tmp_path / "a.npz", signal=np.where(abs(x) < 0.3, noise * x, x) * 1000, fs=RATE, unit="mV")
    recordings = folder.read(tmp_path)
    assert any("an amplitude that no ECG has" in line and "mV" in line for line in recordings.notes)


@pytest.mark.parametrize(("spoil", "reason"), [(lambda x: x * 0 + 1, "constant signal"),
                                               (lambda x: np.where(x > 1, np.nan, x), "missing samples (NaN)")])
def test_flat_and_incomplete_ones_meet_the_policy(tmp_path, spoil, reason):
    write_csv(tmp_path, "good", signal())
    write_csv(tmp_path, "bad", spoil(signal()))
    assert folder.read(tmp_path, on_bad="skip").skipped == {reason: ["bad"]}


def test_the_cache_knows_rate_and_unit(tmp_path):
    np.save(tmp_path / "a.npy", signal())
    for rate, unit in ((250, "mV"), (500, "mV"), (500, "V")):
        found = folder.read(tmp_path, rate=rate, unit=unit)
        assert found.sampling_rate[0] == rate
        np.testing.assert_allclose(found.signal(0).T, signal() * (1000 if unit == "V" else 1), rtol=1e-5)


def test_a_wfdb_header_takes_a_rate_that_it_leaves_out_and_no_other(tmp_path, capsys):
    write_wfdb(tmp_path, "a", signal())
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, rate=2 * RATE)
    one_line(error, f"a.hea says {RATE} Hz and 'mV'", "leave rate and unit away")
    text = (tmp_path / "a.hea").read_text().splitlines()
    (tmp_path / "a.hea").write_text("\n".join(["a 2", *text[1:]]))  # the standard says 250 Hz
    assert folder.read(tmp_path, rate=500).sampling_rate.tolist() == [500]
    assert "the WFDB standard" not in capsys.readouterr().err
    assert folder.read(tmp_path).sampling_rate.tolist() == [250]


def test_a_file_that_changes_is_read_again(tmp_path):
    np.save(tmp_path / "a.npy", signal())
    folder.read(tmp_path, rate=250, unit="mV")
    np.save(tmp_path / "a.npy", signal(seed=5))
    np.testing.assert_allclose(folder.read(tmp_path, rate=250, unit="mV").signal(0).T, signal(seed=5), atol=1e-6)


def test_records_are_read_stretch_by_stretch(tmp_path):
    for writer in (write_csv, write_npz, write_mat):
        writer(tmp_path, writer.__name__, signal())
    for one in folder.records(tmp_path, "II", Collector("folder", "own")):
        np.testing.assert_allclose(one.millivolts(100, 300), signal()[100:300, 1:], atol=1e-6)
        np.testing.assert_allclose(one[100:300, 0], signal()[100:300, 1], atol=1e-6)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Trained on WFDB recordings."""
    base = tmp_path_factory.mktemp("trained")
    root = recordings_of(base / "wfdb", write_wfdb)
    config = FinetuneConfig.of(dataset="folder", tier="reduced", root=str(root), lead="II", sampling_rate=125.0,
                               seconds=4.0, width=4, epochs=2, batch_size=8, on_bad="skip",
                               save_weights=str(base / "own.safetensors"))
    finetune.run(config)
    return base


@pytest.mark.parametrize("writers", [(write_edf,), WRITERS])
def test_probabilities_are_those_of_the_wfdb_records(checkpoint, tmp_path, writers, capsys):
    recordings_of(tmp_path / "own", *writers)
    tables = []
    for root in (checkpoint / "wfdb", tmp_path / "own"):
        assert main(["predict", str(root), "--checkpoint", str(checkpoint / "own.safetensors"), "--out",
                     str(tmp_path / "p.csv")]) == 0
        tables.append(pd.read_csv(tmp_path / "p.csv"))
    assert len(tables[0]) == N
    pd.testing.assert_frame_equal(*tables, atol=2e-5)


def test_the_jobs_take_rate_and_unit(checkpoint, tmp_path, capsys):
    root = tmp_path / "own"
    root.mkdir()
    for k in range(N):
        np.save(root / f"r{k:02}.npy", signal(seed=k, seconds=12)[:, 1])
    weights = str(checkpoint / "own.safetensors")
    words = ["predict", str(root), "--checkpoint", weights, "--lead", "0", "--out", str(tmp_path / "p.csv")]
    assert main(words) == 2
    assert "--rate" in capsys.readouterr().err
    assert main([*words, "--rate", "250", "--unit", "mV"]) == 0
    assert len(pd.read_csv(tmp_path / "p.csv")) == N
    (root / "labels.csv").write_text("\n".join(["record,label", *(f"r{k:02},{'ab'[k % 2]}" for k in range(N))]))
    assert main(["rank", "--target", str(root), weights, "--rate", "250", "--unit", "mV", "--resamples", "40"]) == 0
    found = features.load("cae", tier="demo").of_folder(root, rate=250, unit="mV")
    assert len(found) == N
    assert main(["rank", "--target", "cinc2017", weights, "--rate", "250"]) == 2
    assert "rate is 250" in capsys.readouterr().err
