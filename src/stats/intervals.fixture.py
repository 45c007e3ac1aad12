"""Makes intervals.fixture.json: score intervals of differences from their definition in 30 digits, Newcombe's intervals
from statsmodels, conditional odds ratios from scipy, ratio covariances from numpy.

Run: /usr/bin/python3 intervals.fixture.py  (needs python3-statsmodels 0.13 or newer, python3-mpmath)
"""
import json
import os
import numpy as np
from mpmath import mp, mpf, sqrt, erfinv
from scipy.stats.contingency import odds_ratio
from statsmodels.stats.proportion import confint_proportions_2indep

mp.dps = 30
Z = sqrt(2) * erfinv(mpf("0.95"))


def bisect(f, low, high):
    """Zero of a falling f."""
    for _ in range(110):
        mid = (low + high) / 2
        if f(mid) > 0:
            low = mid
        else:
            high = mid
    return (low + high) / 2


def constrained(x1, n1, x0, n0, delta):
    """Maximum-likelihood control rate with candidate - control = delta, from the likelihood's slope, not from the cubic."""
    low, high = max(mpf(0), -delta), min(mpf(1), 1 - delta)

    def slope(p):
        q = p + delta
        s = mpf(0)
        for x, n, r in ((x0, n0, p), (x1, n1, q)):
            s += (x / r if x else 0) - ((n - x) / (1 - r) if n - x else 0)
        return s

    return bisect(slope, low, high)


def score(x1, n1, x0, n0, factor):
    seen = mpf(x1) / n1 - mpf(x0) / n0

    def excess(delta):
        p = constrained(x1, n1, x0, n0, delta)
        q = p + delta
        v = factor * (p * (1 - p) / n0 + q * (1 - q) / n1)
        return (seen - delta) ** 2 - Z * Z * v

    return [float(bisect(excess, mpf(-1), seen)), float(bisect(lambda d: -excess(d), seen, mpf(1)))]


out = {"score": [], "odds": [], "joint": None}
for x1, n1, x0, n0 in [(56, 70, 48, 80), (9, 10, 3, 10), (6, 7, 2, 7), (5, 56, 0, 29), (0, 10, 0, 20), (10, 10, 0, 10), (8, 1000, 0, 1000),
                       (533, 649, 1453, 1851), (5, 649, 22, 1851), (20119, 45489, 20034, 44700), (532.829, 649, 1453.035, 1851)]:
    total = n1 + n0
    newcombe = confint_proportions_2indep(x1, n1, x0, n0, method="newcomb", compare="diff") if x0 + x1 > 0 else None
    out["score"].append({
        "candidate": [x1, n1], "control": [x0, n0],
        "mee": score(x1, n1, x0, n0, 1), "mn": score(x1, n1, x0, n0, mpf(total) / (total - 1)),
        "newcombe": [float(v) for v in newcombe] if newcombe else None,
    })

for x1, n1, x0, n0 in [(56, 70, 48, 80), (9, 10, 3, 10), (5, 649, 22, 1851), (533, 649, 1453, 1851), (8, 1000, 0, 1000), (0, 300, 4, 100)]:
    r = odds_ratio([[x1, n1 - x1], [x0, n0 - x0]], kind="conditional")
    ci = r.confidence_interval(0.95)
    out["odds"].append({"candidate": [x1, n1], "control": [x0, n0], "ratio": float(r.statistic) if np.isfinite(r.statistic) else None,
                        "lower": float(ci.low), "upper": float(ci.high) if np.isfinite(ci.high) else None})

rng = np.random.default_rng(7)
rows = np.round(np.column_stack([rng.gamma(2, 1, 30), rng.integers(1, 6, 30), rng.gamma(1, 4, 30), rng.integers(2, 9, 30)]), 3)
# The delta method written as the covariance of linearised per-unit values (N - R D) / mean(D).
z = np.column_stack([(rows[:, i] - rows[:, i].mean() / rows[:, i + 1].mean() * rows[:, i + 1]) / rows[:, i + 1].mean() for i in (0, 2)])
out["joint"] = {"rows": rows.tolist(), "covariance": (np.cov(z, rowvar=False) / len(rows)).tolist()}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "intervals.fixture.json"), "w") as f:
    json.dump(out, f)
    f.write("\n")
