"""``ecgtl data fetch`` and ``check`` against a server on this machine that misbehaves in many ways."""

import contextlib
import errno
import hashlib
import io
import re
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ecgtl.commands import data as data_commands
from ecgtl.datasets import catalogue, checksums, fetch, synthetic
from ecgtl.datasets.checksums import REGISTRY, Progress
from ecgtl.datasets.fetch import Transfer
from ecgtl.errors import EcgtlError

FAST = Transfer(connections=2, attempts=3, connect_timeout=10, read_timeout=1.0, backoff=0.01,
                longest_pause=0.05)
ENTRY = catalogue.entry("mitdb")
FILES = {f"{record}.{suffix}": f"{record}{suffix}".encode() * 5000
         for record in (100, 101, 234) for suffix in ("dat", "hea", "atr")}
OTHERS = {"RECORDS": b"100\n101\n234\n", "mitdbdir/an intro.htm": b"not needed for reading"}


def sums(files: dict[str, bytes]) -> bytes:
    """A SHA256SUMS.txt as PhysioNet writes it."""
    lines = (f"{hashlib.sha256(content).hexdigest()} {path}\n" for path, content in files.items())
    return "".join(lines).encode()


class Release(ThreadingHTTPServer):
    """Serves a release at /mitdb/1.0.0/; ``misbehave[path]`` lists the ways of the requests to come."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = FILES | OTHERS
        self.files[REGISTRY] = sums(self.files)
        self.misbehave = defaultdict(list)
        self.requests, self.encodings = Counter(), set()
        self.released = threading.Event()  # lets stalled answers go at the end
        self.address = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """Clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Keep quiet."""

    def do_GET(self):
        path = self.path.removeprefix("/mitdb/1.0.0/").replace("%20", " ")
        self.server.requests[path] += 1
        self.server.encodings.add(self.headers["Accept-Encoding"])
        ways = self.server.misbehave[path]
        getattr(self, ways.pop(0) if ways else "_right")(self.server.files.get(path))

    def _send(self, content, status=200, length=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def _right(self, content):
        self._send(b"no such file", 404) if content is None else self._send(content)

    def truncate(self, content):
        self._send(content[: len(content) // 2], length=len(content))
        self.close_connection = True

    def stall(self, content):
        self._send(content[: len(content) // 2], length=len(content))
        self.server.released.wait(5)

    def drip(self, content):
        self._send(b"", length=len(content))
        for start in range(0, len(content), 100_000):
            self.wfile.write(content[start:start + 100_000])
            self.server.released.wait(0.05)

    def drop(self, content):
        self.connection.close()
        self.close_connection = True

    def wrong(self, content):
        self._send(bytes(len(content)))

    def busy(self, content):
        self._send(b"try later", 503, Retry_After="1")

    def forbid(self, content):
        self._send(b"no", 403)

    def redirect(self, content):
        self._send(b"", 302, Location="http://example.org/elsewhere")


@pytest.fixture
def release(monkeypatch):
    monkeypatch.delenv("ECGTL_MIRROR", raising=False)
    server = Release()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


def bring(release, root, **options):
    return fetch.fetch(ENTRY, root, mirror=release.address, **{"transfer": FAST} | options)


def held(root) -> dict[str, bytes]:
    """Every file below the release's folder, hidden and half-written ones too."""
    folder = root / ENTRY.folder
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def data_files(root) -> dict[str, bytes]:
    return {path: content for path, content in held(root).items() if path != REGISTRY}


def test_brings_the_selection_and_nothing_else(release, tmp_path):
    done = bring(release, tmp_path)
    assert data_files(tmp_path) == FILES
    assert (done.fetched, done.present, done.n_bytes) == (9, 0, sum(map(len, FILES.values())))
    assert not set(OTHERS) & set(release.requests)
    assert release.encodings == {"identity"}  # so that lengths and checksums are those of the file


@pytest.mark.parametrize(("only", "expected"), [
    ("101.*", {"101.dat", "101.hea", "101.atr"}),
    (["100.hea", "mitdbdir/*"], {"100.hea", "mitdbdir/an intro.htm"}),
    ("*.htm", {"mitdbdir/an intro.htm"}),
])
def test_only_replaces_the_selection(release, tmp_path, only, expected):
    bring(release, tmp_path, only=only)
    assert set(data_files(tmp_path)) == expected


