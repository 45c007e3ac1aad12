"""Makes model-quality.fixture.json: kappa of statsmodels, the one-sample Kolmogorov law of scipy and of mpmath,
Tango's interval from its definition in 30 digits.

Run: /usr/bin/python3 model-quality.fixture.py  (needs python3-statsmodels, python3-scipy, python3-mpmath)
"""
import json
import os
import numpy as np
from mpmath import mp, mpf, sqrt, erfinv, factorial
from scipy.stats import kstwo
from scipy.special import kolmogorov
from statsmodels.stats.inter_rater import cohens_kappa

mp.dps = 30
Z = sqrt(2) * erfinv(mpf("0.95"))
out = {"kappa": [], "kolmogorov": [], "limit": [], "tango": []}
for table in ([[20, 5], [10, 15]], [[88, 14, 18], [10, 40, 10], [2, 6, 12]], [[30, 4, 1, 0], [6, 20, 5, 2], [1, 3, 25, 8], [0, 1, 2, 12]]):
    for wt, name in ((None, "equal"), ("linear", "linear"), ("quadratic", "quadratic")):
        k = cohens_kappa(np.array(table), wt=wt)
        out["kappa"].append({"table": table, "weights": name, "kappa": float(k.kappa), "se": float(k.std_kappa), "se0": float(k.std_kappa0)})
for n in (1, 2, 5, 25, 80, 1000, 20000):
    for x in (0.4, 0.6, 0.9, 1.3, 1.8, 2.2, 3.5, 6):
        d = x / n ** 0.5
        if 0.5 / n < d < 1:
            out["kolmogorov"].append([n, d, float(kstwo.sf(d, n))])


def durbin(n, d):
    """P(D >= d) by Durbin's matrix in 40 digits: scipy turns to an approximation good to 1e-6 between n = 140 and 100,000."""
    d = mpf(d)
    k = int(n * d) + 1
    h, m = k - n * d, 2 * k - 1
    a = np.array([[mpf(1) if i - j + 1 >= 0 else mpf(0) for j in range(m)] for i in range(m)], dtype=object)
    for i in range(m):
        a[i, 0] -= h ** (i + 1)
        a[m - 1, i] -= h ** (m - i)
    a[m - 1, 0] += (2 * h - 1) ** m if 2 * h > 1 else 0
    for i in range(m):
        for j in range(m):
            if i - j + 1 > 0:
                a[i, j] /= factorial(i - j + 1)
    result, base, e = None, a, n
    while e:
        if e & 1:
            result = base if result is None else result.dot(base)
        base = base.dot(base) if e > 1 else base
        e >>= 1
    return float(1 - result[k - 1, k - 1] * factorial(n) / mpf(n) ** n)


mp.dps = 40
out["kolmogorov"] += [[n, d, durbin(n, d)] for n, d in ((160, 0.05), (300, 0.6 / 300 ** 0.5), (300, 0.07), (500, 0.02), (500, 0.055))]
mp.dps = 30
out["limit"] = [[x, float(kolmogorov(x))] for x in (0.2, 0.5, 0.99, 1.0, 1.5, 3, 8)]


def tango(c, b, n):
    """b rows only the control, c only the candidate; all deltas with |score| <= Z, the nuisance share from its likelihood's slope."""
    seen = (mpf(c) - b) / n

    def excess(delta):
        low, high = max(mpf(0), -delta), (1 - delta) / 2
        for _ in range(110):
            q = (low + high) / 2
            if q + delta <= 0 or q <= 0:
                low = q if c or b else low
                break
            rest = 1 - 2 * q - delta
            slope = (c / (q + delta) if c else 0) + (b / q if b else 0) - (2 * (n - b - c) / rest if n > b + c and rest > 0 else 0)
            if n > b + c and rest <= 0:
                slope = -1
            low, high = (q, high) if slope > 0 else (low, q)
        v = n * (2 * q + delta * (1 - delta))
        return (c - b - n * delta) ** 2 - Z * Z * v
    ends = []
    for limit in (mpf(-1), mpf(1)):
        inside, outside = seen, limit
        for _ in range(110):
            mid = (inside + outside) / 2
            inside, outside = (mid, outside) if excess(mid) <= 0 else (inside, mid)
        ends.append(float(inside))
    return ends


for c, b, n in [(150, 86, 1600), (21, 9, 100), (9, 21, 30), (5, 0, 40), (1, 1, 3), (12, 3, 44), (0, 7, 7)]:
    out["tango"].append({"onlyCandidate": c, "onlyControl": b, "n": n, "interval": tango(c, b, n)})
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "model-quality.fixture.json"), "w") as f:
    json.dump(out, f)
    f.write("\n")
