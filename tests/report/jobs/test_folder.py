"""The page on a folder of one's own: what stands on it, what stands there when something lacks, and that it is safe."""

import re
import tomllib
from collections import Counter

import numpy as np
import pytest
from bs4 import BeautifulSoup
from own_files import signal
from sklearn.metrics import f1_score

from ecgtl import paths
from ecgtl.__main__ import main
from ecgtl.config import starts
from ecgtl.config.pages import ReportConfig
from ecgtl.errors import SAID
from ecgtl.jobs import scoring
from ecgtl.report.jobs import folder as page
from ecgtl.signals import rr_intervals

PARTS = ["What was read", "Signal quality", "Labels", "Baselines", "Frozen encoders", "Which checkpoint to start from",
         "Provenance"]
EVIL, DOLLAR = "<script>alert('x')</script>", "$a_$ & $title"
RARE = "!rare"  # the first by name: the others move up


def save(folder, name, x, rate=250, leads=("I", "II")):
    np.savez(folder / f"{name}.npz", signal=x.T, fs=rate, unit="mV", leads=list(leads))


def small(folder, n=4, **labels):
    """``n`` recordings, and a label file with the columns ``labels`` where there are any."""
    folder.mkdir()
    for i in range(n):
        save(folder, f"r{i}", signal(10, 2, seed=i))
    if labels:
        rows = zip(*([f"r{i}" for i in range(n)], *labels.values()), strict=True)
        lines = [",".join(["record", *labels]), *map(",".join, rows)]
        (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def made(folder, **given):
    """The page of a folder, parsed, and the lines of its In short."""
    out = folder.parent / "page.html"
    said = page.write(ReportConfig.of(root=str(folder), **given), out, lambda line: None)
    return BeautifulSoup(out.read_text(), "html.parser"), said


def table(soup, part, k=0):
    """The ``k``-th table of a part, as rows of texts by the first column."""
    heading = next(found for found in soup("h2") if found.text == part)
    tables = [found for found in soup("table") if found.find_previous("h2") is heading]
    heads = [cell.text for cell in tables[k].thead("th")]
    rows = [[cell.text.replace("\N{NO-BREAK SPACE}", " ") for cell in row(["th", "td"])]
            for row in tables[k].tbody("tr")]
    return {row[0]: dict(zip(heads, row, strict=True)) for row in rows}


@pytest.fixture(scope="module")
def odd(tmp_path_factory, session_cache):
    """Two classes of 24 recordings, one of 2, and one of everything that can be wrong; names that are not harmless."""
    folder = tmp_path_factory.mktemp("own") / "my <b>$title & records"
    folder.mkdir()
    rows = ["record,label,subject"]
    for i in range(50):
        x, name = signal(10, 2, seed=i, rate=250), f"r{i:02d}"
        if i % 2:
            x = np.roll(x, 40 * np.arange(10).cumsum()[i % 10], axis=0) * 0.5
        if i == 4:
            x[100:150] = np.nan
        if i == 6:
            x[:] = 0.25
        if i == 8:
            x = signal(10, 2, seed=10)
        if i == 12:
            x = np.clip(x, -0.02, 0.02)
        if i == 14:
            x[:, 1] += np.sin(2 * np.pi * 50 * np.arange(len(x)) / 250)
        if i == 16:
            name = "<i>16"
        save(folder, name, x)
        label = RARE if i > 47 else f'"{EVIL}"' if i % 2 else f'"{DOLLAR}"'
        rows.append(f"{name},{label},{f'p{i}' if i < 40 else f'p{40 + i % 3}'}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    (folder / "notes <i>.md").write_text("nothing")
    return folder


@pytest.fixture(scope="module")
def whole(odd, session_cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        return made(odd)


# --- what stands there ------------------------------------------------------------------------------------------


def test_the_parts_stand_in_their_order_with_in_short_above_them(whole, odd):
    soup, said = whole
    assert [heading.text for heading in soup("h2")] == PARTS
    short = soup.find(class_="ecgtl-in-short")
    assert short.find_next("h2").text == PARTS[0]
    assert all(" ".join(line.split()) in " ".join(short.text.split()) for line in said) and len(said) == 6
    assert str(odd) not in soup.find(string=re.compile("^Made in")) and "not computed" not in " ".join(said)


def test_what_was_read_is_counted(whole):
    facts = {what: row["Found"] for what, row in table(whole[0], "What was read").items()}
    assert facts["Recordings"] == "50 read, 48 used, 2 left out"
    assert facts["Left out: missing samples (NaN)"] == "1: r04" and facts["Left out: constant signal"] == "1: r06"
    assert facts["Files"] == "NPZ (50)" and facts["Sampling rates"] == "250 Hz (50)"
    assert facts["Leads"] == "I (50), II (50)" and facts["Looked at"] == "lead I"
    assert facts["Lengths"] == "10.0 to 10.0 s, median 10.0 s"
    assert facts["Exact duplicates"] == "r08 = r10"
    assert facts["Subjects"].startswith("40;") and "1 (36)" in facts["Subjects"]
    said = next(found for found in whole[0]("h3")).find_next("ul").text
    assert "passed over, as no recordings: 1 (notes <i>.md)" in said


def test_the_worst_recordings_are_named_by_measure_and_lead(whole):
    rows = table(whole[0], "Signal quality")
    named = {"flat": "r06 (I, 100.0 %)", "missing": "r04 (I, 2.0 %)", "mains": "r14 (II, 8", "clipped": "r12 ("}
    for measure, words in named.items():
        assert rows[measure]["Worst"].startswith(words) and rows[measure]["Recordings above it"] == "1"
    assert "Signal quality: 4 of 50" in whole[1][1]


def test_classes_are_counted_and_the_rare_one_is_left_out_of_what_is_learnt(whole):
    rows = table(whole[0], "Labels")
    assert {name: row["Recordings"] for name, row in rows.items()} == {DOLLAR: "22", EVIL: "24", RARE: "2"}
    assert {name: row["Too few"] for name, row in rows.items()} == {DOLLAR: "–", EVIL: "–", RARE: "too few"}
    assert rows[RARE]["Subjects"] == "2"
    sets = table(whole[0], "Baselines")
    assert set(sets) == {DOLLAR, EVIL}
    assert sum(int(row[part]) for row in sets.values() for part in ("train", "validation", "test")) == 46


def test_the_majority_class_has_the_score_that_follows_from_the_sets(whole):
    sets, scores = (table(whole[0], "Baselines", k) for k in (0, 1))
    first, second = (int(sets[name]["test"]) for name in (DOLLAR, EVIL))
    most = max((DOLLAR, EVIL), key=lambda name: int(sets[name]["train"]))
    truth = [DOLLAR] * first + [EVIL] * second
    expected = f1_score(truth, [most] * len(truth), average="macro", zero_division=0)
    assert scores["Majority class"]["macro F1"].startswith(f"{expected:.3f}".removeprefix("0"))
    assert re.search(r"\[\.\d+, \.\d+\]", scores["RR intervals, boosted trees"]["macro F1"])


def test_every_shipped_encoder_stands_beside_its_random_twin(whole):
    rows = table(whole[0], "Frozen encoders")
    assert len(rows) == len([*starts.SHIPPED.glob("*-reduced-seed0.safetensors")]) == 2
    for row in rows.values():
        scores = [float(row[name].split()[0]) for name in ("Frozen", "Random weights")]
        gap = float(row["Difference"].split()[0].replace("−", "-"))
        assert gap == pytest.approx(scores[0] - scores[1], abs=0.0011)
    assert {row["Random weights"] for name, row in rows.items() if "ResNet" in name} == {
        next(row["Random weights"] for name, row in rows.items() if "beat" in name)}
    assert all(name.endswith(", 10 s") for name in rows if "ResNet" in name), "no zeros beyond the longest recording"


def test_checkpoints_are_ranked_and_say_what_they_have_seen(whole):
    rows = table(whole[0], PARTS[5])
    assert any("cpsc2018" in name for name in rows)
    assert all(row["Trained on"].endswith(" (synthetic)") == ("demo" in name) for name, row in rows.items())
    values = [float(row["MELEP"].split()[0]) for row in rows.values()]
    assert values == sorted(values)


# --- a page that loads nothing and believes nobody --------------------------------------------------------------


def test_the_page_is_sound_html_that_loads_nothing(whole):
    soup, _ = whole
    text = re.sub(r'"data:image/svg[^"]*"', "", str(soup))
    assert soup.html["lang"] == "en" and soup.title.text and soup.find("meta", attrs={"name": "viewport"})
    loads = [tag[name] for tag in soup(True) for name in ("src", "href", "data", "srcset", "action")
             if tag.has_attr(name)]
    assert loads and all(address.startswith("data:image/") for address in loads)
    assert "@import" not in text and "url(" not in text and not soup(["script", "link", "iframe"])
    assert all(image["alt"].startswith("macro F1: of") for image in soup("img")) and "prefers-color-scheme" in text
    for found in soup("table"):
        assert found.caption.text and all(head.get("scope") in ("col", "row") for head in found("th"))
    assert Counter(tag.name for tag in soup(["h1", "main", "title"])) == {"h1": 1, "main": 1, "title": 1}


def test_names_of_files_labels_and_folder_are_text(whole):
    soup, said = whole
    assert not soup(["b", "i"]) and "my <b>$title & records" in soup.title.text and soup.h1.text == soup.title.text
    assert EVIL in soup.text and DOLLAR in soup.text
    assert EVIL in said[2] and DOLLAR in said[2]


# --- what lacks -------------------------------------------------------------------------------------------------


def missing(soup):
    """The parts that say that they cannot be computed, and why."""
    return {found.find_previous("h2").text: found.text for found in soup("p") if "cannot be computed" in found.text}


def test_without_labels_the_first_parts_stand_and_the_others_say_why(tmp_path):
    soup, said = made(small(tmp_path / "own"))
    assert set(missing(soup)) == set(PARTS[2:6]) and all("labels.csv" in why for why in missing(soup).values())
    assert table(soup, "What was read") and table(soup, "Signal quality")
    assert "none is known" in table(soup, "What was read")["Subjects"]["Found"]
    assert [line.endswith("not computed.") for line in said] == [False, False, True, True, True, True]


def test_one_class_alone_is_counted_and_nothing_is_learnt(tmp_path):
    soup, _ = made(small(tmp_path / "own", 12, label=["a"] * 12))
    assert table(soup, "Labels")["a"] == {"Class": "a", "Recordings": "12", "Subjects": "12", "Too few": "too few"}
    found = missing(soup)
    assert set(found) == set(PARTS[3:6])
    assert "0 of 1 classes suffice" in found["Baselines"] and "every recording has the label a" in found[PARTS[5]]


def test_a_label_that_all_have_is_left_out_of_several(tmp_path):
    soup, said = made(small(tmp_path / "own", 40, label=["x;y" if i % 2 else "x" for i in range(40)]),
                      labels_separator=";")
    assert table(soup, "Labels")["x"]["Too few"] == "too few" and table(soup, "Labels")["y"]["Too few"] == "–"
    assert set(table(soup, "Baselines")) == {"y"}
    assert table(soup, "Baselines", 1)["Majority class"]["macro AUC"] == ".500 [.500, .500]"
    assert "macro AUC" in said[3]


def test_without_beats_the_trees_say_so_and_the_majority_class_stands(tmp_path, monkeypatch):
    monkeypatch.setattr(rr_intervals, "detect_beats", lambda x, rate: np.zeros(0, np.int64))
    monkeypatch.setattr(page, "ENCODERS", {})
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path / "cache"))
    soup, _ = made(small(tmp_path / "own", 40, label=["a", "b"] * 20))
    scores = table(soup, "Baselines", 1)
    assert scores["RR intervals, boosted trees"]["macro F1"] == "–" and scores["Majority class"]["macro F1"] != "–"
    assert missing(soup)["Baselines"].startswith("RR intervals, boosted trees cannot be computed: none of the")


def test_recordings_too_short_for_an_encoder_are_one_reason(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    for i in range(40):
        save(folder, f"r{i}", signal(6, 1, seed=i), leads=["I"])
    (folder / "labels.csv").write_text("record,label\n" + "".join(f"r{i},{'ab'[i % 2]}\n" for i in range(40)))
    soup, _ = made(folder)
    row, = (row for name, row in table(soup, "Frozen encoders").items() if "Convolutional" in name)
    assert (row["Frozen"], row["Random weights"], row["Difference"]) == ("–", "–", "–")
    why = missing(soup)["Frozen encoders"]
    assert "shorter than its window" in why and why.count("shorter") == 1 and why.count("Convolutional") == 2
    assert "no recording" in missing(soup)[PARTS[5]] or "shorter" in missing(soup)[PARTS[5]]


def test_the_asked_lead_is_the_one_that_is_looked_at(tmp_path):
    soup, _ = made(small(tmp_path / "own"), lead="ii")
    assert table(soup, "What was read")["Looked at"]["Found"] == "lead II"
    assert "(I," not in " ".join(row["Worst"] for row in table(soup, "Signal quality").values())


# --- the command ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case, says", [
    ("empty", "holds no WFDB header"), ("absent", "is not a folder"), ("flat", "constant signal: 3"),
    ("lead", "no lead 'V9'; it has I, II"), ("separator", "labels_separator is ';'"),
    ("table", "columns record and label"), ("rate", "leave rate and unit away")])
