"""CSV, TSV and other text: with a header and without, a column of time, commas as decimal signs, exports of watches."""

import json

import numpy as np
import pandas as pd
import pytest
from messages import one_line
from own_files import RATE, read_one, signal

from ecgtl.datasets import folder
from ecgtl.errors import EcgtlError

TOLD = {"rate": RATE, "unit": "mV"}
# An export of the Apple Watch, as Health writes it
WATCH = """Name,Anna Example
Date of Birth,"Jan 15, 1990"
Recorded Date,2026-08-26 18:15:35 +0100
Classification,Sinus Rhythm
Symptoms,
Software Version,1.90
Device,"Watch7,11"
Sample Rate,512.844 hertz


Lead,Lead I
Unit,\u00b5V

"""


def rows(x, separator=",", decimal=".", digits=3):
    return "".join(separator.join(f"{value:.{digits}f}".replace(".", decimal) for value in row) + "\n" for row in x)


def timed(x, rate=RATE, factor=1.0):
    return np.column_stack([np.arange(len(x)) / rate * factor, x])


def written(tmp_path, text, name="a.csv", **encoding):
    (tmp_path / name).write_bytes(text.encode(**encoding))
    return tmp_path / name


@pytest.mark.parametrize(("text", "leads"), [
    ("I,II\n" + rows(signal()), ["I", "II"]),
    (rows(signal()), ["signal 0", "signal 1"]),
    ("I;II\n" + rows(signal(), ";"), ["I", "II"]),
    ("I;II\n" + rows(signal(), ";", ","), ["I", "II"]),
    (rows(signal(), ";", ","), ["signal 0", "signal 1"]),
    ("I\tII\n" + rows(signal(), "\t", ","), ["I", "II"]),
    (rows(signal(), " "), ["signal 0", "signal 1"]),
    ('"Lead I","ECG V2"\n' + rows(signal()), ["I", "V2"]),
    (pd.DataFrame(signal()).to_csv(), ["0", "1"]),
    (pd.DataFrame(signal()).to_csv(index=False), ["0", "1"]),
    (pd.DataFrame(signal(), columns=["I", "II"]).to_csv(), ["I", "II"]),
    ("\n" + "I,II\n" + rows(signal()).replace("\n", "\r\n"), ["I", "II"])])
def test_columns_are_leads(tmp_path, text, leads):
    found, names, rate = read_one(written(tmp_path, text), **TOLD)
    assert (names, rate) == (leads, RATE)
    np.testing.assert_allclose(found, signal(), atol=1e-6)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings(tmp_path, encoding):
    text = f"# {'x' * 70_000}\ntime (s),I (\u00b5V)\n" + rows(timed(signal()[:, :1] * 1000))
    found, names, rate = read_one(written(tmp_path, text.removeprefix(f"# {'x' * 70_000}\n"), encoding=encoding))
    assert (names, rate) == (["I"], RATE)
    np.testing.assert_allclose(found, signal()[:, :1], atol=1e-6)


@pytest.mark.parametrize("head", [["I"], []])
def test_one_column(tmp_path, head):
    x = signal()[:, :1]
    found, _, _ = read_one(written(tmp_path, "".join(f"{name}\n" for name in head) + rows(x)), **TOLD)
    np.testing.assert_allclose(found, x, atol=1e-6)


def test_a_header_says_whether_a_comma_is_a_decimal_sign(tmp_path):
    x = np.abs(signal()[:, :1])
    found, names, _ = read_one(written(tmp_path, "ecg\n" + rows(x, decimal=",")), **TOLD)
    assert names == ["ecg"]
    np.testing.assert_allclose(found, x, atol=1e-6)
    written(tmp_path, rows(x, decimal=","))
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, **TOLD)
    one_line(error, tmp_path / "a.csv", "commas", "write a header")


@pytest.mark.parametrize(("head", "factor"), [("time,I,II", 1), (f"# fs: {RATE}\ntime,I,II", 1e3),
                                              ("Time (s),I,II", 1), ("time [ms],I,II", 1e3), ("t_ms,I,II", 1e3),
                                              ("Zeit,I,II", 1), ("time (us),I,II", 1e6), ("time/ms,I,II", 1e3),
                                              ("time \u03bcs,I,II", 1e6), ("", 1)])
def test_a_column_of_time_tells_the_rate(tmp_path, head, factor):
    found, names, rate = read_one(written(tmp_path, head + "\n" * bool(head) + rows(timed(signal(), factor=factor))),
                                  unit="mV")
    assert (names, rate) == (["I", "II"] if head else ["signal 0", "signal 1"], RATE)
    np.testing.assert_allclose(found, signal(), atol=1e-6)