def test_only_that_matches_nothing_names_the_pattern(release, tmp_path):
    with pytest.raises(EcgtlError, match=r"matches '\*\.edf'"):
        bring(release, tmp_path, only="*.edf")


@pytest.mark.parametrize("ways", [["truncate"], ["stall"], ["drop"], ["wrong"], ["busy", "busy"],
                                  ["truncate", "wrong"]])
def test_a_passing_fault_is_tried_again(release, tmp_path, ways):
    release.misbehave["101.dat"] = list(ways)
    bring(release, tmp_path)
    assert data_files(tmp_path) == FILES
    assert release.requests["101.dat"] == len(ways) + 1


@pytest.mark.parametrize("way", ["truncate", "drop", "busy"])
def test_the_list_itself_is_tried_again(release, tmp_path, way):
    release.misbehave[REGISTRY] = [way]
    bring(release, tmp_path)
    assert data_files(tmp_path) == FILES


@pytest.mark.parametrize(("way", "said"), [
    ("truncate", "broke off before the end"), ("stall", "stopped sending"), ("drop", "dropped the conn"),
    ("wrong", "the checksum of what is served is not the one"), ("busy", "answers 503"),
])
def test_a_lasting_fault_ends_in_one_line_and_leaves_whole_files_only(release, tmp_path, way, said):
    release.misbehave["101.dat"] = [way] * 10
    with pytest.raises(EcgtlError, match=said) as caught:
        bring(release, tmp_path)
    assert "\n" not in str(caught.value)
    assert "/mitdb/1.0.0/101.dat" in str(caught.value) and "same command again" in str(caught.value)
    assert release.requests["101.dat"] == FAST.attempts
    left = data_files(tmp_path)
    assert "101.dat" not in left
    assert all(FILES[path] == content for path, content in left.items())  # so no .part either


@pytest.mark.parametrize(("way", "said"), [("forbid", "answers 403"), ("redirect", "without https")])
def test_a_refusal_is_final(release, tmp_path, way, said):
    release.misbehave["101.dat"] = [way] * 10
    with pytest.raises(EcgtlError, match=said):
        bring(release, tmp_path)
    assert release.requests["101.dat"] == 1


def test_a_file_that_is_not_there_is_final(release, tmp_path):
    del release.files["101.dat"]
    with pytest.raises(EcgtlError, match="101.dat: the server answers 404"):
        bring(release, tmp_path)
    assert release.requests["101.dat"] == 1


def test_no_release_at_the_address(release, tmp_path):
    del release.files[REGISTRY]
    with pytest.raises(EcgtlError, match="SHA256SUMS.txt: the server answers 404"):
        bring(release, tmp_path)
    assert held(tmp_path) == {}


def test_no_server_at_the_address(release, tmp_path):
    release.shutdown()
    release.server_close()
    with pytest.raises(EcgtlError, match="cannot be reached"):
        bring(release, tmp_path)
    assert held(tmp_path) == {}


def test_a_second_call_asks_for_missing_and_altered_files_only(release, tmp_path):
    bring(release, tmp_path)
    folder = tmp_path / ENTRY.folder
    (folder / "100.dat").unlink()
    (folder / "234.hea").write_bytes(b"altered")
    release.requests.clear()
    done = bring(release, tmp_path)
    assert release.requests == {"100.dat": 1, "234.hea": 1}
    assert (done.fetched, done.present) == (2, 7)
    assert data_files(tmp_path) == FILES


def test_goes_on_after_a_failure(release, tmp_path):
    release.misbehave["234.atr"] = ["forbid"]
    with pytest.raises(EcgtlError, match="403"):
        bring(release, tmp_path)
    arrived = data_files(tmp_path)
    assert arrived
    release.requests.clear()
    bring(release, tmp_path)
    assert set(release.requests) == set(FILES) - set(arrived)


def test_a_failure_stops_the_files_that_are_still_on_their_way(release, tmp_path):
    release.files["100.dat"] = bytes(4_000_000)
    release.files[REGISTRY] = sums(FILES | {"100.dat": release.files["100.dat"]})
    release.misbehave["100.dat"], release.misbehave["100.hea"] = ["drip"], ["forbid"]  # 2 s against none
    with pytest.raises(EcgtlError, match="403"):
        bring(release, tmp_path)
    assert data_files(tmp_path).keys() <= FILES.keys() - {"100.dat", "100.hea"}


