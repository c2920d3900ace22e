"""The cache: an entry is whole or absent, whatever happens while it is built."""

import errno
import multiprocessing
import os
import stat
import threading

import numpy as np
import pytest
import wfdb
from messages import one_line

from ecgtl import paths
from ecgtl.datasets import cache, folder
from ecgtl.datasets.collector import Collector, Reading
from ecgtl.datasets.recordings import load_folder
from ecgtl.errors import EcgtlError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def records(tmp_path):
    """Two records of one lead."""
    root = tmp_path / "records"
    root.mkdir()
    for seed, record in enumerate(("a", "b")):
        stored = np.random.default_rng(seed).integers(-100, 100, (500, 1))
        wfdb.wrsamp(record, fs=250, units=["mV"], sig_name=["I"], d_signal=stored, fmt=["16"], adc_gain=[200.0],
                    baseline=[0], write_dir=str(root))
    return root


def entries(own_cache):
    """Everything in the cache but the index of checksums."""
    return sorted(p.name for p in own_cache.iterdir() if p.name != "checksums") if own_cache.exists() else []


def fill(part):
    (part / "value").write_text("whole")


# -- entries


def test_built_once(own_cache):
    built = []

    def build(part):
        built.append(part)
        fill(part)

    first = cache.entry("x", {"a": 1, "b": 2}, build)
    assert cache.entry("x", {"b": 2, "a": 1}, build) == first  # the order of the parts means nothing
    assert len(built) == 1
    assert (first / "value").read_text() == "whole"
    assert entries(own_cache) == [first.name]


@pytest.mark.parametrize("other", [{"a": 2}, {"a": "1"}, {"a": 1, "b": None}, {"a": None}, {"a": [1]}, {}])
def test_other_parts_have_other_entries(other):
    assert cache.entry("x", {"a": 1}, fill) != cache.entry("x", other, fill)


def test_a_new_format_leaves_old_entries_alone(monkeypatch):
    before = cache.entry("x", {}, fill)
    monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
    assert cache.entry("x", {}, fill) != before


@pytest.mark.parametrize("failure", [ValueError("broken"), KeyboardInterrupt(), EcgtlError("bad file"), MemoryError()])
def test_a_failed_build_leaves_nothing(own_cache, failure):
    def build(part):
        fill(part)
        raise failure

    with pytest.raises(type(failure)):
        cache.entry("x", {}, build)
    assert entries(own_cache) == []
    assert cache.entry("x", {}, fill).is_dir()


def killed_build():
    def build(part):
        (part / "value").write_text("half")
        os._exit(9)  # as kill -9: no cleaning up

    cache.entry("x", {}, build)


def test_a_killed_build_is_never_used(own_cache):
    child = multiprocessing.get_context("fork").Process(target=killed_build)
    child.start()
    child.join(120)
    assert child.exitcode == 9
    left = entries(own_cache)
    assert len(left) == 1
    assert left[0].startswith(".part-x-")
    found = cache.entry("x", {}, fill)
    assert (found / "value").read_text() == "whole"
    assert found.name not in left


