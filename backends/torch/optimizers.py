"""The optimizers of `harness/optimizers.py` as those of `torch.optim`, which computes the same definitions."""

import os

import torch
from torch import nn

from backends.torch.knobs import FUSED_VARIABLE
from harness.model import is_penalised
from harness.optimizers import AdaGrad, Adam, Momentum, Nesterov, Optimizer, RMSprop


class Updater:
    """One optimizer of `torch.optim`, and the three things that it leaves to us: clipping, schedule and L1 penalty."""

    def __init__(self, optimizer: Optimizer, net: nn.Module) -> None:
        self.definition = optimizer
        self.net = net
        self.native = optimizer_for(optimizer, net)
        self.step = 0

    def zero_grad(self) -> None:
        """Forget the gradients of the step before."""
        self.native.zero_grad()

    def update(self) -> None:
        """Move the parameters by one step along their gradients."""
        self.prepare()
        self.native.step()

    def prepare(self) -> None:
        """Clip, set the learning rate and add the L1 penalty, in this order: the penalty is not clipped."""
        if self.definition.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.definition.clip_norm)
        if self.definition.schedule is not None:
            # torch's own schedulers multiply the rate step by step; the definition raises the factor to a power
            for group in self.native.param_groups:
                group["lr"] = self.definition.rate_at(self.step)
        if self.definition.l1:
            for p in self.net.parameters():
                if is_penalised(p.shape) and p.grad is not None:
                    p.grad.add_(p.detach().sign(), alpha=self.definition.l1)
        self.step += 1


def optimizer_for(optimizer: Optimizer, net: nn.Module) -> torch.optim.Optimizer:
    """Return the `torch.optim` optimizer whose arithmetic is the definition of `harness/optimizers.py`."""
    trained = [p for p in net.parameters() if p.requires_grad]
    # two groups, since torch's weight decay holds for all parameters of a group, biases too
    groups = [
        {"params": [p for p in trained if is_penalised(p.shape)], "weight_decay": optimizer.l2},
        {"params": [p for p in trained if not is_penalised(p.shape)], "weight_decay": 0.0},
    ]
    rate = optimizer.learning_rate
    fused = {"fused": True} if os.environ.get(FUSED_VARIABLE) == "1" else {}
    match optimizer:
        case Momentum(momentum=momentum):
            return torch.optim.SGD(groups, lr=rate, momentum=momentum, **fused)
        case Nesterov(momentum=momentum):
            return torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=True, **fused)
        case AdaGrad(epsilon=epsilon):
            return torch.optim.Adagrad(groups, lr=rate, eps=epsilon, **fused)
        case RMSprop(rho=rho, epsilon=epsilon):  # there is no fused one (seen with 2.13.0)
            return torch.optim.RMSprop(groups, lr=rate, alpha=rho, eps=epsilon)
        case Adam(beta1=beta1, beta2=beta2, epsilon=epsilon):
            return torch.optim.Adam(groups, lr=rate, betas=(beta1, beta2), eps=epsilon, **fused)
        case _:
            return torch.optim.SGD(groups, lr=rate, **fused)
