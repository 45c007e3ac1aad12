"""Makes watched.fixture.json: evidence on rates from the integral that defines it, in 30 digits, and hedged betting
sequences by the products that define them (Waudby-Smith & Ramdas 2024), every grid point and every time from scratch.

Run: /usr/bin/python3 watched.fixture.py  (needs python3-mpmath, python3-numpy)
"""
import json
import os
import numpy as np
from mpmath import mp, mpf, log, exp, quad, beta, findroot, linspace

mp.dps = 30


def evidence(n, x, limit, horizon, alpha):
    """ln of the mean, under a beta prior cut to p > limit, of the likelihood of p over that of the limit."""
    limit = mpf(limit)
    penalty = -2 * log(2 * mpf(alpha))
    weight = horizon / (penalty + log(1 + penalty)) - 1
    a, b = weight * limit, weight * (1 - limit)
    prior = lambda p: p ** (a - 1) * (1 - p) ** (b - 1)
    cuts = [limit + (1 - limit) * mpf(k) / 400 for k in range(41)] + list(linspace(limit + (1 - limit) / 10, mpf(1), 40))[1:]
    ratio = lambda p: exp(x * log(p / limit) + (n - x) * log((1 - p) / (1 - limit)))
    return log(quad(lambda p: prior(p) * ratio(p) if p < 1 else mpf(0), cuts) / quad(lambda p: prior(p) if p < 1 else mpf(0), cuts))


rates = []
for n, x, limit, horizon, alpha in [(1000, 22, "0.01", 1000, "0.05"), (1000, 8, "0.01", 1000, "0.05"), (40, 30, "0.5", 50, "0.05"),
                                    (500, 5, "0.002", 3000, "0.01"), (7, 3, "0.1", 200, "0.2")]:
    rates.append({"n": n, "successes": x, "limit": float(limit), "horizon": horizon, "alpha": float(alpha),
                  "logE": float(evidence(n, x, limit, horizon, alpha))})


def betting(x, alpha, grid):
    low, high = [], []
    m = np.arange(grid + 1) / grid
    for t in range(1, len(x) + 1):
        more, less = np.ones_like(m), np.ones_like(m)
        for i in range(1, t + 1):
            past = x[: i - 1]
            means = [(0.5 + past[:j].sum()) / (j + 1) for j in range(1, i)]
            variance = (0.25 + sum((past[j] - means[j]) ** 2 for j in range(i - 1))) / i
            bet = np.sqrt(2 * np.log(2 / alpha) / (variance * i * np.log(1 + i)))
            with np.errstate(divide="ignore"):
                more *= 1 + np.minimum(bet, 0.5 / m) * (x[i - 1] - m)
                less *= 1 - np.minimum(bet, 0.5 / (1 - m)) * (x[i - 1] - m)
        inside = np.flatnonzero(np.maximum(more, less) / 2 < 1 / alpha)
        low.append(int(max(0, inside[0] - 1)))
        high.append(int(min(grid, inside[-1] + 1)))
    # Intersected over time.
    return [[int(v) for v in np.maximum.accumulate(low)], [int(v) for v in np.minimum.accumulate(high)]]


rng = np.random.default_rng(3)
sequences = []
for x, alpha in [(rng.beta(1, 3, 60), 0.05), ((rng.random(60) < 0.1).astype(float), 0.1), (np.round(0.8 + 0.05 * rng.random(40), 3), 0.05)]:
    x = np.round(x, 6)
    low, high = betting(x, alpha, 200)
    sequences.append({"values": x.tolist(), "alpha": alpha, "resolution": 200, "low": low, "high": high})
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "watched.fixture.json"), "w") as f:
    json.dump({"rates": rates, "sequences": sequences}, f)
    f.write("\n")
