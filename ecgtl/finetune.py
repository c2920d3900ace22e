"""The job: ``run(config) -> Result``. The notebook, the command line, a sweep and a test all call this function."""

import dataclasses
import importlib.util
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ecgtl import baselines, datasets, filters, metrics, models, paths, results, spectrograms, splits, training
from ecgtl.config import (ALL_LEADS, BASELINES, FinetuneConfig, RecordingsConfig, init_word, input_rules, protocol, seeded_experiments,
                          source_experiments)
from ecgtl.datasets import cache, catalogue, leads
from ecgtl.datasets.base import Recordings
from ecgtl.errors import EcgtlError, note
from ecgtl.models import checkpoint, googlenet
from ecgtl.results import Result

SHIPPED = paths.PACKAGE / "weights"
MADE_LICENCE = "CC BY 4.0"  # of weights that have seen made data only
CHOICES = ("validated", "best_test", "last")
PARTS = ("train", "validation", "test")
# Score -> its value for true labels and probabilities (n, classes); followed epoch by epoch
FOLLOWED = {"macro_f1": lambda y, p: metrics.macro_f1(y, p.argmax(axis=1), p.shape[1]),
            "weighted_f1": lambda y, p: metrics.weighted_f1(y, labels_of(p) if y.ndim == 2 else p.argmax(axis=1)),
            "macro_auc": metrics.macro_auc}
THRESHOLDED = {"f_beta": metrics.f_beta, "g_beta": metrics.g_beta}
CHOOSING = ("folder", "icu_monitor")  # data sets whose loaders keep the one lead that they are asked for
CINC_OFFICIAL = ("normal", "af", "other")  # the classes that the challenge's own score averages


def run(config: FinetuneConfig, experiment: str = "finetune", key: str | None = None,
        report: Callable[[dict], None] | None = None, command: str | None = None) -> Result:
    """Fine-tune (or fit the trivial baseline) that ``config`` describes and return its result, not yet saved.

    ``report`` is called with the history row of each epoch. Raises EcgtlError for anything a user can mend, before
    the long part where it can be known before.
    """
    began = time.perf_counter()
    results.code_state()
    config = config.resolved()
    device = training.pick_device(config.device if config.device != "auto" else paths.device())
    if config.save_weights:
        paths.output(config.save_weights, makes_folder=True)
    start = starting_weights(config)
    recordings = with_whole_windows(config, read(config))
    split = split_of(config, recordings)
    check_parts(recordings, split)
    if config.arch in BASELINES:
        fit = _fit_baseline(config, recordings, split)
    else:
        fit = _fit_network(config, recordings, split, start, device, report)
    seconds = time.perf_counter() - began
    return _result(config, experiment, key or default_key(config), recordings, split, fit,
                   results.provenance(str(device), seconds, config.seed, torch.get_num_threads(), command))


def read(config: FinetuneConfig | RecordingsConfig) -> Recordings:
    """The recordings of ``config``: the twin in tier demo, the real ones otherwise."""
    options = {"on_bad": config.on_bad} | data_options(config)
    if config.dataset == "folder":
        options |= {"labels": config.labels or None, "labels_separator": config.labels_separator}
    if config.dataset in CHOOSING and (config.dataset == "folder" or config.lead not in (0, ALL_LEADS)):
        options |= {"lead": None if config.lead == ALL_LEADS else config.lead}
    twin = config.tier == "demo"
    return datasets.load(config.dataset, None if twin else config.root or None, twin, **options)


def with_whole_windows(config: FinetuneConfig, recordings: Recordings) -> Recordings:
    """``recordings`` without those that lack a lead, or cannot be scaled: shorter than the input, or flat or incomplete in it.

    Scaled only by a protocol that scales each window by itself. ``on_bad`` says whether such a recording is an EcgtlError or is
    left out and counted in ``skipped``.
    """
    rules, defects, seen = protocol(config.input_protocol)["input"], {}, leads_of(config, recordings)
    leads.check(recordings, seen, config.on_bad)
    for i, defect in enumerate(filters.window_defects(recordings, seen, config.sampling_rate, config.n_samples, rules)):
        if defect:
            defects.setdefault(defect, []).append(i)
    if not defects:
        return recordings
    bad = np.concatenate(list(defects.values()))
    if config.on_bad == "error" or len(bad) == len(recordings):
        reason, first = next((reason, indices[0]) for reason, indices in defects.items() if not reason.startswith("no lead"))
        advice = "give others" if len(bad) == len(recordings) else "pass on_bad=skip to leave such recordings out and count them"
        raise EcgtlError(f"recording {recordings.ids[first]} of {recordings.name} {reason} of {config.seconds:g} s "
                         f"({len(bad)} of {len(recordings)} cannot be used); {advice}")
    kept = recordings.select(np.setdiff1d(np.arange(len(recordings)), bad))
    skipped = {reason: recordings.ids[indices].tolist() for reason, indices in defects.items()}
    return dataclasses.replace(kept, skipped=recordings.skipped | skipped)


