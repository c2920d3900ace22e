"""One training by several processes that ``torchrun`` started, with the loss curve of one process.

All draw the same frames, and each takes its share of every batch. Gradients are averaged so that each frame counts
once, and batch normalisation takes the mean and variance of the whole batch, on CPUs too, where PyTorch's own
``SyncBatchNorm`` does not work. Process 0 evaluates, reports and writes, and sends the others what they need. In a
process that is alone every function here gives back what it is given.
"""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import torch
from torch import distributed as dist
from torch import nn

from ecgtl.errors import EcgtlError, note
from ecgtl.processes import ignore_signals

COMMAND = "pretrain"  # the one that several processes can share
KEPT = "what was finished is kept, and the same command goes on from there"
PATIENCE = timedelta(days=7)  # until who waits for process 0 to evaluate, or to fill the cache, gives up
_STORES: list[dist.Store] = []  # the one that the processes of a group share


@contextlib.contextmanager
def joined(command: str) -> Iterator[None]:
    """Inside, the processes that the environment of ``torchrun`` tells of are one group; ``command`` is what they do.

    Output of all but process 0 is dropped. Where it ends for whatever reason, the first to know says why and the others
    end without a word. Raises EcgtlError for another than ``COMMAND``, and when another process was killed.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield
        return
    store, number, among = next(dist.rendezvous("env://"))
    _STORES.append(store)
    gpus = torch.cuda.device_count()
    with open(os.devnull, "w") as nowhere:
        out, err = (nowhere, nowhere) if number else (sys.stdout, sys.stderr)
        try:
            if command != COMMAND:
                raise EcgtlError(f"several processes can share {COMMAND} alone; start {command} without torchrun")
            if gpus:
                torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % gpus)
            dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", timeout=PATIENCE, rank=number,
                                    store=dist.PrefixStore("group", store), world_size=among)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                yield
            dist.destroy_process_group()
        except Exception as error:  # a signal, which may come anywhere, is told of at the end, by ``stopped``
            ignore_signals()  # torchrun's comes soon, when it knows of another's end, before the line is out
            if not _is_first():
                os._exit(1)
            if isinstance(error, RuntimeError) and re.search("gloo|NCCL", str(error)):
                raise EcgtlError("another process of this training was killed or lost, is memory short? "
                                 f"W{KEPT[1:]}") from error
            raise


def _is_first() -> bool:
    """Whether this process is the first to know why all end, so that it says so."""
    with contextlib.suppress(RuntimeError):  # the store has gone: nobody has said anything
        return _STORES[0].add("said", 1) == 1
    return True


def stopped() -> str:
    """What this process says of a signal: also of torchrun's, when it knows of another's end before this one."""
    told = _STORES and _is_first()
    return f"ecgtl: stopped by a signal, or since another process was killed; {KEPT}" if told else ""


def rank() -> int:
    """Number of this process among those that train together."""
    return dist.get_rank() if size() > 1 else 0


def size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def share() -> slice:
    """Which examples of each batch are this process's: all of them when it is alone."""
    return slice(rank(), None, size()) if size() > 1 else slice(None)


def total(value: float) -> float:
    """The sum of every process's ``value``; what waits for the last of them."""
    if size() == 1:
        return value
    return _Summed.apply(torch.tensor(value, dtype=torch.float64)).item()


def from_first(make: Callable[[], Any]) -> Any:
    """What ``make()`` gives process 0, for all; the others wait for it."""
    if size() == 1:
        return make()
    sent = [make() if rank() == 0 else None]
    dist.broadcast_object_list(sent, device=torch.device("cpu"))  # between processes that one user started
    return sent[0]


def after_first(make: Callable[[], Any]) -> Any:
    """``make()`` of every process, of each machine's first before the others', who find in the cache what it built."""
    for turn in (True, False):
        if (_local() == 0) == turn:
            made = make()
        total(0)
    return made


def shared(model: nn.Module, device: torch.device) -> nn.Module:
    """What computes as ``model`` does while it trains, with gradients averaged over the processes.

    Raises EcgtlError where there are more of them than GPUs.
    """
    if size() == 1:
        return model
    if device.type == "cuda" and _local() >= torch.cuda.device_count():
        raise EcgtlError(f"more processes than the {torch.cuda.device_count()} GPUs of this machine; give torchrun "
                         "--nproc-per-node as many as there are, or device=cpu")
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.__class__ = SharedBatchNorm
    if rank() == 0 and any(isinstance(module, nn.Dropout) and module.p for module in model.modules()):
        note("each process draws its own dropout, so the loss curve is not that of one process")
    return nn.parallel.DistributedDataParallel(model)


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation by the mean and variance of what all processes hold; in evaluation as it always is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return super().forward(x)
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        here = values.new_full((1,), x.numel() // x.shape[1])
        sums, n = _Summed.apply(torch.cat([values.sum((0, 2, 3)), here])).tensor_split([x.shape[1]])
        centred = values - (sums / n).view(-1, 1, 1)
        variance = _Summed.apply(centred.square().sum((0, 2, 3))) / n
        with torch.no_grad():
            for kept, now in ((self.running_mean, sums / n), (self.running_var, variance * n / (n - 1))):
                kept.lerp_(now, self.momentum)  # type: ignore[union-attr, arg-type]
            self.num_batches_tracked += 1  # type: ignore[operator, assignment]
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale.view(-1, 1, 1) + self.bias.view(-1, 1, 1)).to(x.dtype)


class _Summed(torch.autograd.Function):
    """The sum of a tensor over the processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(_, x: torch.Tensor) -> torch.Tensor:
        summed = x.clone()
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(_, gradient: torch.Tensor) -> torch.Tensor:
        return _Summed.forward(None, gradient)


def _local() -> int:
    """Number of this process on its machine."""
    return int(os.environ.get("LOCAL_RANK", "0")) if size() > 1 else 0
