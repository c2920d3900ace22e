"""``ecgtl.features.load("cae")``: an encoder for one's own signals."""

from ecgtl.jobs.features import Encoder as Encoder
from ecgtl.jobs.features import load as load