def test_two_builders_at_once_end_with_one_entry(own_cache):
    both_build = threading.Barrier(2, timeout=120)
    found = []

    def build(part):
        fill(part)
        both_build.wait()  # neither has finished when the other starts

    threads = [threading.Thread(target=lambda: found.append(cache.entry("x", {}, build))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(found) == 2
    assert found[0] == found[1]
    assert entries(own_cache) == [found[0].name]
    assert (found[0] / "value").read_text() == "whole"


def test_others_may_read_an_entry():
    mode = stat.S_IMODE(cache.entry("x", {}, fill).stat().st_mode)
    assert mode == 0o755


# -- a disk that is full or closed


def raising(code):
    def fail(*args, **kwargs):
        raise OSError(code, os.strerror(code))
    return fail


FULL = [OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError("Not enough free space to write 80000000 bytes after offset 128"),  # numpy: no error number
        OSError("1000000 requested and 4096 written")]


@pytest.mark.parametrize("failure", FULL, ids=str)
@pytest.mark.parametrize("place", ["np.save", "np.savez", "os.rename", "os.fsync"])
def test_full_disk_leaves_nothing(own_cache, records, monkeypatch, failure, place):
    def fail(*args, **kwargs):
        raise failure

    folder.read(records, lead=0)  # the checksums are known; what fails is the entry itself
    before = entries(own_cache)
    with monkeypatch.context() as patch:
        patch.setattr({"np": np, "os": os}[place[:2]], place[3:], fail)
        with pytest.raises(EcgtlError) as error:
            folder.read(records)
    one_line(error, own_cache, "no space left", "ECGTL_CACHE")
    assert entries(own_cache) == before
    assert len(folder.read(records)) == 2


def test_the_real_words_of_numpy_for_a_full_disk(monkeypatch):
    """numpy meets /dev/full; whatever it raises is told as a full disk."""
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")

    def build(part):
        (part / "samples.npy").symlink_to("/dev/full")
        np.save(part / "samples.npy", np.zeros(1_000_000))

    with pytest.raises(EcgtlError, match="no space left"):
        cache.entry("x", {}, build)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_read_only_cache(own_cache, monkeypatch, code):
    monkeypatch.setattr(cache.tempfile, "mkdtemp", raising(code))
    with pytest.raises(EcgtlError) as error:
        cache.entry("x", {}, fill)
    one_line(error, own_cache, "cannot be written", "ECGTL_CACHE")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_cache_folder_without_permission(own_cache, records):
    own_cache.mkdir()
    own_cache.chmod(0o500)
    with pytest.raises(EcgtlError) as error:
        folder.read(records)
    own_cache.chmod(0o700)
    one_line(error, own_cache, "cannot be written")


def test_a_filled_read_only_cache_still_serves(own_cache, records, monkeypatch):
    digest = folder.read(records).digest
    for name in ("mkdtemp", "mkstemp"):
        monkeypatch.setattr(cache.tempfile, name, raising(errno.EROFS))
    assert folder.read(records).digest == digest


@pytest.mark.parametrize("below", ["", "deeper"])
def test_cache_that_is_a_file(tmp_path, monkeypatch, records, below):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path / "file" / below))
    with pytest.raises(EcgtlError) as error:
        folder.read(records)
    one_line(error, tmp_path / "file", "ECGTL_CACHE")
    assert (tmp_path / "file").read_text() == ""


# -- single files


