"""Typed, validated parameters of a run. Every default lives here; what a tier means stands in ``experiments/*.yml``.

papermill's parameters, the command line, sweeps and tests all end in ``of(...)`` of a config; a notebook's parameters
are the fields of its config. Its ``plan()`` is what a job takes: the same with nothing left open.
"""

from ecgtl.config.classifier import ClassifierConfig, ClassifierPlan
from ecgtl.config.finetune import FinetuneConfig, Plan, RecordingsConfig
from ecgtl.config.pages import ScoreConfig, SectionConfig
from ecgtl.config.parameters import Parameters, Planned, label_columns
from ecgtl.config.probe import PROBE, FrozenConfig, ProbeConfig
from ecgtl.config.pretrain import PretrainConfig
from ecgtl.config.protocols import (ALL_LEADS, BASELINES, CHOICES, DEVICES, EXPERIMENTS, INITS, NEGATIVES_FROM,
                                    OBJECTIVES, PAPER_PARAMETERS, PRECISIONS, QUEUE, TIERS, TRANSFERS, VARIANTS, Input,
                                    Protocol, init_word, protocol, protocols, seeded_experiments, source_experiments)
from ecgtl.config.transfer import TransferConfig, TransferPlan