def test_a_proxy_does_not_stand_between_this_machine_and_itself(release, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    bring(release, tmp_path)
    assert data_files(tmp_path) == FILES


def test_leftovers_of_a_killed_fetch_are_overwritten(release, tmp_path):
    folder = tmp_path / ENTRY.folder
    folder.mkdir(parents=True)
    (folder / "100.dat.part").write_bytes(b"half" * 100_000)
    bring(release, tmp_path)
    assert data_files(tmp_path) == FILES


class _Interrupt(Progress):
    """Ctrl-C in the middle of the second file that is brought."""

    def __init__(self, act):
        self.act, self.chunks = act, 0

    def advance(self, share, n_bytes):
        self.chunks += n_bytes > 0
        if n_bytes and self.chunks == 2:
            self.act()


def _raise():
    raise KeyboardInterrupt


def _signal():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    time.sleep(0.1)  # the main thread hears it while this file is still on its way


@pytest.mark.parametrize("act", [_raise, _signal], ids=["in a worker", "in the main thread"])
def test_ctrl_c_leaves_whole_files_and_the_next_call_goes_on(release, tmp_path, act):
    with pytest.raises(KeyboardInterrupt):
        bring(release, tmp_path, progress=_Interrupt(act), transfer=replace(FAST, connections=1))
    left = data_files(tmp_path)
    assert 0 < len(left) < len(FILES)
    assert all(FILES[path] == content for path, content in left.items())
    release.requests.clear()
    bring(release, tmp_path)
    assert data_files(tmp_path) == FILES
    assert set(release.requests) == set(FILES) - set(left)


def test_the_command_says_how_to_go_on_after_ctrl_c(release, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(data_commands, "_progress", lambda verb: _Interrupt(_raise))
    code = data_commands.fetch("mitdb", root=tmp_path, mirror=release.address, transfer=FAST)
    assert code == 130
    assert "run the same command again" in capsys.readouterr().err


def test_a_full_disk_is_one_line(release, tmp_path, monkeypatch):
    whole_open = Path.open

    def full(self, mode="r", **options):
        handle = whole_open(self, mode, **options)
        if self.name == "101.dat.part":
            handle.close()
            raise OSError(errno.ENOSPC, "No space left on device", str(self))
        return handle

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(EcgtlError, match="no space left on the disk of .*--root") as caught:
        bring(release, tmp_path)
    assert "\n" not in str(caught.value)
    assert all(FILES[path] == content for path, content in data_files(tmp_path).items())


def test_a_file_where_the_folder_should_be_is_one_line(release, tmp_path):
    (tmp_path / "mitdb").write_text("in the way")
    with pytest.raises(EcgtlError, match="cannot be written.*--root"):
        bring(release, tmp_path)


def test_two_fetches_into_one_folder(release, tmp_path):
    class Second(Progress):
        def begin(self, n_files):
            with pytest.raises(EcgtlError, match="another fetch"):
                bring(release, tmp_path)

    bring(release, tmp_path, progress=Second())
    assert data_files(tmp_path) == FILES


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "..\\evil", ".", "a\x00b"])
def test_paths_out_of_the_folder_are_refused(release, tmp_path, path):
    release.files[REGISTRY] = sums(FILES) + f"{'0' * 64}  {path}\n".encode()
    with pytest.raises(EcgtlError, match="line 10.*leads out of"):
        bring(release, tmp_path)
    assert held(tmp_path) == {}
    assert set(release.requests) == {REGISTRY}


@pytest.mark.parametrize("content", [b"<html>sign in</html>", b"", b"\n\n", b"\xff\xfe", b"12ab 100.dat\n"])
def test_what_is_not_a_list_of_checksums_is_refused_and_not_kept(release, tmp_path, content):
    release.files[REGISTRY] = content
    with pytest.raises(EcgtlError, match="SHA256SUMS.txt"):
        bring(release, tmp_path)
    assert held(tmp_path) == {}


@pytest.mark.parametrize("form", ["{} {}", "{}  {}", "{} *{}", "{}  ./{}"])
def test_every_form_of_the_list_is_read(tmp_path, form):
    (tmp_path / REGISTRY).write_text(form.format("AB" * 32, "a/b c.dat") + "\n")
    assert checksums.read_registry(tmp_path / REGISTRY) == {"a/b c.dat": "ab" * 32}


