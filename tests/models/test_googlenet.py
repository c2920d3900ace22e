"""GoogLeNet against a plain NumPy forward pass and the real weights; the converter on hand-encoded files."""

import hashlib
import http.server
import struct
import threading

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ecgtl.errors import EcgtlError
from ecgtl.models import convert, count_parameters
from ecgtl.models.convert import convert_googlenet, read_blobs
from ecgtl.models.googlenet import INCEPTIONS, GoogLeNet, find_weights, load_imagenet

COMMAND = "'python -m ecgtl weights googlenet'"
SHA1 = "405fc5acd08a3bb12de8ee5e23a96bec22f08204"
SOURCE = f"http://dl.caffe.berkeleyvision.org/bvlc_googlenet.caffemodel .SHA-1 {SHA1}"


@pytest.fixture(scope="module")
def state():
    """Random weights of the right shapes."""
    torch.manual_seed(0)
    return GoogLeNet().state_dict()


def fixed_images(n=2):
    """Colourful pictures by formula: smooth gradients and a fine texture."""
    row, column = np.mgrid[:224, :224]
    pictures = [[(row * (c + 1) + column * (3 - c) + 7 * k * row * column // 64) % 256 for c in range(3)]
                for k in range(n)]
    return np.array(pictures, np.float32)


# --- the network in NumPy ---------------------------------------------------------------------------------


def conv_relu(x, weights, name, stride=1):
    kernel, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    k = kernel.shape[-1]
    padded = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(1, 2))[:, ::stride, ::stride]
    out = np.tensordot(kernel, patches, ((1, 2, 3), (0, 3, 4)))
    return np.maximum(out + bias[:, None, None], 0)


def max_pool(x, stride, padding):
    """3x3 with a last window that may reach over the edge; what lies outside is never the largest."""
    n = x.shape[1]
    starts = range(-padding, n - 3 + padding + stride, stride)
    out = [[x[:, max(i, 0):i + 3, max(j, 0):j + 3].max(axis=(1, 2)) for j in starts] for i in starts]
    return np.array(out).transpose(2, 0, 1)


def local_response(x):
    out = np.empty_like(x)
    for c in range(len(x)):
        near = x[max(c - 2, 0):c + 3]
        out[c] = x[c] / (1 + 1e-4 / 5 * (near**2).sum(axis=0)) ** 0.75
    return out


def plain_forward(image, weights):
    """Features (1024,) and class scores of one BGR picture (3, 224, 224), as the paper's table has it."""
    x = image - np.array([104, 117, 123], image.dtype)[:, None, None]
    x = max_pool(conv_relu(x, weights, "conv1/7x7_s2", 2), 2, 0)
    assert x.shape == (64, 56, 56)
    x = conv_relu(local_response(x), weights, "conv2/3x3_reduce")
    x = max_pool(local_response(conv_relu(x, weights, "conv2/3x3")), 2, 0)
    assert x.shape == (192, 28, 28)
    for name in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
        at = f"inception_{name}/"
        x = np.concatenate([
            conv_relu(x, weights, at + "1x1"),
            conv_relu(conv_relu(x, weights, at + "3x3_reduce"), weights, at + "3x3"),
            conv_relu(conv_relu(x, weights, at + "5x5_reduce"), weights, at + "5x5"),
            conv_relu(max_pool(x, 1, 1), weights, at + "pool_proj")])
        if name in ("3b", "4e"):
            x = max_pool(x, 2, 0)
    assert x.shape == (1024, 7, 7)
    features = x.mean(axis=(1, 2))
    return features, weights["loss3/classifier.weight"] @ features + weights["loss3/classifier.bias"]


def test_the_network_equals_its_plain_form(state):
    network = GoogLeNet().double().eval()
    network.load_state_dict(state)
    weights = {name: tensor.double().numpy() for name, tensor in state.items()}
    image = fixed_images(2)[1:].astype(np.float64)
    features, scores = plain_forward(image[0], weights)
    image = torch.from_numpy(image)
    with torch.no_grad():
        np.testing.assert_allclose(network.features(image)[0], features, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(network(image)[0], scores, rtol=1e-9, atol=1e-12)


def test_tensors_are_those_of_the_published_file(state):
    assert len(state) == 116 and sum(t.numel() for t in state.values()) == 6_998_552
    assert count_parameters(GoogLeNet()) == 6_998_552
    assert state["conv1/7x7_s2.weight"].shape == (64, 3, 7, 7)
    assert state["inception_3a/3x3_reduce.weight"].shape == (96, 192, 1, 1)
    assert state["loss3/classifier.weight"].shape == (1000, 1024)


def test_module_widths_add_up():
    outputs = {name: row[1] + row[3] + row[5] + row[6] for name, row in INCEPTIONS.items()}
    inputs = {name: row[0] for name, row in INCEPTIONS.items()}
    names = list(INCEPTIONS)
    assert [inputs[after] for after in names[1:]] == [outputs[before] for before in names[:-1]]
    assert outputs["5b"] == 1024


def test_other_numbers_of_channels_and_classes():
    network = GoogLeNet(in_channels=1, n_outputs=4).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 1, 224, 224)).shape == (1, 4)
    assert network.n_features == 1024


