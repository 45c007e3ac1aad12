"""Makes margins.fixture.json: margin tests of means and Hotelling's T-squared of statsmodels 0.13, score tests of rates from their
definition. (The score test of statsmodels 0.13 is of no use here: one coefficient of its cubic holds the count where the
number of units belongs, so its rates are not the likeliest ones, and it multiplies the variance by N / (N - 1) unasked.)

Run: /usr/bin/python3 margins.fixture.py  (needs python3-statsmodels, python3-mpmath)
"""
import json
import os
import numpy as np
from mpmath import mp, mpf, ncdf, sqrt
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW
from statsmodels.stats.multivariate import test_mvmean_2indep

out = {"rates": [], "means": []}
mp.dps = 30
for x1, n1, x0, n0, margin in [(56, 70, 48, 60, 0.1), (5, 56, 1, 29, 0.2), (180, 2000, 200, 2000, 0.02), (1, 1000, 2, 400, 0.01), (95, 100, 96, 100, 0.08)]:
    m = mpf(repr(margin))
    low, high = m, mpf(1)
    # The likelihood's slope by the control's rate falls; the candidate's rate is that rate less the margin.
    for _ in range(110):
        p = (low + high) / 2
        q = p - m
        slope = x0 / p - (n0 - x0) / (1 - p) + x1 / q - (n1 - x1) / (1 - q)
        low, high = (p, high) if slope > 0 else (low, p)
    z = (mpf(x1) / n1 - mpf(x0) / n0 + m) / sqrt(p * (1 - p) / n0 + q * (1 - q) / n1)
    out["rates"].append({"candidate": [x1, n1], "control": [x0, n0], "margin": margin, "statistic": float(z), "pValue": float(ncdf(-z))})
rng = np.random.default_rng(11)
for n1, n0, shift, margin in [(12, 15, 0.1, 0.8), (40, 9, -0.2, 0.5)]:
    x1, x0 = np.round(rng.normal(shift, 1, n1), 3), np.round(rng.normal(0, 1.5, n0), 3)
    cm = CompareMeans(DescrStatsW(x1), DescrStatsW(x0))
    low, upp = (cm.ttest_ind(alternative=side, usevar="unequal", value=value) for side, value in (("larger", -margin), ("smaller", margin)))
    p = max(low[1], upp[1])
    ci = cm.tconfint_diff(0.1, usevar="unequal")
    out["means"].append({"candidate": x1.tolist(), "control": x0.tolist(), "margin": margin, "pValue": float(p), "notInferior": float(low[1]), "interval": [float(v) for v in ci]})
a, b = np.round(rng.normal(0, 1, (25, 3)), 3), np.round(rng.normal(0.3, 1, (31, 3)), 3)
r = test_mvmean_2indep(a, b)
out["hotelling"] = {"control": a.tolist(), "candidate": b.tolist(), "statistic": float(r.statistic), "pValue": float(r.pvalue), "df": [float(v) for v in r.df]}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "margins.fixture.json"), "w") as f:
    json.dump(out, f)
    f.write("\n")