def data_options(config: FinetuneConfig | RecordingsConfig) -> dict:
    """What the protocol asks of a data set's loader: which view of its labels, which leads."""
    options = dict(protocol(getattr(config, "protocol", "weimann2021")).get("datasets", {}).get(config.dataset, {}))
    if config.lead == ALL_LEADS or (config.lead != 0 and not isinstance(config.lead, str)):
        options.pop("leads", None)  # an index other than the default counts the recordings' own leads
    elif "leads" in options and isinstance(config.lead, str):
        options["leads"] = [config.lead]
    return options


def split_of(config: FinetuneConfig, recordings: Recordings) -> splits.Split:
    """The protocol's split for the seed, its training part cut to ``fraction``."""
    rules = rules_of(config, recordings)["split"]
    if recordings.folds is not None and "folds" in rules:
        whole = splits.by_folds(recordings, **rules["folds"])
    elif rules["kind"] == "bootstrap":
        return splits.bootstrap(recordings, rules["validation"], rules["test"], config.fraction, config.seed, rules["test_seed"])
    else:
        whole = splits.stratified(recordings, rules["validation"], rules["test"], config.seed, rules["test_seed"])
    return dataclasses.replace(whole, train=splits.subset(whole.train, splits.strata(recordings), config.fraction, config.seed))


def check_parts(recordings: Recordings, split: splits.Split) -> None:
    """Raise EcgtlError for a part in which no label has positives and negatives: nothing can be learnt or scored there.

    The validation part of one label a recording may be so small that it holds a single class.
    """
    for part in PARTS if recordings.multi_label else ("train", "test"):
        index = getattr(split, part)
        positives = recordings.label_matrix[index].sum(axis=0)
        if not ((positives > 0) & (positives < len(index))).any():
            raise EcgtlError(f"the {part} part of {recordings.name} ({len(index)} recordings) has no label with positives "
                             "and negatives; give more recordings, or other labels")


def without_positives(recordings: Recordings, split: splits.Split) -> dict[str, list[str]]:
    """Part -> labels that no recording of it has, for the parts that lack some.

    Without them in training nothing can be learnt of a label, without them in the test part it has no AUC.
    """
    absent = {part: [name for name, n in _counts(recordings, getattr(split, part)).items() if not n] for part in PARTS}
    return {part: names for part, names in absent.items() if names}


def rules_of(config: FinetuneConfig, recordings: Recordings) -> dict:
    """The protocol's rules, and those of its own that it has for several labels a recording."""
    rules = protocol(config.protocol)
    if not recordings.multi_label:
        return rules
    if "multi_label" not in rules:
        raise EcgtlError(f"{recordings.name} has several labels a recording, the protocol {config.protocol} takes one; "
                         "use protocol=weimann2021, or a view with one label")
    return rules | rules["multi_label"]


def default_key(config: FinetuneConfig) -> str:
    """File name of a run that belongs to no experiment.

    Parameters that differ from the tier's add a hash, and so do recordings and a checkpoint of one's own: their names
    may be any.
    """
    method = config.arch if config.arch in BASELINES else Path(config.init).stem
    arch = config.arch if config.arch in BASELINES else FinetuneConfig.arch
    plain = FinetuneConfig.of(dataset=config.dataset, root=config.root, init=config.init, arch=arch, tier=config.tier,
                              fraction=config.fraction, seed=config.seed, device=config.device).resolved()
    name = f"{config.dataset}-{config.tier}-{method}-{config.fraction:g}-seed{config.seed}"
    common = plain == config and init_word(config.init) and not config.root
    return name if common else f"{name}-{cache.key_of(dataclasses.asdict(config))[:8]}"