@pytest.mark.parametrize("shape", [(1, 3, 225, 224), (1, 1, 224, 224), (3, 224, 224)])
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(EcgtlError, match=r"\(batch, 3, 224, 224\), not \(\d"):
        GoogLeNet()(torch.zeros(shape))


# --- weights on disk --------------------------------------------------------------------------------------


def test_float16_weights_come_back_as_float32(state, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({name: tensor.half() for name, tensor in state.items()}, path)
    network = load_imagenet(path)
    assert not network.training
    for name, tensor in network.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, state[name].half().float())


def test_weights_are_looked_for_below_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path))
    place = tmp_path / "weights" / "bvlc_googlenet.safetensors"
    for call in (find_weights, load_imagenet):
        with pytest.raises(EcgtlError, match=f"not at {place}; run {COMMAND}.*{SOURCE}"):
            call()
    with pytest.raises(EcgtlError, match="not at /nowhere/w.safetensors; run"):
        find_weights("/nowhere/w.safetensors")
    place.parent.mkdir()
    place.touch()
    assert find_weights() == place
    other = tmp_path / "other.safetensors"
    other.touch()
    assert find_weights(str(other)) == other


@pytest.mark.parametrize("change, said", [
    ("absent", "inception_4c/5x5.bias is absent, wanted 64"),
    ("extra", "loss1/fc.bias is 8, wanted absent"),
    ("shape", "inception_4c/5x5.weight is 64x24x3x3, wanted 64x24x5x5"),
    ("nan", "values that are not finite in inception_4c/5x5.bias")])
def test_weights_of_another_network_are_refused(state, tmp_path, change, said):
    weights = dict(state)
    if change == "absent":
        del weights["inception_4c/5x5.bias"]
    elif change == "extra":
        weights["loss1/fc.bias"] = torch.zeros(8)
    elif change == "shape":
        weights["inception_4c/5x5.weight"] = torch.zeros(64, 24, 3, 3)
    else:
        weights["inception_4c/5x5.bias"] = torch.full((64,), torch.nan)
    path = tmp_path / "odd.safetensors"
    save_file(weights, path)
    with pytest.raises(EcgtlError, match=f"odd.safetensors .*{said}; run {COMMAND}"):
        load_imagenet(path)


@pytest.mark.parametrize("content", [b"", b"\x0a\x09GoogleNet" * 20])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "bvlc_googlenet.caffemodel"
    path.write_bytes(content)
    with pytest.raises(EcgtlError, match=f"is no safetensors file or damaged.*run {COMMAND}"):
        load_imagenet(path)


