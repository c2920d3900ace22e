"""What bad input gets on the whole way from files to a score: one line with the remedy, or a counted skip.

Below are the ways through whole jobs; the tests named with a file hold the part by itself.

==================================================  =========================================================
bad input                                           tests
==================================================  =========================================================
probabilities outside [0, 1], NaN                   test_transferability::test_wrong_tables_are_refused,
                                                    ::test_saturated_probabilities_give_no_nan
shapes that do not match, an empty target           test_transferability::test_wrong_tables_are_refused,
                                                    ::test_inputs_of_another_shape_are_refused;
                                                    test_a_target_without_a_diagnosis_is_no_target
a label without positives                           test_transferability, test_rank: weight and loss 0;
                                                    test_folds: the task is drawn again and counted
a label with positives only                         test_transferability, test_rank: refused, or loss 0 with
                                                    normalised weights; test_folds: drawn again
one source label                                    test_transferability::test_one_recording_and_one_source_label
a checkpoint whose label names are missing          test_rank::test_a_checkpoint_that_lacks_a_label_name...;
                                                    test_an_autoencoder_is_refused_by_name_and_reason
headers with .mat in line 1, ages NaN and 300       test_odd_files_are_read_or_counted; test_georgia, test_csn,
                                                    test_cpsc2018
#Dx: empty, or with codes outside the map           test_odd_files_are_read_or_counted; test_georgia, test_csn
records at 257 or 1,000 Hz                          test_odd_files_are_read_or_counted (a release of 500 Hz:
                                                    counted), test_a_folder_may_have_any_rate (one's own: read)
records below 10 s                                  test_odd_files_are_read_or_counted; test_transfer
==================================================  =========================================================
"""

import numpy as np
import pytest
import wfdb
from messages import one_line

from ecgtl.__main__ import main
from ecgtl.config import ScoreConfig, starts
from ecgtl.errors import EcgtlError
from ecgtl.jobs import rank
from tests.datasets.test_georgia import NSR, SB, write_record

pytestmark = pytest.mark.usefixtures("own_results")
CHECKPOINT = str(starts.SHIPPED / "cpsc2018-resnet1d101-demo.safetensors")
N = 5000  # samples of 10 s


def score(root, **parameters):
    given = {"dataset": "georgia", "root": str(root), "tier": "reduced", "resamples": 40, "lead": "I"} | parameters
    return rank.rank(ScoreConfig.of(**given), [CHECKPOINT], lambda line: None)


def test_odd_files_are_read_or_counted_on_the_way_to_a_score(tmp_path):
    for k in range(6):
        write_record(tmp_path, f"E{k:05d}", SB if k % 2 else NSR, n_samples=N)
    read = {"E00010": {"first_line": f"E00010.mat 12 500 {N}"}, "E00011": {"age": "NaN"}, "E00012": {"age": "300"}}
    for record, options in read.items():
        write_record(tmp_path, record, NSR, n_samples=N, **options)
    write_record(tmp_path, "E00020", "", n_samples=N)
    write_record(tmp_path, "E00021", f"{SB},12345", n_samples=N)
    write_record(tmp_path, "E00022", SB, f"E00022 12 257 {N}", n_samples=N)
    write_record(tmp_path, "E00023", SB, f"E00023 12 1000 {N}", n_samples=N)
    write_record(tmp_path, "E00024", SB, n_samples=N - 10)
    ranking = score(tmp_path, label_set="sinus_rhythm,sinus_bradycardia")
    assert sorted(ranking.target.recordings.ids) == sorted([f"E{k:05d}" for k in range(6)] + [*read])
    assert ranking.target.left_out == {"no diagnosis": 1, "unknown code 12345": 1, "sampled at 257 Hz": 1,
                                       "sampled at 1000 Hz": 1, "is shorter than its window of 10 s": 1}
    (found,) = ranking.scores
    assert found.value > 0 and found.low <= found.value
    with pytest.raises(EcgtlError) as error:
        score(tmp_path, on_bad="error")
    one_line(error, "on_bad=skip")


def test_a_target_without_a_diagnosis_is_no_target(tmp_path):
    write_record(tmp_path, "E00001", "", n_samples=N)
    with pytest.raises(EcgtlError) as error:
        score(tmp_path)
    one_line(error, "georgia")


@pytest.mark.parametrize("rate", [257, 1000])
def test_a_folder_may_have_any_rate(tmp_path, rate, capsys):
    """As St Petersburg's INCART and PTB have them."""
    rng, lines = np.random.default_rng(rate), ["record,label"]
    for k in range(6):
        samples = rng.normal(0, 0.3, (11 * rate, 1))
        wfdb.wrsamp(f"r{k}", rate, ["mV"], ["I"], samples, fmt=["16"], write_dir=str(tmp_path))
        lines.append(f"r{k},{'af' if k % 2 else 'normal'}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    assert main(["rank", "--target", str(tmp_path), "--lead", "I", "--resamples", "40", CHECKPOINT]) == 0
    out = capsys.readouterr().out
    assert "target: folder, 6 recordings, 2 labels (af 3, normal 3)" in out and "nan" not in out.lower()


def test_an_autoencoder_is_refused_by_name_and_reason(tmp_path, capsys):
    autoencoder = str(starts.SHIPPED / "cae-cae-demo.safetensors")
    assert main(["rank", "--target", "georgia", "--tier", "demo", autoencoder]) == 2
    said = capsys.readouterr()
    assert said.out.startswith(f"left out, {autoencoder}: ") and "names no labels of its own" in said.out
    assert said.err.startswith("ecgtl: none of the 1 checkpoints can be scored") and said.err.count("\n") == 1