def starting_weights(config: FinetuneConfig) -> Path | None:
    """File of the starting weights, None for random ones. Raises EcgtlError when it is not at hand."""
    if config.init == "random" or config.arch in BASELINES:
        return None
    if config.init == "image":
        return googlenet.find_weights()
    if init_word(config.init):
        path, (_, asked, seed) = stored_weights(config.init, config.arch, config.tier), config.init.partition("-seed")
        if path is None:
            raise EcgtlError(f"init={config.init} has no checkpoint for arch={config.arch}, tier={config.tier} yet; make it "
                             f"with '{pretraining_command(config)}', use init=random, or give the path of a .safetensors "
                             "checkpoint")
        if asked and str(made := checkpoint.load(path)[1].get("seed")) != seed:
            raise EcgtlError(f"checkpoint {path} is of seed {made}, init={config.init} asks for {seed}; delete it and make it "
                             f"with '{pretraining_command(config)}'")
        return path
    path = paths.given(config.init)
    checkpoint.load(path)  # fails now rather than after the data have been read
    return path


def pretraining_command(config: FinetuneConfig) -> str:
    """The shell command that makes ``config``'s checkpoint."""
    word, *details = config.init.split("-")
    if (seeded := config.init.partition("-seed")[0]) != config.init and seeded in seeded_experiments():
        return f"python -m ecgtl run {seeded_experiments()[seeded]} --tier {config.tier}"
    if word in source_experiments():
        return f"python -m ecgtl run {source_experiments()[word]} --tier {config.tier}"
    named = [re.fullmatch(r"([a-z]+)(\d+)", detail) for detail in details]  # those of future prediction are four numbers
    given = [("objective", word), *(found.groups() for found in named if found), ("arch", config.arch)] if word != "cae" else []
    words = "".join(f"-p {name} {value} " for name, value in given)
    return f"papermill notebooks/pretrain.ipynb out.ipynb {words}-p tier {config.tier}"


def weights_path(init: str, arch: str, tier: str) -> Path:
    """Where pretraining writes the checkpoint that ``init`` stands for: with the package, or in the demo's ignored folder.

    Details of another configuration than the protocol's own come last: ``beat-frame512`` is in
    ``beat-resnet18-reduced-frame512.safetensors``, ``beat-seed3``, one of several pretrainings, in
    ``beat-resnet18-reduced-seed3.safetensors``.
    """
    folder = results.folder(tier) / "weights" if tier == "demo" else SHIPPED
    word, hyphen, details = init.partition("-")
    return folder / f"{word}-{arch.removesuffix('_classifier')}-{tier}{hyphen}{details}.safetensors"


def stored_weights(init: str, arch: str, tier: str) -> Path | None:
    """The checkpoint that ``init`` stands for: the reader's own, else the one that came with the package, else None."""
    own = weights_path(init, arch, tier)
    return next((path for path in (own, SHIPPED / own.name) if paths.given(path).is_file()), None)


def inputs(config: FinetuneConfig, recordings: Recordings, start: Path | None = None) -> np.ndarray:
    """What the network sees: (records, 1, samples), or (records, 1,024) image features for ``init=image``."""
    rules = input_rules(config.input_protocol, config.variant)
    x = filters.prepare(recordings, config.sampling_rate, config.n_samples, leads_of(config, recordings), rules["keep"],
                        rules["standardise"], rules["highpass"], decimate=rules["decimate"])
    if config.init == "image":
        return spectrograms.image_features(x[:, 0], config.sampling_rate, start)
    return x


def leads_of(config: FinetuneConfig | RecordingsConfig, recordings: Recordings) -> tuple[int | str, ...]:
    """The leads that the network sees, each the same lead in all ``recordings`` (``datasets.leads.resolve``).

    Some loaders, and a protocol's options, have kept one lead alone. All leads come in the order in which a checkpoint that is
    started from saw them, else in that of the first recording.
    """
    if config.lead == ALL_LEADS:
        own, first = _facts_of_start(config).get("leads", ()), np.char.lower(recordings.leads[0]).tolist()
        order = [name.lower() for name in own]
        return leads.resolve(recordings, own if order != first and sorted(order) == sorted(first) else range(len(first)))
    chosen = not isinstance(config.lead, str) and (config.dataset in CHOOSING or "leads" in data_options(config))
    return leads.resolve(recordings, (0 if chosen else config.lead,), config.lead)


def _facts_of_start(config: FinetuneConfig | RecordingsConfig) -> dict:
    """What the checkpoint that is started from says of itself; nothing where there is none."""
    start = starting_weights(config) if getattr(config, "init", "random") not in ("random", "image") else None
    return checkpoint.load(start)[1] if start else {}