def test_times_that_are_rounded_tell_a_whole_rate(tmp_path):
    found, _, rate = read_one(written(tmp_path, "time,I,II\n" + rows(timed(signal(), 360))), unit="mV")
    assert rate == 360 and len(found) == len(signal())
    _, _, rate = read_one(written(tmp_path, "time,I,II\n" + rows(timed(signal(), 128.5), digits=6)), unit="mV")
    assert rate == pytest.approx(128.5, rel=1e-4)


def test_physiobanks_table(tmp_path):
    clock = [f"'{s // 60:.0f}:{s % 60:06.3f}'," for s in np.arange(len(signal())) / RATE]
    text = "'Elapsed time','MLII','V5'\n'hh:mm:ss.mmm','mV','mV'\n" + "".join(
        time + row for time, row in zip(clock, rows(signal()).splitlines(keepends=True), strict=True))
    found, names, rate = read_one(written(tmp_path, text))
    assert (names, rate) == (["MLII", "V5"], RATE)
    np.testing.assert_allclose(found, signal(), atol=1e-6)


@pytest.mark.parametrize("packet", [10**6, 256])  # OpenBCI's number begins anew; it was the first lead
def test_a_running_number_is_no_lead_and_tells_no_rate(tmp_path, packet):
    number = np.arange(len(signal())) % packet + 1
    text = "point,value\n" + rows(np.column_stack([number, signal()[:, 0] * 1000]), digits=0)
    found, names, _ = read_one(written(tmp_path, text), rate=512, unit="uV")
    assert names == ["value"]
    np.testing.assert_allclose(found[:, 0], signal()[:, 0], atol=6e-4)
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, unit="uV")
    one_line(error, "--rate")


@pytest.mark.parametrize("head", [",time,I,II", "sample,time (s),I,II"])
def test_a_time_behind_a_running_number_is_no_lead_either(tmp_path, head):
    numbered = np.column_stack([np.arange(len(signal())), timed(signal())])
    found, names, rate = read_one(written(tmp_path, head + "\n" + rows(numbered)), unit="mV")
    assert (names, rate) == (["I", "II"], RATE)
    np.testing.assert_allclose(found, signal(), atol=1e-6)


@pytest.mark.parametrize("units", ["s,mV,mV", "(s),(mV),(mV)", "[s],[mV],[mV]"])
def test_units_in_a_line_of_their_own(tmp_path, units):
    _, names, rate = read_one(written(tmp_path, f"Time,MLII,V5\n{units}\n" + rows(timed(signal()))))
    assert (names, rate) == (["MLII", "V5"], RATE)


@pytest.mark.parametrize("line", [
    "Number of samples: 5000", "Sample count,2500", "Sampling interval (us): 4000", "Sampling period (ms): 10",
    "Sample bits: 16", "Sampling rate (kHz): 25", "Sampling rate,500,500", "Sampling rate: 1,000",
    "Sampling rate: 500\nOriginal sampling rate: 1000"])
def test_what_is_no_rate_in_hz_is_not_read_as_one(tmp_path, line):
    path = written(tmp_path, line + "\nI,II\n" + rows(signal()))
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, unit="mV")
    one_line(error, path, "--rate")
    written(tmp_path, f"{line}\ntime,I,II\n" + rows(timed(signal())))
    assert read_one(path, unit="mV")[2] == RATE


@pytest.mark.parametrize("line", ["Sampling Frequency (Hz): 500", "fs [Hz],500", "Samplerate=500",
                                  "Abtastfrequenz;500,0 Hz", "Fr\u00e9quence d'\u00e9chantillonnage : 500 Hz",
                                  "Frecuencia de muestreo,500", "Frequenza di campionamento,500",
                                  "Taxa de amostragem,500"])
def test_a_rate_is_read_in_several_languages(tmp_path, line):
    path = written(tmp_path, f"{line}\nNumber of samples,2000\nI,II\n" + rows(signal()))
    assert read_one(path, unit="mV")[2] == 500


@pytest.mark.parametrize("head", [WATCH, WATCH.replace("Sample Rate,512.844 hertz", 'Abtastrate,"512,844 Hertz"')
                                  .replace("Lead,Lead", "Ableitung,Ableitung").replace("Unit", "Einheit")])
@pytest.mark.parametrize(("decimal", "quote"), [(".", ""), (",", ""), (",", '"')])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_the_apple_watch_in_several_languages(tmp_path, head, decimal, quote, encoding):
    x = signal()[:, :1]
    text = head + "".join(f"{quote}{value}{quote}\n" for value in rows(x * 1000, decimal=decimal).splitlines())
    found, names, rate = read_one(written(tmp_path, text, encoding=encoding))
    assert (names, rate) == (["I"], 512.844)
    np.testing.assert_allclose(found, x, atol=1e-6)


