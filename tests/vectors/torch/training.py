"""What training adds to layers: losses with their gradients, and the paths of optimisers."""

import torch
from torch.nn import functional

from case import Case, Draw, error

STEPS = 5


def losses():
    yield regression("mse", functional.mse_loss)
    yield regression("mae", functional.l1_loss)
    yield regression("huber", functional.huber_loss, delta=1.0)
    yield from binary()
    yield from classes()
    yield from quantiles()


def regression(name, function, **settings):
    case = Case(name, name, **settings).input("x", [3, 4], -2.0, 2.0)
    case.give(target=case.draw.tensor([3, 4], -2.0, 2.0))
    return case.compute(lambda module, x, target: function(x, target, **settings))


def binary():
    for name, hard in (("bce", True), ("bce_soft_targets", False)):
        case = Case(name, "bce").input("x", [3, 4], 0.05, 0.95)
        target = case.draw.tensor([3, 4], 0.0, 1.0)
        case.give(target=target.round() if hard else target)
        yield case.compute(lambda module, x, target: functional.binary_cross_entropy(x, target))


def classes():
    for name, reach in (("cross_entropy", 3.0), ("cross_entropy_far", 40.0)):
        case = Case(name, "cross_entropy").input("x", [3, 4], -reach, reach)
        yield case.give(target=torch.tensor([2, 0, 3])).compute(cross_entropy)
    case = Case("cross_entropy_weighted", "cross_entropy").input("x", [3, 4], -3.0, 3.0)
    case.give(target=torch.tensor([1, 3, 1]), weight=case.draw.tensor([4], 0.2, 3.0))
    yield case.compute(cross_entropy)
    case = Case("cross_entropy_soft_targets", "cross_entropy").input("x", [3, 4], -3.0, 3.0)
    shares = case.draw.tensor([3, 4], 0.0, 1.0)
    case.give(target=shares / shares.sum(-1, keepdim=True))
    yield case.compute(cross_entropy)


def cross_entropy(module, x, target, weight=None):
    return functional.cross_entropy(x, target, weight)


def quantiles():
    for name, levels in (
        ("quantile_low", [0.1]),
        ("quantile_median", [0.5]),
        ("quantile_high", [0.9]),
        ("quantile_three_levels", [0.1, 0.5, 0.9]),
    ):
        case = Case(name, "quantile", levels=levels)
        case.input("x", [3, 4 if len(levels) == 1 else len(levels)], -2.0, 2.0)
        width = 4 if len(levels) == 1 else 1
        case.give(target=case.draw.tensor([3, width], -2.0, 2.0))

        def pinball(module, x, target, levels=levels):
            level = torch.tensor(levels, dtype=x.dtype)
            below = target - x
            return torch.maximum(level * below, (level - 1.0) * below).mean()

        yield case.compute(pinball)


# ---- optimisers -------------------------------------------------------------------------------

OPTIMISERS = {
    "sgd": (torch.optim.SGD, {"lr": 0.1}),
    "sgd_momentum": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    "sgd_nesterov": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "rmsprop": (torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.99, "eps": 1e-8}),
    "adam": (torch.optim.Adam, {"lr": 0.05, "betas": [0.9, 0.999], "eps": 1e-8}),
    "adamw": (
        torch.optim.AdamW,
        {"lr": 0.1, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01},
    ),
}


def optimisers():
    """All from the same start through the same gradients.

    The fourth parameter has gradients around 1e-6, where the place of `eps` shows; the gradients
    of the fifth are zero in the first two steps.
    """
    draw = Draw("optimisers")
    start, gradients = draw.tensor([5]), draw.tensor([STEPS, 5], -2.0, 2.0)
    gradients[:, 3] *= 1e-6
    gradients[:2, 4] = 0.0
    for name, (kind, settings) in OPTIMISERS.items():
        paths = [
            {"after": path(kind, settings, start.to(dtype), gradients.to(dtype))}
            for dtype in (torch.float32, torch.float64)
        ]
        yield {
            "name": name, "layer": name, "settings": settings, "start": start,
            "step_gradients": gradients, **paths[0], "error": error(name, *paths),
        }


def path(kind, settings, start, gradients):
    """The parameters after each step: [steps, parameters]."""
    parameter = torch.nn.Parameter(start.clone())
    optimiser = kind([parameter], **settings, foreach=False)
    after = []
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimiser.step()
        after.append(parameter.detach().clone())
    return torch.stack(after)


# ---- schedules --------------------------------------------------------------------------------

SCHEDULES = {
    "cosine": {"T_max": 10, "eta_min": 0.0},
    "cosine_to_a_tenth": {"T_max": 7, "eta_min": 0.05},
    "cosine_of_one_epoch": {"T_max": 1, "eta_min": 0.25},
}
RATE = 0.5


def schedules():
    """The rate of every epoch, from the first to that after the last of the fall."""
    for name, settings in SCHEDULES.items():
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, **settings)
        rates = []
        for _ in range(settings["T_max"] + 1):
            rates.append(schedule.get_last_lr()[0])
            optimiser.step()
            schedule.step()
        yield {
            "name": name, "layer": "cosine", "settings": {"lr": RATE, **settings},
            "rates": torch.tensor(rates), "error": 0.0,
        }
