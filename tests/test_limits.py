"""What announces more than it holds, or sends more than it announced, is refused before it costs memory, disk or
time."""

import contextlib
import gzip
import io
import pickle
import socket
import struct
import threading
import time
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
import wfdb
from messages import one_line
from scipy.io import savemat

from ecgtl import results
from ecgtl.datasets import archives, cinc2017, cpsc2018, fetch, formats, icu_monitor, shaoxing, synthetic
from ecgtl.datasets.checksums import REGISTRY
from ecgtl.datasets.fetch import Transfer
from ecgtl.datasets.formats.signals import Given
from ecgtl.errors import EcgtlError, RecordError
from tests.datasets import test_fetch
from tests.datasets.test_fetch import ENTRY, FILES, bring, data_files, held, sums
from tests.datasets.test_fetch import _Handler as Handler

release = test_fetch.release  # its fixture serves here too

IMPATIENT = Transfer(connections=2, attempts=2, connect_timeout=1, read_timeout=5, backoff=0.01, slowest=1000,
                     grace=0.5)


# -- downloads


def chunked(handler, content, n):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for _ in range(n):
        handler.wfile.write(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
    handler.wfile.write(b"0\r\n\r\n")


WAYS = {
    "endless": lambda self, content: chunked(self, content, 3000),
    "huge": lambda self, content: self._send(content, length=1 << 50),
    "packed": lambda self, content: self._send(gzip.compress(bytes(1 << 20)), Content_Encoding="gzip"),
}


@pytest.fixture
def hostile(release, monkeypatch):
    for name, way in WAYS.items():
        monkeypatch.setattr(Handler, name, way, raising=False)
    return release


@pytest.mark.parametrize(("way", "said"), [("endless", "more for this than the 0.118 GB that the release may take"),
                                           ("huge", "more for this than the 0.118 GB"),
                                           ("packed", "comes in the encoding 'gzip'")])
@pytest.mark.parametrize("file", ["101.dat", REGISTRY])
def test_more_than_the_release_or_packed_is_refused_at_once(hostile, tmp_path, way, said, file):
    hostile.misbehave[file] = [way] * 5
    with pytest.raises(EcgtlError) as error:
        bring(hostile, tmp_path)
    one_line(error, f"{hostile.address}/mitdb/1.0.0/{file}", said)
    assert hostile.requests[file] == 1
    assert all(FILES[path] == content for path, content in data_files(tmp_path).items())


def test_what_follows_the_announced_length_is_not_taken(hostile, tmp_path, monkeypatch):
    monkeypatch.setattr(Handler, "longer", lambda self, content: self._send(content + bytes(10_000),
                                                                            length=len(content)), raising=False)
    hostile.misbehave["101.dat"] = ["longer"]
    bring(hostile, tmp_path)
    assert data_files(tmp_path) == FILES


def test_a_release_of_many_files_is_limited_as_a_whole(hostile, tmp_path):
    files = {f"{record}.dat": bytes(20_000_000) for record in range(100, 108)}
    hostile.files |= files
    hostile.files[REGISTRY] = sums(FILES | files)
    with pytest.raises(EcgtlError, match="more for this than the 0.118 GB"):
        fetch.fetch(ENTRY, tmp_path, mirror=hostile.address, transfer=Transfer(connections=1), only=None)
    assert sum(map(len, held(tmp_path).values())) < 118_600_000


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_server_that_drips_is_left(tmp_path, part, monkeypatch):
    """A byte now and then keeps every timeout of a read from coming."""
    monkeypatch.delenv("ECGTL_MIRROR", raising=False)
    listening = socket.create_server(("127.0.0.1", 0))

    def drip(client):
        client.recv(10_000)
        content = b"x: y\r\n" * 100_000 if part == "head" else b"y" * 600_000
        with client, contextlib.suppress(OSError):
            client.sendall(b"HTTP/1.1 200 OK\r\n" + (b"" if part == "head" else b"Content-Length: 600000\r\n\r\n"))
            for k in range(len(content)):
                client.sendall(content[k:k + 1])
                time.sleep(0.05)

    def serve():
        while True:
            threading.Thread(target=drip, args=listening.accept()[:1], daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    began = time.monotonic()
    with pytest.raises(EcgtlError) as error:
        fetch.fetch(ENTRY, tmp_path, mirror=f"http://127.0.0.1:{listening.getsockname()[1]}", transfer=IMPATIENT)
    one_line(error, "SHA256SUMS.txt: the server has sent 0 bytes in", "which is too slow")
    assert time.monotonic() - began < 20 and held(tmp_path) == {}


def test_a_slow_server_has_the_time_that_its_size_takes(release, tmp_path):
    release.files["100.dat"] = bytes(3_000_000)
    release.files[REGISTRY] = sums(FILES | {"100.dat": release.files["100.dat"]})
    release.misbehave["100.dat"] = ["drip"]  # 1.5 s, three times the grace
    bring(release, tmp_path, transfer=IMPATIENT)
    assert data_files(tmp_path)["100.dat"] == release.files["100.dat"]


def test_what_a_killed_fetch_left_goes_with_the_next(release, tmp_path):
    folder = tmp_path / ENTRY.folder
    (folder / "mitdbdir").mkdir(parents=True)
    (folder / "mitdbdir" / "an intro.htm.part").write_bytes(b"half")
    (folder / "mine.part").write_bytes(b"a file of somebody else")
    bring(release, tmp_path, only="100.hea")
    assert set(data_files(tmp_path)) == {"100.hea", "mine.part"}


# -- archives


def bomb(path, name="training2017/A00001.mat", size=1 << 30):
    """A small zip file of which one member unpacks to ``size`` zeros."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as file:
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))


def announcing(size: int, announced: int) -> bytes:
    """A zip file of one member of ``size`` bytes whose directory says ``announced``."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(size))
    content = bytearray(out.getvalue())
    for at in (content.index(b"PK\x03\x04") + 22, content.index(b"PK\x01\x02") + 24):
        content[at:at + 4] = announced.to_bytes(4, "little")
    return bytes(content)


@pytest.fixture
def memory():
    """Asserts that little is allocated."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 << 20


def test_a_zip_bomb_of_recordings(tmp_path):
    base = tmp_path / cinc2017.FOLDER
    base.mkdir(parents=True)
    bomb(base / "training2017.zip", size=80 << 20)
    tracemalloc.start()
    with pytest.raises(EcgtlError) as error:
        cinc2017.read(tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 30 << 20
    tracemalloc.stop()
    one_line(error, base / "training2017.zip", "announces 83,886,080 unpacked", "fetch it again")


@pytest.mark.parametrize("content", [announcing(1000, 60 << 20), announcing(100, (1 << 32) - 2)])
def test_more_than_deflate_can_pack(content, memory):
    with pytest.raises(EcgtlError, match="cannot rightly hold; run again"):
        archives.opened(io.BytesIO(content), "x.npz", "run again")


def npz(shape, content=b"", dtype="<f8") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open("a.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
        file.write(content)
    return out.getvalue()


@pytest.mark.parametrize("content", [npz((10**12,)), npz((10**6, 10**6), b"1234"), npz((2**31, 2**31, 4))])
def test_an_array_larger_than_its_file(content, memory):
    with pytest.raises(EcgtlError, match="announces an array of shape"):
        archives.arrays(io.BytesIO(content), "x.npz", "run again")


@pytest.mark.parametrize("content", [b"", b"PK", npz((2,), b"1234567890123456")[:60], npz((4,), b"short", "S1")[:-30]])
def test_a_damaged_file_of_arrays_is_one_line(content):
    with pytest.raises(EcgtlError, match="x.npz .*; run again"):
        archives.arrays(io.BytesIO(content), "x.npz", "run again")


def test_arrays_come_back(tmp_path):
    out, given = io.BytesIO(), {"a": np.arange(5), "b": np.zeros((1000, 1000), np.uint8), "none": np.zeros(0),
                                "t": np.array("x")}
    np.savez_compressed(out, **given)  # a million zeros: as dense as can be
    found = archives.arrays(out, "x", "")
    assert found.keys() == given.keys() and all(np.array_equal(found[k], given[k]) for k in given)
    assert results.archives is archives


@pytest.mark.parametrize(("cell", "said"), [('r="XFD1"', "beyond row"), ('r="A1048576"', "beyond row"),
                                            ("r='B999999'", "beyond row")])
def test_a_table_with_a_cell_at_the_end_of_the_world(tmp_path, cell, said):
    pytest.importorskip("openpyxl")
    source = synthetic.twin_root("shaoxing") / shaoxing.FIGSHARE / shaoxing.TABLE
    path = tmp_path / shaoxing.FIGSHARE / shaoxing.TABLE
    path.parent.mkdir()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name.startswith("xl/worksheets/"):
                content = content.replace(b"</sheetData>", f'<row><c {cell}><v>1</v></c></row></sheetData>'.encode())
            new.writestr(name, content)
    with pytest.raises(EcgtlError) as error:
        shaoxing.diagnostics(tmp_path)
    one_line(error, path, said)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_matlab_file_that_unpacks_to_more_than_a_signal(tmp_path, order, memory):
    """160 MB of zeros in less than one."""
    packer, size = zlib.compressobj(), 160 << 20
    head = struct.pack(f"{order}14I4s2I", 14, size, 6, 8, 6, 0, 5, 8, size // 8, 1, 1, 3, 0, 0, b"val", 9, size)
    packed = packer.compress(head) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(160)) + packer.flush()
    start = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(f"{order}HH", 0x0100, 0x4D49)
    path = tmp_path / "a.mat"
    path.write_bytes(start + struct.pack(f"{order}II", 15, len(packed)) + packed)
    with pytest.raises(RecordError) as error:
        formats.header(path, tmp_path, Given(rate=250.0, unit="mV")).signals(slice(None))
    one_line(error, path, "would unpack to", "save it uncompressed")
    base = tmp_path / cpsc2018.ORIGINAL
    base.mkdir()
    (base / cpsc2018.TABLE).write_text("Recording,First_label,Second_label,Third_label\nA0001,1,,\n")
    path.rename(base / "A0001.mat")
    with pytest.raises(EcgtlError, match="A0001.mat would unpack to"):
        cpsc2018.read(tmp_path, form="icbeb")


def test_a_packed_matlab_file_of_a_flat_lead_is_read(tmp_path):
    savemat(tmp_path / "a.mat", {"val": np.ones((1, 1 << 20))}, do_compression=True)
    signals = formats.header(tmp_path / "a.mat", tmp_path, Given(rate=250.0, unit="mV"))
    assert signals.n_samples == 1 << 20


# -- headers


@pytest.mark.parametrize("form", ["16", "212", "516"])
def test_a_header_of_a_monitor_that_announces_years(tmp_path, form, monkeypatch):
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path / "cache"))
    for patient in ("a", "b"):
        folder = tmp_path / icu_monitor.FOLDER / patient
        folder.mkdir(parents=True)
        stored = np.random.default_rng(1).integers(-100, 100, (1000, 1))
        wfdb.wrsamp("r", fs=250, units=["mV"], sig_name=["II"], d_signal=stored, fmt=["16"], adc_gain=[200.0],
                    baseline=[0], write_dir=str(folder))
    header = tmp_path / icu_monitor.FOLDER / "b" / "r.hea"
    header.write_text(header.read_text().replace("1000", str(10**12), 1).replace(" 16 ", f" {form} ", 1))
    with pytest.raises(EcgtlError) as error:
        icu_monitor.read(tmp_path)
    assert "b/r" in str(error.value) and "\n" not in str(error.value)
    found = icu_monitor.read(tmp_path, on_bad="skip")
    assert found.ids.tolist() == ["a/r"] and found.skipped == {"damaged record": ["b/r"]}
    [samples] = (tmp_path / "cache").rglob("samples.npy")
    assert samples.stat().st_size < 10_000


def test_a_message_is_as_long_as_somebody_reads():
    line = str(EcgtlError(f"labels.csv, line 4: {'a' * 100_000!r} is no record; correct it"))
    assert len(line) < 3000
    assert line.startswith("labels.csv, line 4: 'aaa")
    assert line.endswith("aaa' is no record; correct it")
    assert str(EcgtlError("one of " + "x, " * 500)) == "one of " + "x, " * 500


def test_an_error_of_a_worker_arrives_as_it_was():
    for error in (EcgtlError("a line"), RecordError("damaged", "a line")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), "a line", vars(error))