@pytest.mark.parametrize("address", [
    "http://physionet.org/files", "ftp://127.0.0.1/x", "file:///tmp", "physionet.org", "https://",
    "http://127.0.0.1.example.org", "http://localhost.example.org"])
def test_other_hosts_must_be_https(tmp_path, address):
    with pytest.raises(EcgtlError, match="is not an https address"):
        fetch.fetch(ENTRY, tmp_path, mirror=address)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:80",
                                     "https://mirror.example.org/files"])
def test_accepted_addresses(address):
    assert fetch.base_address(address + "/") == address


def test_the_address_is_physionet_unless_said_otherwise(monkeypatch):
    monkeypatch.delenv("ECGTL_MIRROR", raising=False)
    assert fetch.base_address() == "https://physionet.org/files"
    monkeypatch.setenv("ECGTL_MIRROR", "https://a.example.org")
    assert fetch.base_address() == "https://a.example.org"
    assert fetch.base_address("https://b.example.org") == "https://b.example.org"


class _Recorder(Progress):
    def __init__(self):
        self.total, self.shares, self.n_bytes, self.retries, self.ended = 0, 0.0, 0, [], False
        self.lock = threading.Lock()

    def begin(self, n_files):
        self.total = n_files

    def advance(self, share, n_bytes):
        with self.lock:
            self.shares += share
            self.n_bytes += n_bytes

    def retry(self, reason, pause):
        self.retries.append((reason, pause))

    def end(self):
        self.ended = True


def test_progress_adds_up_to_the_files_whatever_fails_on_the_way(release, tmp_path):
    release.misbehave["101.dat"] = ["truncate", "wrong"]
    recorder = _Recorder()
    bring(release, tmp_path, progress=recorder)
    assert recorder.total == 9 and recorder.ended
    assert recorder.shares == pytest.approx(9)
    assert recorder.n_bytes >= sum(map(len, FILES.values()))


def test_pauses_double_up_to_the_longest_and_heed_retry_after(release, tmp_path):
    release.misbehave["101.dat"] = ["drop", "drop", "drop", "busy"]
    recorder = _Recorder()
    slow = Transfer(connections=1, attempts=5, read_timeout=5.0, backoff=0.01, longest_pause=0.03)
    bring(release, tmp_path, transfer=slow, progress=recorder)
    assert [pause for _, pause in recorder.retries] == pytest.approx([0.01, 0.02, 0.03, 0.03])
    patient = fetch.RetryableError("busy", pause=0.02)
    asked = Transfer(backoff=0.001, longest_pause=0.5)
    fetch.Downloader(None, "", tmp_path, asked, recorder)._pause("url", patient, attempt=1)
    assert recorder.retries[-1][1] == 0.02


def test_what_is_not_published_with_checksums_says_how_to_get_it(tmp_path):
    for name in ("shaoxing", "bvlc_googlenet"):
        with pytest.raises(EcgtlError, match="not fetched by this command: .* belongs into"):
            data_commands.fetch(name, root=tmp_path)


