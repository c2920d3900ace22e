"""``ecgtl.predict.load("cinc2017-rhythm")(signal, sampling_rate)``: class probabilities of one's own signals."""

from ecgtl.jobs.predict import Predictor as Predictor
from ecgtl.jobs.predict import load as load