def kardia(path, leads=("leadI", "leadII", "leadIII"), **other):
    """A recording as Kardia's interface gives it: a stored unit is 500 nV."""
    stored = np.rint(signal(n_leads=3).T * 2000).astype(int).tolist()
    samples = dict(zip(leads, stored, strict=True))
    raw = {"frequency": 300, "mainsFrequency": 50, "amplitudeResolution": 500, "samples": samples} | other
    path.write_text(json.dumps({"id": "x", "recordedAt": "2026-01-02T03:04:05Z", "data": {"raw": raw}}))


def test_kardia(tmp_path):
    kardia(tmp_path / "a.json")
    found, names, rate = read_one(tmp_path / "a.json")
    assert (names, rate) == (["I", "II", "III"], 300)
    np.testing.assert_allclose(found, signal(n_leads=3), atol=3e-4)


@pytest.mark.parametrize("other", [{"amplitudeResolution": None}, {"amplitudeResolution": 0}, {"frequency": 0},
                                   {"samples": {"leadI": [1, 2, 3], "leadII": [1]}}, {"samples": {}},
                                   {"samples": {"leadI": ["x"] * 900}}])
def test_a_damaged_kardia_is_refused(tmp_path, other):
    kardia(tmp_path / "a.json", **other)
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path)
    one_line(error, tmp_path / "a.json")
    kardia(tmp_path / "b.json")
    (tmp_path / "a.json").write_text((tmp_path / "b.json").read_text()[:-100])
    assert folder.read(tmp_path, on_bad="skip").skipped == {"damaged Kardia JSON": ["a"]}


LINES = "I,II\n" + rows(signal())


@pytest.mark.parametrize(("text", "told", "words"), [
    (LINES, {"rate": RATE}, ["--unit"]), (LINES, {"unit": "mV"}, ["--rate"]),
    (LINES.rstrip("\n").rpartition(",")[0], TOLD, ["is cut off"]),
    (LINES.replace("\n0.", "\nO.", 1), TOLD, ["numbers and words"]),
    (LINES.replace("\n0.", "\nO.", 20), TOLD, ["numbers and words"]),
    (LINES[:3000] + "x" + LINES[3000:], TOLD, ["as CSV"]),
    (LINES + "1,2,3\n", TOLD, ["cannot be read as CSV"]),
    ("time,I\n" + rows(np.delete(timed(signal()[:, :1]), 300, axis=0)), {"unit": "mV"}, ["gaps"]),
    ("time,I\n" + rows(timed(signal()[:, :1])[::-1]), {"unit": "mV"}, ["gaps"]),
    ("time,I\n" + rows(timed(signal()[:, :1])), {"unit": "mV", "rate": 500}, ["250 Hz"]),
    ("time,I\n" + rows(timed(signal()[:, :1], factor=RATE)), TOLD, ["says 1 Hz"]),
    (rows(np.delete(timed(signal()), 300, axis=0)), TOLD, ["gaps"]),
    ("I,time\n" + rows(timed(signal()[:, :1])[:, ::-1]), TOLD, ["among its leads"]),
    ("Sample Rate: 500 Hz\ntime,I\n" + rows(timed(signal()[:, :1])), {"unit": "mV"}, ["says 500 Hz", "times 250 Hz"]),
    (WATCH + rows(signal()[:, :1]), {"unit": "mV"}, ["'\u00b5V'"]),
    (WATCH.replace("512.844 hertz", "") + rows(signal()[:, :1]), {}, ["--rate"]),
    (LINES.replace("\n0.", "\n,0.", 1).replace(",0.", ",", 1), TOLD, ["numbers and words"])])
def test_what_cannot_be_known_or_is_damaged_gets_one_line_and_is_counted(tmp_path, text, told, words):
    path = written(tmp_path, text, "bad.csv")
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, **told)
    one_line(error, path, *words)
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, on_bad="skip", **told)
    one_line(error, "no usable recording", "bad")


@pytest.mark.parametrize("text", ["", "no numbers here\nat all\n", "record,label\n100,1\n101,2\n",
                                  "Name,Age\nAnna,37\nBen,41\n"])
def test_tables_without_signals_are_passed_over_and_that_is_said(tmp_path, text, capsys):
    written(tmp_path, LINES)
    written(tmp_path, text, "other.csv")
    assert folder.read(tmp_path, **TOLD).ids.tolist() == ["a"]
    assert "passed over, as no recordings: 1 (other.csv)" in capsys.readouterr().err
    (tmp_path / "a.csv").unlink()
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, **TOLD)
    one_line(error, tmp_path, "nor a file of another format")
