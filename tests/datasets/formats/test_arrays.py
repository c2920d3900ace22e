"""Arrays on the disk: .npy, .npz and .mat, of numbers alone."""

import tracemalloc

import numpy as np
import pytest
import scipy.io
from messages import one_line
from own_files import RATE, read_one, signal

from ecgtl.datasets import folder
from ecgtl.errors import EcgtlError

TOLD = {"rate": RATE, "unit": "mV"}


def save(path, x, **beside):
    if path.suffix == ".npy":
        np.save(path, x)
    elif path.suffix == ".npz":
        np.savez(path, signal=x, **beside)
    else:
        scipy.io.savemat(path, {"val": x} | beside, format="4" if "4" in path.name else "5",
                         do_compression="c" in path.name)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a5.mat", "a5c.mat", "a4.mat"])
@pytest.mark.parametrize("layout", [lambda x: x, lambda x: x.T, lambda x: x.T.astype(np.float32), lambda x: x[:, 0]])
def test_an_array_is_read_back_whichever_axis_is_that_of_leads(tmp_path, name, layout):
    x = layout(signal())
    save(tmp_path / name, x)
    found, leads, rate = read_one(tmp_path / name, **TOLD)
    expected = x[:, np.newaxis] if x.ndim == 1 else x if len(x) > x.shape[1] else x.T
    assert (leads, rate) == ([f"signal {k}" for k in range(expected.shape[1])], RATE)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("unit", ["uV", "\u00b5V", "nV", "V", "mV"])
def test_integers_are_in_the_unit_that_is_given(tmp_path, unit):
    x = np.rint(signal() * 1000).astype(np.int16)
    np.save(tmp_path / "a.npy", x)
    found, _, _ = read_one(tmp_path / "a.npy", rate=RATE, unit=unit)
    np.testing.assert_allclose(found, x * {"u": 1e-3, "\u00b5": 1e-3, "n": 1e-6, "V": 1e3, "m": 1}[unit[0]], rtol=1e-6)


@pytest.mark.parametrize("name", ["a.npz", "a5.mat"])
def test_what_stands_beside_the_array_is_read(tmp_path, name):
    x = signal()
    save(tmp_path / name, x.T * 1000, fs=500, unit="uV", leads=np.array(["Lead II", "V5"]))
    found, leads, rate = read_one(tmp_path / name)
    assert (leads, rate) == (["II", "V5"], 500)
    np.testing.assert_allclose(found, x, atol=1e-6)


def test_the_array_of_an_archive_may_have_no_name(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", signal())
    np.testing.assert_allclose(read_one(tmp_path / "a.npz", **TOLD)[0], signal(), atol=1e-6)


@pytest.mark.parametrize(("told", "word"), [({"rate": RATE}, "--unit"), ({"unit": "mV"}, "--rate"), ({}, "--rate")])
@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a5.mat"])
def test_rate_and_unit_are_told_or_the_file_is_refused(tmp_path, name, told, word):
    save(tmp_path / name, signal())
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, **told)
    one_line(error, tmp_path / name, word)


@pytest.mark.parametrize("told", [{"rate": 250}, {"rate": 499}, {"unit": "mV"}])
def test_what_is_told_otherwise_than_in_the_file_is_refused(tmp_path, told):
    save(tmp_path / "a.npz", signal(), fs=500, unit="uV")
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, **told)
    one_line(error, tmp_path / "a.npz", "500 Hz", "'uV'", "leave rate and unit away")
    assert len(folder.read(tmp_path, rate=500, unit="uV")) == 1


@pytest.mark.parametrize("told", [{"rate": -1}, {"rate": np.nan}, {"rate": np.inf}, {"unit": "mmHg"}])
def test_nonsense_is_refused_before_any_file(tmp_path, told):
    save(tmp_path / "a.npy", signal())
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, on_bad="skip", **TOLD | told)
    one_line(error, *map(str, told.values()))


class Trap:
    """Unpickled, it would say so."""

    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


def cut(path):
    path.write_bytes(path.read_bytes()[:-700])


def objects(path):
    if path.suffix == ".mat":
        save(path, np.array([Trap, "x"], object)[1:])
    else:
        save(path, np.array([Trap()], object))


def three_axes(path):
    save(path, signal().reshape(2, 10, -1))


def square(path):
    save(path, np.eye(40))


def truth(path):
    save(path, signal() > 0)


def words(path):
    save(path, np.array(["a", "b"]))


def nothing(path):
    save(path, np.zeros((0, 2)))


@pytest.mark.parametrize("spoil", [cut, objects, three_axes, square, truth, words, nothing])
@pytest.mark.parametrize("name", ["bad.npy", "bad.npz", "bad5.mat"])
def test_anything_else_gets_one_line_and_is_counted(tmp_path, name, spoil):
    if (name, spoil) == ("bad5.mat", truth):
        pytest.skip("MATLAB's logical values are stored as numbers")
    save(tmp_path / "good.npy", signal(seed=1))
    save(tmp_path / name, signal())
    spoil(tmp_path / name)
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, **TOLD)
    one_line(error, tmp_path / name)
    recordings = folder.read(tmp_path, on_bad="skip", **TOLD)
    assert recordings.ids.tolist() == ["good"]
    assert [name.partition(".")[0]] in recordings.skipped.values()


def test_matlab_7_3_is_named(tmp_path):
    begins = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM"
    (tmp_path / "a.mat").write_bytes(begins.ljust(512) + b"\x89HDF\r\n\x1a\n" + bytes(600))
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, **TOLD)
    one_line(error, tmp_path / "a.mat", "cannot be read as .mat", "v7.3")


def test_what_would_unpack_to_much_more_is_refused_before(tmp_path):
    name = "a.npz"
    np.savez_compressed(tmp_path / name, signal=np.zeros((1 << 24, 2)))  # 256 MiB, which pack to a thousandth
    assert (tmp_path / name).stat().st_size < 1 << 20
    tracemalloc.start()
    with pytest.raises(EcgtlError) as error:
        folder.read(tmp_path, **TOLD)
    one_line(error, tmp_path / name, "unpack")
    assert tracemalloc.get_traced_memory()[1] < 1 << 25
    tracemalloc.stop()


def test_a_long_array_stays_on_the_disk(tmp_path):
    """What of it is read is a map, which NumPy opens without reading it."""
    from ecgtl.datasets.formats import Given, arrays

    np.save(tmp_path / "a.npy", signal())
    stored = arrays.read_npy(tmp_path / "a.npy", Given(250, "mV")).stored
    while isinstance(stored, np.ndarray) and not isinstance(stored, np.memmap):
        stored = stored.base
    assert isinstance(stored, np.memmap)