def test_a_disk_that_is_too_small_is_refused_before_the_start(tmp_path, monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")(2e9, 1e9, 1e9)
    monkeypatch.setattr(data_commands.shutil, "disk_usage", lambda place: usage)
    with pytest.raises(EcgtlError, match=r"takes ~1.1 TB .* 1.0 GB free"):
        data_commands.fetch("icentia11k", root=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_command_reports_what_it_did(release, tmp_path, capsys):
    assert data_commands.fetch("mitdb", root=tmp_path, mirror=release.address, transfer=FAST) == 0
    out, err = capsys.readouterr()
    for said in ("9 files fetched", "ODC-BY 1.0", "10.1109/51.932724", str(tmp_path / ENTRY.folder)):
        assert said in out
    lines = err.splitlines()
    assert lines[-1].startswith("fetched 100 %  9 of 9 files")
    assert 1 < len(lines) <= 20


@pytest.fixture
def whole(release, tmp_path, monkeypatch):
    """The folder of a fetched release; its loader is left out, because these files are not recordings."""
    bring(release, tmp_path)
    monkeypatch.setattr(data_commands, "_reading", lambda entry, root: "read: by a stand-in")
    return tmp_path / ENTRY.folder


def check(root, name="mitdb", **options) -> tuple[int, str]:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        return data_commands.check(name, root=root, **options), out.getvalue()


def test_check_of_right_files(whole, tmp_path):
    code, said = check(tmp_path)
    assert code == 0
    assert "checksums: 9 right\nmissing: 0\naltered: 0\nextra: 0\nread: by a stand-in" in said


def test_check_names_what_is_wrong(whole, tmp_path):
    (whole / "100.dat").unlink()
    (whole / "101.hea").write_bytes(b"altered")
    (whole / "notes").mkdir()
    for k in range(4):
        (whole / "notes" / f"{k}.txt").write_text("mine")
    code, said = check(tmp_path)
    assert code == 1
    assert "checksums: 7 right" in said
    assert "missing: 1 (100.dat)" in said and "altered: 1 (101.hea)" in said
    assert "extra: 4 (notes/0.txt, notes/1.txt, notes/2.txt, …)" in said
    assert "data fetch mitdb" in said and "read:" not in said


def test_check_of_a_part(whole, tmp_path):
    for file in whole.glob("234.*"):
        file.unlink()
    assert check(tmp_path)[0] == 1
    assert check(tmp_path, only="10*")[0] == 0


def test_check_without_a_list_says_so_and_counts(whole, tmp_path):
    (whole / REGISTRY).unlink()
    code, said = check(tmp_path)
    assert code == 1  # three of the 48 records
    assert "SHA256SUMS.txt is not available here" in said and "data fetch mitdb" in said
    assert "read: by a stand-in" in said


def test_check_of_a_damaged_list(whole, tmp_path):
    (whole / REGISTRY).write_text("no list")
    with pytest.raises(EcgtlError, match="SHA256SUMS.txt, line 1"):
        check(tmp_path)


def test_check_of_nothing(tmp_path):
    with pytest.raises(EcgtlError, match="mitdb is not available under .*data fetch mitdb"):
        check(tmp_path)


def test_an_unpacked_folder_stands_for_its_archive(tmp_path):
    entry = catalogue.entry("cinc2017")
    folder = tmp_path / entry.folder
    (folder / "training2017").mkdir(parents=True)
    (folder / "training2017" / "A00001.mat").write_bytes(b"signal")
    (folder / "REFERENCE-v3.csv").write_bytes(b"A00001,N\n")
    published = {"training2017.zip": b"zip", "REFERENCE-v3.csv": b"A00001,N\n", "RECORDS": b"A00001\n"}
    (folder / REGISTRY).write_bytes(sums(published))
    result = checksums.verify(entry, tmp_path)
    assert result.verified == ["REFERENCE-v3.csv"]
    assert result.missing == result.altered == result.extra == []
    assert result.unpacked == ["training2017"]
    (folder / "training2017.zip").write_bytes(b"truncated")
    assert checksums.verify(entry, tmp_path).altered == ["training2017.zip"]


def test_check_reads_what_is_at_hand():
    code, said = check(synthetic.twin_root("cinc2017"), "cinc2017")
    assert code == 1  # a twin holds fewer recordings than the release
    assert re.search(r"read: 400 recordings, \d\.\d h\nclasses: normal 220, af 44, other 108, noise 28\n"
                     r"skipped: none\nexact duplicates: A\d+=A00400", said)


@pytest.mark.needs("mitdb")
def test_check_of_the_real_mitdb(real_data):
    """PhysioNet's own list against PhysioNet's own files."""
    code, said = check(real_data)
    assert code == 0
    assert "checksums: 144 right\nmissing: 0\naltered: 0\nextra: 0\nread: 48 recordings" in said


@pytest.mark.needs("challenge-2017")
def test_check_of_the_real_cinc2017(real_data):
    code, said = check(real_data, "cinc2017")
    assert code == 0 and "classes: normal 5,076, af 758, other 2,415, noise 279\n" in said
    assert "exact duplicates: A00227=A01176, A02656=A03123" in said


def test_a_bar_on_a_terminal(release, tmp_path, monkeypatch, capsys):
    pytest.importorskip("tqdm")
    release.misbehave["101.dat"] = ["drop"]
    monkeypatch.setattr(data_commands.sys.stderr, "isatty", lambda: True)
    data_commands.fetch("mitdb", root=tmp_path, mirror=release.address, transfer=FAST)
    said = capsys.readouterr().err
    assert "fetched 100 %|" in said and "of 9 files" in said
    assert "101.dat: the server cannot be reached or dropped the connection; next attempt in" in said


def test_without_requests_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(EcgtlError, match="needs the package 'requests'"):
        fetch.fetch(ENTRY, tmp_path)