def network(config: FinetuneConfig, recordings: Recordings, start: Path | None) -> torch.nn.Module:
    """The network at its start; the classifier of the image arm is one linear layer on frozen features."""
    torch.manual_seed(config.seed)
    if config.init == "image":
        return torch.nn.Linear(googlenet.N_FEATURES, len(recordings.classes))
    options = models.variant_options(config.arch, config.variant) | ({"length": config.n_samples} if config.arch == "bilstm" else {})
    in_channels = len(leads_of(config, recordings))
    model = models.build(config.arch, in_channels, len(recordings.classes), width=config.width, **options)
    if start is not None:
        checkpoint.transfer(model, start, config.arch, config.width, in_channels, sampling_rate=config.sampling_rate,
                            seconds=config.seconds, variant=config.variant)
    return model


def _fit_network(config: FinetuneConfig, recordings: Recordings, split: splits.Split, start: Path | None,
                 device: torch.device, report) -> training.Fit:
    rules = rules_of(config, recordings)
    x = inputs(config, recordings, start)
    model = network(config, recordings, start)
    parts = [training.Part(x[index], recordings.labels[index]) for index in (split.train, split.validation, split.test)]
    recipe = training.Recipe(config.epochs, config.batch_size, config.learning_rate, config.patience, rules["stop_on"],
                             rules["select_on"], config.precision, config.seed)
    facts = _facts(config, recordings, start) if config.save_weights else {}  # what is wrong there must be known before the training
    fit = training.fit(model, *parts, recipe, FOLLOWED[rules["score"]], device, _state_file(config, recordings, start), report)
    if config.save_weights:
        checkpoint.save(paths.output(config.save_weights, makes_folder=True), fit.weights, facts, half=config.arch in rules.get("half", ()))
    if recordings.multi_label:
        model.load_state_dict(fit.weights)
        fit.train = training.predict(model, parts[0].x, device, True, config.precision)
    return fit


def _facts(config: FinetuneConfig, recordings: Recordings, start: Path | None) -> dict:
    """What somebody needs to know to use the weights on other recordings; ``mean`` and ``sd`` in mV, one a lead."""
    seen = leads_of(config, recordings)
    statistics = np.array([filters.mean_and_sd(recordings, lead) for lead in seen])
    names = [str(recordings.leads[0, recordings.lead_index(0, lead)]) for lead in seen]
    return {"arch": config.arch, "width": config.width, "variant": config.variant, "in_channels": len(seen), "leads": names,
            "init": config.init, "protocol": config.input_protocol, "sampling_rate": config.sampling_rate, "seconds": config.seconds,
            "classes": list(recordings.classes), "multi_label": recordings.multi_label, "dataset": config.dataset,
            "evidence": evidence_of(config, recordings)["target"], "tier": config.tier, "licence": _licence(config, recordings, start),
            "synthetic": recordings.synthetic, "mean": statistics[:, 0].tolist(), "sd": statistics[:, 1].tolist(),
            "seed": config.seed}


def _licence(config: FinetuneConfig, recordings: Recordings, start: Path | None) -> str:
    """What binds whoever uses the weights: the licences of the recordings and of the starting weights."""
    own = (MADE_LICENCE if recordings.synthetic else "same licence as the recordings" if config.dataset == "folder" else
           catalogue.entry(config.dataset).licence)
    if start is None:
        return own
    before = catalogue.entry("bvlc_googlenet").licence if config.init == "image" else checkpoint.load(start)[1].get("licence")
    return checkpoint.strictest(own, before or "same licence as the starting weights")


def _state_file(config: FinetuneConfig, recordings: Recordings, start: Path | None) -> Path:
    parts = {"config": dataclasses.asdict(config), "digest": recordings.digest, "torch": torch.__version__,
             "start": start and cache.source_checksum(start.parent, [start])}
    return paths.cache() / "unfinished" / f"{cache.key_of(parts)}.pt"


def labels_of(probabilities: np.ndarray) -> np.ndarray:
    """0/1 table of the labels that probabilities (n, labels) give."""
    return (probabilities >= metrics.THRESHOLD).astype(int)


