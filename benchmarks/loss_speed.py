"""The loss's own gradient (`training/loss.py`) beside the same formula in torch's operations.

    python benchmarks/loss_speed.py [--targets 200] [--vocabulary 49152] [--rounds 12]

Half of the targets are soft, 20 tokens each, as in a batch with replayed rows. Both take the same bfloat16 logits in turn;
times are medians of a forward and a backward pass.
"""

import argparse
import time
from statistics import median

import torch
import torch.nn.functional as F

from byheart.training.loss import Divergence


def in_operations(logits_NV, targets_N, soft_at_S, tokens_SK, p_SK):
    wide_NV = logits_NV.float()
    losses_N = F.cross_entropy(wide_NV, targets_N, reduction="none")
    logits_SV = wide_NV[soft_at_S]
    log_q_SK = logits_SV.gather(-1, tokens_SK) - torch.logsumexp(logits_SV, -1, keepdim=True)
    known_S = (p_SK * (p_SK.clamp_min(1e-9).log() - log_q_SK)).sum(-1)
    rest_p, rest_q = ((1 - shares.sum(-1)).clamp_min(1e-6) for shares in (p_SK, log_q_SK.exp()))
    other_S = ~(tokens_SK == targets_N[soft_at_S][:, None]).any(-1)
    among_S = torch.where(other_S, losses_N[soft_at_S] + rest_q.log(), 0.0)
    soft_S = known_S + rest_p * (rest_p / rest_q).log() + among_S
    return losses_N.index_put((soft_at_S,), soft_S), wide_NV.argmax(-1) == targets_N


WAYS = {"torch's operations": in_operations, "own gradient": Divergence.apply}


def once(way, given):
    started = time.perf_counter()
    logits = given[0].detach().requires_grad_()
    way(logits, *given[1:])[0].mean().backward()
    return time.perf_counter() - started, logits.grad


def inputs(options):
    torch.manual_seed(0)
    logits = (torch.randn(options.targets, options.vocabulary) * 3).bfloat16()
    soft = torch.arange(0, options.targets, 2)
    likely = (torch.randn(len(soft), options.vocabulary) * 3).softmax(-1).topk(20)
    return logits, torch.randint(options.vocabulary, (options.targets,)), soft, likely.indices, likely.values


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--vocabulary", type=int, default=49152)
    parser.add_argument("--rounds", type=int, default=12)
    options = parser.parse_args()
    given = inputs(options)
    gradients = [once(way, given)[1].float() for way in WAYS.values()]
    apart = float((gradients[0] - gradients[1]).norm() / gradients[0].norm())
    seconds = {name: [] for name in WAYS}
    for _ in range(options.rounds):
        for name, way in WAYS.items():
            seconds[name].append(once(way, given)[0])
    slow, fast = (median(each) for each in seconds.values())
    print(
        f"{slow / fast:.1f} times faster ({slow * 1e3:.0f} ms in torch's operations, {fast * 1e3:.0f} ms); gradients {apart:.1e} apart"
    )


if __name__ == "__main__":
    main()