# --- the real weights -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def imagenet():
    path = find_weights_or_skip()
    return load_imagenet(path), {name: tensor.float().numpy() for name, tensor in load_file(path).items()}


def find_weights_or_skip():
    try:
        return find_weights()
    except EcgtlError:
        pytest.skip("no ImageNet weights available here")


def test_grace_hopper_wears_a_military_uniform(real_data, imagenet):
    from matplotlib import cbook
    from PIL import Image

    with cbook.get_sample_data("grace_hopper.jpg") as file:
        picture = np.asarray(Image.open(file).convert("RGB").resize((224, 224)), np.float32)
    with torch.no_grad():
        bgr = torch.from_numpy(picture[None, :, :, ::-1].transpose(0, 3, 1, 2).copy())
        p = imagenet[0](bgr).softmax(dim=1)[0]
    assert p.argmax() == 652
    assert p[652].item() == pytest.approx(0.88, abs=0.01)


def test_features_of_fixed_images_are_those_of_the_plain_network(real_data, imagenet):
    network, weights = imagenet
    image = fixed_images(2)
    with torch.no_grad():
        features = network.features(torch.from_numpy(image)).numpy()
    expected, _ = plain_forward(image[1], weights)
    np.testing.assert_allclose(features[1], expected, rtol=1e-3, atol=1e-4)
    # the norms that the NumPy network gives in float64
    assert np.linalg.norm(features, axis=1) == pytest.approx([53.2146, 39.4515], rel=1e-4)


# --- the converter ----------------------------------------------------------------------------------------


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes([*out, n])


def number(field, n):
    return varint(field << 3) + varint(n)


def text(field, content):
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def new_layer(name, *arrays):
    """LayerParameter: name 1, type 2, loss_weight 5 (a float), blobs 7 with data 5 and packed shape 7."""
    blobs = b""
    for a in arrays:
        shape = text(1, b"".join(varint(n) for n in a.shape))
        blobs += text(7, text(7, shape) + text(5, a.astype("<f4").tobytes()))
    loss_weight = varint(5 << 3 | 5) + struct.pack("<f", 1)
    return text(100, text(1, name) + text(2, "Convolution") + loss_weight + blobs)


def old_layer(name, *arrays):
    """V1LayerParameter: name 4, type 5 (a number), blobs 6 with num, channels, height, width and data 5."""
    blobs = b""
    for a in arrays:
        shape = (1,) * (4 - a.ndim) + a.shape
        sizes = b"".join(number(k + 1, n) for k, n in enumerate(shape))
        blobs += text(6, sizes + text(5, a.astype("<f4").tobytes()))
    return text(2, text(4, name) + number(5, 4) + blobs)


A = np.arange(12, dtype=np.float32).reshape(2, 3, 1, 2) / 7
B = np.array([-1.5, 2e-8], np.float32)
TINY = text(1, "GoogleNet") + text(3, "data") + number(5, 0)


@pytest.mark.parametrize("layer", [new_layer, old_layer])
def test_blobs_are_read_from_both_forms_of_layers(layer):
    content = TINY + layer("data") + layer("conv/1", A, B) + layer("fc", B)
    blobs = read_blobs(content)
    assert list(blobs) == ["conv/1", "fc"]
    np.testing.assert_array_equal(blobs["conv/1"][0], A.ravel())
    np.testing.assert_array_equal(blobs["conv/1"][1], B)
    assert [len(arrays) for arrays in blobs.values()] == [2, 1]


def caffemodel(state, layer):
    """The whole network as Caffe writes it, with an auxiliary classifier that only training uses."""
    names = sorted({name.rsplit(".", 1)[0] for name in state})
    layers = [layer(name, state[f"{name}.weight"].numpy(), state[f"{name}.bias"].numpy()) for name in names]
    return TINY + layer("data") + b"".join(layers) + layer("loss1/fc", A, B)