def _fit_baseline(config: FinetuneConfig, recordings: Recordings, split: splits.Split) -> training.Fit:
    y, n_classes = recordings.labels[split.train], len(recordings.classes)
    parts = {"test": split.test} | ({"train": split.train} if recordings.multi_label else {})
    if config.arch == "majority":
        p = {name: baselines.majority(y, n_classes, len(part)) for name, part in parts.items()}
    else:
        features = baselines.rr_features(recordings, leads_of(config, recordings)[0])
        p = {name: baselines.rr_boosting(features, y, split.train, part, n_classes, config.seed) for name, part in parts.items()}
    return training.Fit(chosen={"validated": (0, p["test"])}, train=p.get("train"))


def _result(config: FinetuneConfig, experiment: str, key: str, recordings: Recordings, split: splits.Split,
            fit: training.Fit, provenance: dict) -> Result:
    y_test = recordings.labels[split.test]
    # Scores are taken from the probabilities as stored, so that anybody gets the same from the file.
    probabilities = {f"prob_{name}": p.astype(np.float16) for name, (_, p) in fit.chosen.items()}
    scored = {name: _scores(name, y_test, probabilities[f"prob_{name}"], recordings, split, fit) | {"epoch": epoch}
              for name, (epoch, _) in fit.chosen.items()}
    chosen = rules_of(config, recordings)["report"] if "last" in scored else "validated"
    top = {k: v for k, v in scored[chosen].items() if k != "epoch"}
    if len(fit.history) > 1:  # there is a curve (Jang 2021, section II.4(3))
        top["learning_curve_index"] = metrics.learning_curve_index([row["test_score"] for row in fit.history])
    arrays = {part: getattr(split, part).astype(np.uint32) for part in PARTS}
    counts = {part: _counts(recordings, index) for part, index in arrays.items()}
    return Result(
        experiment=experiment, key=key, config=_portable(config), evidence=evidence_of(config, recordings),
        scores=top | {name: scored[name] for name in CHOICES if name in scored}, history=fit.history,
        data=_origin(config) | {
              "name": recordings.name, "version": recordings.version, "digest": recordings.digest,
              "records": len(recordings), "classes": list(recordings.classes), "counts": recordings.counts(),
              "split": counts, "without_positives": without_positives(recordings, split),
              "skipped": {k: len(v) for k, v in recordings.skipped.items()},
              "duplicates": len(recordings.duplicates)},
        arrays=arrays | {"y_test": y_test.astype(np.uint8)} | probabilities, provenance=provenance)


def _origin(config: FinetuneConfig) -> dict:
    """What the starting checkpoint was trained at, and as far as it says so on what, and under which licence it stands.

    A ResNet's weights may come from another rate or length.
    """
    facts = _facts_of_start(config)
    names = ("arch", "sampling_rate", "seconds", "objective", "sources", "dataset", "licence", "seed")
    return {"start": {name: facts[name] for name in names if name in facts}} if facts else {}


def _scores(choice: str, y_test: np.ndarray, probabilities: np.ndarray, recordings: Recordings, split: splits.Split,
            fit: training.Fit) -> dict:
    """The scores of one way of choosing the epoch; thresholds only for the network that was kept."""
    if not recordings.multi_label:
        return score(y_test, probabilities, recordings.classes)
    train = (recordings.labels[split.train], fit.train) if choice == "validated" else None
    return score_multi_label(y_test, probabilities, recordings.classes, train)


def score_multi_label(y_true: np.ndarray, probabilities: np.ndarray, classes: tuple[str, ...],
                      train: tuple[np.ndarray, np.ndarray] | None = None) -> dict:
    """Macro AUC, Fmax and weighted F1 of (n, classes) probabilities against 0/1 tables; Fβ and Gβ where thresholds can be had.

    ``train``: labels and probabilities of the training part, on which one threshold a metric is chosen, the one with
    the best score there; beside it, in ``per_class_thresholds``, the scores with one threshold a class. AUC a class is
    None where the test part lacks positives or negatives (scikit-learn: undefined); the mean leaves those out. Source: Weimann
    2021, Table 5.
    """
    usable = [0 < y_true[:, k].sum() < len(y_true) for k in range(len(classes))]
    per_class = {name: metrics.macro_auc(y_true[:, [k]], probabilities[:, [k]]) if usable[k] else None
                 for k, name in enumerate(classes)}
    scores = {"macro_auc": metrics.macro_auc(y_true, probabilities), "f_max": metrics.f_max(y_true, probabilities),
              "weighted_f1": metrics.weighted_f1(y_true, labels_of(probabilities)), "auc_per_class": per_class}
    if train is None:
        return scores
    thresholds = {name: metrics.best_threshold(metric, *train) for name, metric in THRESHOLDED.items()}
    scores |= {name: THRESHOLDED[name](y_true, (probabilities >= t).astype(int)) for name, t in thresholds.items()}
    own = {name: metrics.best_thresholds(metric, *train) for name, metric in THRESHOLDED.items()}
    per_class = {name: THRESHOLDED[name](y_true, (probabilities >= t).astype(int)) for name, t in own.items()}
    return scores | {"thresholds": thresholds, "per_class_thresholds": per_class | {"thresholds": own}}