def test_where_nothing_can_be_said_there_is_one_line_and_the_old_page_stays(case, says, tmp_path, capsys):
    folder, out = tmp_path / "own", tmp_path / "page.html"
    out.write_text("old")
    words = {"lead": ["--lead", "V9"], "separator": ["--labels-separator", ";"], "rate": ["--rate", "100"]}
    if case == "empty":
        folder.mkdir()
    elif case != "absent":
        small(folder, 3, **({"label": ["a", "b", "a"]} if case == "separator" else {}))
    if case == "flat":
        for i in range(3):
            save(folder, f"r{i}", np.zeros((2500, 2)))
    if case == "table":
        (folder / "labels.csv").write_text("name,class\nr0,a\n")
    assert main(["report", str(folder), "--out", str(out), *words.get(case, [])]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("ecgtl: ") and says in lines[-1]
    assert out.read_text() == "old" and not list(tmp_path.glob(".part-*"))


@pytest.mark.parametrize("out", ["none/page.html", ".", ""])
def test_a_page_that_cannot_be_written_is_refused_before_any_work(out, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page, "write", lambda *given: pytest.fail("it began"))
    assert main(["report", str(small(tmp_path / "own")), "--out", out]) == 2
    said = capsys.readouterr()
    assert "cannot be written" in said.err and said.out == ""


def test_the_command_says_what_it_does_and_what_it_found(tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["report", str(small(tmp_path / "own")), "--out", str(out), "--lead", "II"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("reading ") and lines[-1] == f"written: {out}"
    assert lines[1:7] == [*page.PARTS] and any(line.startswith("Recordings: 4 read, 4 used") for line in lines)
    assert "python -m ecgtl report --lead II ..." in out.read_text()


def test_what_is_said_once_a_process_stands_on_a_second_page_too(tmp_path):
    folder = small(tmp_path / "own")
    (folder / "b.md").write_text("x")
    pages = [made(folder)[0] for _ in range(2)]
    assert all("passed over" in soup.find("h3").find_next("ul").text for soup in pages)
    assert len([line for line in SAID if str(folder) in line]) == 2


def test_the_template_comes_with_the_package():
    project = tomllib.loads((paths.repository() / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["ecgtl"]
    assert any(paths.PACKAGE / "report/jobs/folder.html" in paths.PACKAGE.glob(pattern) for pattern in patterns)


# --- intervals --------------------------------------------------------------------------------------------------


def test_a_difference_has_the_limits_of_the_same_draws():
    rng = np.random.default_rng(0)
    y, p, q = rng.integers(0, 3, 80), rng.dirichlet(np.ones(3), 80), rng.dirichlet(np.ones(3), 80)
    p[np.arange(80), y] += 0.5
    rows = np.random.default_rng(0).integers(80, size=(scoring.DRAWS, 80))

    def f1(y, p):
        return f1_score(y, p.argmax(axis=1), labels=[0, 1, 2], average="macro", zero_division=0)

    one = [f1(y[draw], p[draw]) for draw in rows]
    gap = [f1(y[draw], p[draw]) - f1(y[draw], q[draw]) for draw in rows]
    assert scoring.with_limits("macro_f1", y, p) == pytest.approx([f1(y, p), *np.quantile(one, [0.025, 0.975])])
    assert scoring.with_limits("macro_f1", y, p, q) == pytest.approx(
        [f1(y, p) - f1(y, q), *np.quantile(gap, [0.025, 0.975])])
    assert scoring.with_limits("macro_f1", y, p, p) == (0, 0, 0)


# --- real recordings --------------------------------------------------------------------------------------------


@pytest.mark.needs("challenge-2017/1.0.0/training2017")
def test_on_real_recordings_the_trees_beat_the_majority_class(real_data, tmp_path):
    source, folder = real_data / "challenge-2017/1.0.0/training2017", tmp_path / "own"
    folder.mkdir()
    reference = dict(line.split(",") for line in (source / "REFERENCE.csv").read_text().split())
    chosen = [name for kind in "NA" for name in [one for one, label in reference.items() if label == kind][:40]]
    for name in chosen:
        for suffix in (".hea", ".mat"):
            (folder / f"{name}{suffix}").write_bytes((source / f"{name}{suffix}").read_bytes())
    (folder / "labels.csv").write_text("record,label\n" + "".join(f"{name},{reference[name]}\n" for name in chosen))
    soup, _ = made(folder)
    assert {name: row["Recordings"] for name, row in table(soup, "Labels").items()} == {"N": "40", "A": "40"}
    assert "WFDB (80)" in soup.text and not missing(soup)
    scores = {name: float(row["macro F1"].split()[0]) for name, row in table(soup, "Baselines", 1).items()}
    assert scores["RR intervals, boosted trees"] > 0.7 > scores["Majority class"]