def accept(monkeypatch, content):
    monkeypatch.setattr(convert, "SHA1", hashlib.sha1(content).hexdigest())


@pytest.mark.parametrize("layer", [new_layer, old_layer])
def test_a_caffemodel_becomes_weights_that_load(state, tmp_path, monkeypatch, layer):
    content = caffemodel(state, layer)
    accept(monkeypatch, content)
    source, target = tmp_path / "bvlc_googlenet.caffemodel", tmp_path / "data" / "w.safetensors"
    source.write_bytes(content)
    assert convert_googlenet(source, target) == target
    loaded = load_imagenet(target).state_dict()
    assert loaded.keys() == state.keys() and all(torch.equal(loaded[name], state[name]) for name in state)
    assert [file.name for file in target.parent.iterdir()] == ["w.safetensors"]


def test_a_file_with_another_checksum_is_refused(tmp_path):
    source, target = tmp_path / "other.caffemodel", tmp_path / "w.safetensors"
    source.write_bytes(TINY)
    found = hashlib.sha1(TINY).hexdigest()
    said = f"its SHA-1 is {found}, wanted {SHA1}; get the file from http"
    with pytest.raises(EcgtlError, match=f"other.caffemodel is not BVLC's GoogLeNet: {said}"):
        convert_googlenet(source, target)
    assert not target.exists()


@pytest.mark.parametrize("name", ["absent.caffemodel", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    with pytest.raises(EcgtlError, match="is no file; give the path of bvlc_googlenet.caffemodel"):
        convert_googlenet(tmp_path / name, tmp_path / "w.safetensors")


class _Server(http.server.BaseHTTPRequestHandler):
    content, status, announced = b"", 200, None

    def do_GET(self):
        self.send_response(self.status)
        self.send_header("Content-Length", str(self.announced or len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_):
        """Keep silent."""


@pytest.fixture
def serve(monkeypatch):
    """``serve(content, ...)`` sets what the published address, now one of this machine, answers."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Server,), {}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(convert, "URL", f"http://127.0.0.1:{server.server_address[1]}/x.caffemodel")

    def set_up(content, status=200, announced=None):
        handler = server.RequestHandlerClass
        handler.content, handler.status, handler.announced = content, status, announced

    yield set_up
    server.shutdown()
    server.server_close()


def test_without_a_file_the_published_one_is_downloaded(state, tmp_path, monkeypatch, serve):
    content = caffemodel(state, old_layer)
    accept(monkeypatch, content)
    serve(content)
    convert_googlenet(None, tmp_path / "w.safetensors")
    assert torch.equal(load_file(tmp_path / "w.safetensors")["conv2/3x3.weight"], state["conv2/3x3.weight"])


@pytest.mark.parametrize("answer, said", [
    ({"content": TINY}, "is not BVLC's GoogLeNet: its SHA-1 is .*download it again"),
    ({"content": TINY, "status": 404}, "cannot be downloaded .HTTPError.*get the file elsewhere and give"),
    ({"content": TINY, "announced": 1000}, "cannot be downloaded|is not BVLC's GoogLeNet"),
    ({"content": bytes(3 << 20)}, "serves more than 2 MB")])
def test_a_download_that_fails_leaves_nothing(tmp_path, monkeypatch, serve, answer, said):
    monkeypatch.setattr(convert, "MAX_BYTES", 2 << 20)
    serve(**answer)
    with pytest.raises(EcgtlError, match=f"{convert.URL} .*({said})"):
        convert_googlenet(None, tmp_path / "w.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_does_not_answer_is_named(tmp_path, monkeypatch, serve):
    monkeypatch.setattr(convert, "URL", "http://127.0.0.1:9/x.caffemodel")
    with pytest.raises(EcgtlError, match="cannot be downloaded .ConnectionError"):
        convert_googlenet(None, tmp_path / "w.safetensors")
