"""Licences of weights: one truth in README, citation, model cards and metadata, inherited by what starts from them."""

import re

import pytest

from ecgtl import models, paths
from ecgtl.config import FinetuneConfig, PretrainConfig, starts
from ecgtl.datasets import catalogue
from ecgtl.jobs import finetune, pretrain
from ecgtl.models import checkpoint

ROOT = paths.repository()
SHIPPED = sorted(starts.SHIPPED.glob("*.safetensors"))
OPEN, SHARED, RESTRICTED = "CC BY 4.0", "ODC-BY 1.0", "CC BY-NC-SA 4.0"
DOCUMENTS = ("README.md", "CITATION.cff", "ecgtl/weights/README.md")


def stated(document):
    """File -> licence, as a document lists them: a licence, then its files, in rows of a table or in sentences."""
    text = " ".join((ROOT / document).read_text(encoding="utf-8").split())
    block = text[re.search(r"\| licence|Weights under", text).start():]
    found, licence = {}, None
    for word in re.findall(rf"{OPEN}|{SHARED}|{RESTRICTED}|[a-z_0-9]+-[a-z0-9]+-(?:demo|reduced)(?:-seed\d)?\b", block):
        if word in (OPEN, SHARED, RESTRICTED):
            licence = word
        else:
            found.setdefault(word, licence)
    return found


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_and_metadata_give_every_shipped_file_one_licence(document):
    metadata = {path.stem: checkpoint.load(path)[1].licence.partition(" (")[0] for path in SHIPPED}
    known = stated(document)
    assert len(metadata) >= 5 and {name: known.get(name) for name in metadata} == metadata
    assert set(metadata.values()) == {OPEN, SHARED}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_nothing_that_forbids_commercial_use_is_shipped(path):
    facts = checkpoint.load(path)[1]
    assert facts.licence.startswith((OPEN, SHARED)) and (facts.synthetic or "icentia11k" not in facts.sources)


def test_the_strictest_of_several_licences_holds_and_unlike_ones_both():
    own = "same licence as the recordings"
    assert checkpoint.strictest(OPEN, RESTRICTED) == checkpoint.strictest(RESTRICTED, "ODC-BY 1.0", OPEN) == RESTRICTED
    assert checkpoint.strictest(OPEN, "ODC-BY 1.0", OPEN) == f"{OPEN} and ODC-BY 1.0"
    assert checkpoint.strictest(own, RESTRICTED) == f"{own} and {RESTRICTED}" and checkpoint.strictest(own, OPEN) == own
    assert {entry.licence for entry in catalogue.entries().values()} == {RESTRICTED, "private", *checkpoint.ATTRIBUTION}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """Licence of the starting weights -> the licence that a checkpoint fine-tuned from them says."""
    folder = tmp_path_factory.mktemp("licences")

    def licence(of_start):
        start, saved = folder / "start.safetensors", folder / "saved.safetensors"
        plan = FinetuneConfig.of(dataset="cinc2017", tier="demo", epochs=1, save_weights=str(saved)).resolved()
        model = models.build(plan.arch, 1, 4, width=plan.width)
        facts = {"arch": plan.arch, "width": plan.width, "in_channels": 1, "sampling_rate": plan.sampling_rate,
                 "seconds": plan.seconds}
        checkpoint.save(start, model.state_dict(), facts | ({"licence": of_start} if of_start else {}))
        finetune.run(FinetuneConfig.of(dataset="cinc2017", tier="demo", epochs=1, init=str(start),
                                       save_weights=str(saved)))
        return checkpoint.load(saved)[1].licence
    return licence


@pytest.mark.parametrize(("of_start", "expected"), [
    (RESTRICTED, RESTRICTED), ("CC BY-NC-SA 4.0 (Icentia11k is among the sources)",) * 2, (OPEN, OPEN),
    ("ODC-BY 1.0", f"{OPEN} and ODC-BY 1.0"), (None, "same licence as the starting weights")])
def test_fine_tuned_weights_inherit_the_licence_of_their_start(tuned, of_start, expected):
    assert tuned(of_start) == expected


def test_pretraining_on_other_sources_takes_their_licences():
    def licence(**parameters):
        return pretrain._licence(PretrainConfig.of(objective="beat", tier="reduced", **parameters).resolved())

    assert licence().startswith(RESTRICTED)
    assert licence(sources="mitdb") == "ODC-BY 1.0"
    assert licence(sources="icentia11k") == RESTRICTED
    assert pretrain._licence(PretrainConfig.of(objective="beat").resolved()) == OPEN