def test_write_atomic_replaces_whole_files(tmp_path):
    target = tmp_path / "deep" / "file.json"
    cache.write_atomic(target, b"one")
    cache.write_atomic(target, b"two")
    assert target.read_bytes() == b"two"
    assert [p.name for p in target.parent.iterdir()] == ["file.json"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


@pytest.mark.parametrize("place", ["fsync", "replace", "chmod"])
def test_write_atomic_keeps_the_old_file_when_it_fails(tmp_path, monkeypatch, place):
    target = tmp_path / "file.json"
    cache.write_atomic(target, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, place, raising(errno.ENOSPC))
        with pytest.raises(EcgtlError) as error:
            cache.write_atomic(target, b"new")
    one_line(error, tmp_path, "no space left")
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.json"]


# -- checksums of sources


@pytest.fixture
def sources(tmp_path):
    files = [tmp_path / "src" / name for name in ("a", "b")]
    files[0].parent.mkdir()
    for file in files:
        file.write_text(f"content of {file.name}")
    return files


def checksum(files):
    return cache.source_checksum(files[0].parent, files)


def test_checksum_is_of_names_and_contents(sources):
    before = checksum(sources)
    assert checksum(sources[::-1]) == before
    sources[1].write_text("content of B")
    changed = checksum(sources)
    assert changed != before
    sources[1].write_text("content of b")
    assert checksum(sources) == before
    sources[1] = sources[1].rename(sources[1].with_name("c"))
    assert checksum(sources) not in (before, changed)


def test_checksum_does_not_hang_on_the_place(sources, tmp_path):
    before = checksum(sources)
    moved = sources[0].parent.rename(tmp_path / "moved")
    assert cache.source_checksum(moved, list(moved.iterdir())) == before


def test_contents_are_read_once(sources, monkeypatch):
    before = checksum(sources)
    monkeypatch.setattr(cache, "_sha256", raising(errno.EIO))
    assert checksum(sources) == before


def test_a_file_replaced_with_the_same_size_and_date_is_seen(sources):
    """Archives set every file's date to one value, so a newer release can look alike but for the time of change."""
    os.utime(sources[0], ns=(10**18, 10**18))
    before = checksum(sources)
    while True:  # until the clock of the file system has gone on
        last = sources[0].stat().st_ctime_ns
        sources[0].write_text("CONTENT of a")
        os.utime(sources[0], ns=(10**18, 10**18))
        if sources[0].stat().st_ctime_ns != last:
            break
    assert checksum(sources) != before


def test_a_spoilt_index_is_made_anew(sources, own_cache):
    before = checksum(sources)
    index = next((own_cache / "checksums").iterdir())
    for content in ("", "{", "{}"):
        index.write_text(content)
        assert checksum(sources) == before


def test_missing_or_unreadable_source(sources):
    sources[0].unlink()
    with pytest.raises(EcgtlError) as error:
        checksum(sources)
    one_line(error, sources[0], "missing")
    sources[0].mkdir()
    with pytest.raises(EcgtlError) as error:
        checksum(sources)
    one_line(error, sources[0], "cannot be read")


# -- recordings in the cache


def test_recordings_come_back_as_they_were_built(records, own_cache):
    built = folder.read(records)
    again = folder.read(records)
    assert isinstance(again.samples, np.memmap)
    assert not again.samples.flags.writeable
    assert again.digest == built.digest == load_folder(next(own_cache.glob("folder-*"))).digest
    assert len(entries(own_cache)) == 1


def test_a_changed_source_makes_another_entry(records, own_cache):
    before = folder.read(records)
    stored = np.random.default_rng(7).integers(-100, 100, (500, 1))
    wfdb.wrsamp("b", fs=250, units=["mV"], sig_name=["I"], d_signal=stored, fmt=["16"], adc_gain=[200.0],
                baseline=[0], write_dir=str(records))
    after = folder.read(records)
    np.testing.assert_allclose(after.signal(1)[0], stored[:, 0] / 200, atol=1e-6)
    assert after.digest != before.digest
    assert len(entries(own_cache)) == 2


def test_nothing_is_unpickled(records, own_cache):
    """An array of objects in a cache entry is not read, let alone executed: the entry is made again."""
    before = np.array(folder.read(records).samples)
    part = next(own_cache.glob("folder-*"))
    np.save(part / "samples.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.testing.assert_array_equal(folder.read(records).samples, before)


def test_cache_lies_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_CACHE", "~/somewhere")
    assert "~" not in str(paths.cache())
    monkeypatch.delenv("ECGTL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert paths.cache() == tmp_path / "ecgtl"


def test_notes_are_said_at_every_load_and_from_the_cache_too(tmp_path, capsys):
    def fill():
        collector.note("the gain was taken from the standard")
        collector.note("the gain was taken from the standard")
        collector.add(Reading("r", np.arange(8)[:, np.newaxis], 250.0, ["I"], [1.0], [0.0]), "r.hea")

    (tmp_path / "r.hea").write_text("r")
    for _ in range(2):
        collector = Collector("notes", "own", classes=())
        found = collector.cached(tmp_path, [tmp_path / "r.hea"], fill)
        assert capsys.readouterr().err == "ecgtl: note: the gain was taken from the standard\n"
        assert found.notes == ("the gain was taken from the standard",)
