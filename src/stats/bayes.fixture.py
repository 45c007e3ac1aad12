"""Makes bayes.fixture.json: probabilities, losses and quantiles of posteriors in 30-digit arithmetic (mpmath).

Run: /usr/bin/python3 bayes.fixture.py  (needs python3-mpmath)
"""
import json
import os
from mpmath import mp, mpf, quad, beta, betainc, gamma, gammainc, ncdf, npdf, log, exp, sqrt, findroot

mp.dps = 30
out = {}


def linear(a, b, points):
    pts = sorted({mpf(a), mpf(b), *[mpf(p) for p in points if a < p < b]})
    return pts


def beta_law(a, b):
    m, s = mpf(a) / (a + b), sqrt(mpf(a) * b / (a + b) ** 2 / (a + b + 1))
    return dict(pdf=lambda x: x ** (a - 1) * (1 - x) ** (b - 1) / beta(a, b),
                cdf=lambda x: mpf(0) if x <= 0 else mpf(1) if x >= 1 else betainc(a, b, 0, x, regularized=True), mean=m, sd=s)


def compare(p, q, lo, hi):
    pts = linear(lo, hi, [l["mean"] + k * l["sd"] for l in (p, q) for k in (-12, -6, -3, -1, 0, 1, 3, 6, 12)])
    higher = quad(lambda x: q["pdf"](x) * p["cdf"](x), pts)
    lower = quad(lambda x: p["pdf"](x) * q["cdf"](x), pts)
    shortfall = quad(lambda x: q["cdf"](x) * (1 - p["cdf"](x)), pts)
    excess = quad(lambda x: p["cdf"](x) * (1 - q["cdf"](x)), pts)
    return [float(v) for v in (higher, lower, shortfall, excess)]


out["beta"] = []
for x0, n0, x1, n1, a, b in [(49, 100, 51, 100, 1, 1), (120, 1000, 150, 1000, 1, 1), (0, 40, 5, 50, 1, 1), (3, 20, 4, 25, 0.5, 0.5), (40, 60, 2, 50, 2, 3)]:
    a, b = mpf(a), mpf(b)
    p, q = beta_law(a + x0, b + n0 - x0), beta_law(a + x1, b + n1 - x1)
    row = {"control": [x0, n0], "candidate": [x1, n1], "prior": [float(a), float(b)], "answers": compare(p, q, mpf(0), mpf(1))}
    out["beta"].append(row)

out["gamma"] = []
for e0, t0, e1, t1, a, r in [(11, 800, 23, 900, 0.5, 0), (0, 10, 4, 12, 1, 1), (200, 100, 150, 90, 0.5, 0)]:
    a = mpf(a)

    def law(e, t):
        k, rate = a + e, mpf(r) + t
        return dict(pdf=lambda x: rate ** k * x ** (k - 1) * exp(-rate * x) / gamma(k), cdf=lambda x: gammainc(k, 0, rate * x, regularized=True),
                    mean=k / rate, sd=sqrt(k) / rate)
    p, q = law(e0, t0), law(e1, t1)
    hi = max(l["mean"] + 25 * l["sd"] for l in (p, q))
    hi = max(hi, 60 * max(p["sd"], q["sd"]))
    out["gamma"].append({"control": [e0, t0], "candidate": [e1, t1], "prior": [float(a), r], "answers": compare(p, q, mpf(0), hi)})

out["best"] = []
for mu, sd in [(["0", "0.1", "0.2"], ["0.1", "0.1", "0.1"]), (["0.10", "0.101", "0.099"], ["0.0005", "0.0005", "0.03"]),
               (["0", "1"], ["0.2", "0.1"]), (["5", "4", "3", "2"], ["1", "0.01", "3", "0.5"])]:
    mu, sd = [mpf(v) for v in mu], [mpf(v) for v in sd]
    lo, hi = min(m - 15 * s for m, s in zip(mu, sd)), max(m + 15 * s for m, s in zip(mu, sd))
    pts = sorted({lo, hi, *[m + k * s for m, s in zip(mu, sd) for k in (-12, -8, -4, -2, -1, 0, 1, 2, 4, 8, 12) if lo < m + k * s < hi]})
    best, loss = [], []
    for i in range(len(mu)):
        def others(x):
            v = mpf(1)
            for j in range(len(mu)):
                if j != i:
                    v *= ncdf((x - mu[j]) / sd[j])
            return v
        best.append(float(quad(lambda x: npdf((x - mu[i]) / sd[i]) / sd[i] * others(x), pts)))
        loss.append(float(quad(lambda x: ncdf((x - mu[i]) / sd[i]) * (1 - others(x)), pts)))
    out["best"].append({"mean": [float(m) for m in mu], "sd": [float(s) for s in sd], "probability": best, "loss": loss})

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "bayes.fixture.json"), "w") as f:
    json.dump(out, f, indent=1)
    f.write("\n")