def score(y_true: np.ndarray, probabilities: np.ndarray, classes: tuple[str, ...]) -> dict:
    """Macro and weighted F1, accuracy and F1 per class of (n, classes) probabilities against class indices (n,).

    For CinC 2017 also the challenge's own score: the mean F1 of normal, AF and other.
    """
    y_pred = probabilities.argmax(axis=1)
    per_class = dict(zip(classes, metrics.f1_per_class(y_true, y_pred, len(classes)), strict=True))
    scores = {"macro_f1": metrics.macro_f1(y_true, y_pred, len(classes)),
              "weighted_f1": metrics.weighted_f1(y_true, y_pred), "accuracy": metrics.accuracy(y_true, y_pred)}
    if set(CINC_OFFICIAL) < set(classes):
        scores["challenge_f1"] = float(np.mean([per_class[name] for name in CINC_OFFICIAL]))
    return scores | {"f1_per_class": per_class}


def evidence_of(config: FinetuneConfig, recordings: Recordings) -> dict[str, str]:
    """What the data behind a result are: upstream, target and leads, each in the words of ``results.EVIDENCE``."""
    upstream = _upstream(config)
    if recordings.synthetic:
        return {"upstream": upstream, "target": "synthetic", "leads": "synthetic"}
    if config.dataset not in protocol(config.protocol)["own_datasets"]:
        return {"upstream": upstream, "target": "substitute", "leads": "substitute"}
    released = datasets.RECORDS.get(config.dataset)
    # A view may leave recordings out on purpose; what is absent from the disk, or damaged there, makes the data a part
    left_out = sum(len(ids) for reason, ids in recordings.skipped.items() if not {"absent", "damaged"} & set(reason.split()))
    whole = released is not None and len(recordings) + left_out == released
    papers_own = protocol(config.protocol).get("lead", {}).get("paper")
    wanted = catalogue.entry(config.dataset).leads if ALL_LEADS in (config.lead, papers_own) else 1
    seen = "full" if len(leads_of(config, recordings)) >= wanted else "subset"
    return {"upstream": upstream, "target": "full" if whole else "subset", "leads": seen}


def _upstream(config: FinetuneConfig) -> str:
    """What the starting weights were trained on; a checkpoint says itself whether its data were made."""
    if config.init == "image":
        return "full"  # the same ImageNet weights that the paper used
    facts = _facts_of_start(config)
    return facts.get("evidence") or ("synthetic" if facts.get("synthetic") else "substitute") if facts else "none"


def _portable(config: FinetuneConfig) -> dict:
    """The config without the folders of this machine."""
    values = dataclasses.asdict(config)
    return values | {name: Path(values[name]).name for name in ("root", "labels", "init", "save_weights") if values[name]}


def _counts(recordings: Recordings, index: np.ndarray) -> dict[str, int]:
    labels = recordings.labels[index]
    counts = labels.sum(axis=0) if recordings.multi_label else np.bincount(labels, minlength=len(recordings.classes))
    return dict(zip(recordings.classes, counts.tolist(), strict=True))


def baseline_results(config: FinetuneConfig) -> dict[str, Result]:
    """The trivial baselines on the same recordings and split; RR intervals only where ``wfdb`` can be imported.

    A baseline that cannot be computed, since no recording shows beats, is left out with a line.
    """
    at_hand = BASELINES if importlib.util.find_spec("wfdb") else ("majority",)
    config, found = config.resolved(), {}  # with the protocol, and so the split, that the network's ``init`` stands for
    for arch in at_hand:
        try:
            found[arch] = run(dataclasses.replace(config, arch=arch, init="random", save_weights=""))
        except EcgtlError as error:
            note(f"the baseline {arch} is not computable: {error}")
    return found
