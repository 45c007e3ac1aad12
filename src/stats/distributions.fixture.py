"""Makes distributions.fixture.json: tails and quantiles of the distributions with 60-digit arithmetic.

Run: /usr/bin/python3 distributions.fixture.py  (needs python3-mpmath 1.2 or newer)
Arguments are exact doubles; values are decimal strings. Rows: [name, parameters, x, cdf, sf] and [name, parameters, q, isf].
"""
import json
import math
import os
from mpmath import mp, mpf, betainc, gammainc, erfc, sqrt, loggamma, exp, log, findroot, hyp2f1, nstr

mp.dps = 60
LOW = mpf(10) ** -300


def s(v):
    return nstr(v, 22, min_fixed=0, max_fixed=0)


def gamma_lower(a, x):
    # positive series, safe at any size
    a, x = mpf(a), mpf(x)
    term = 1 / a
    total = term
    n = 0
    while True:
        n += 1
        term *= x / (a + n)
        total += term
        if term < total * mpf(10) ** (5 - mp.dps) and n > x - a:
            break
    return exp(a * log(x) - x - loggamma(a)) * total


def beta_lower(a, b, x):
    # positive series x^a (1-x)^b / (a B) * sum (a+b)_n / (a+1)_n x^n, safe at any size
    a, b, x = mpf(a), mpf(b), mpf(x)
    term = mpf(1)
    total = term
    n = 0
    while True:
        n += 1
        term *= (a + b + n - 1) / (a + n) * x
        total += term
        if term < total * mpf(10) ** -55 and (a + b + n) * x < (a + n + 1):
            break
        if n > 3_000_000:
            raise RuntimeError((a, b, x))
    return exp(loggamma(a + b) - loggamma(a) - loggamma(b) + a * log(x) + b * log(1 - x)) * total / a


def gamma_tails(a, x):
    a, x = mpf(a), mpf(x)
    low = gamma_lower(a, x)
    if 1 - low > mpf(10) ** -30:
        return low, 1 - low
    mp.dps = 420  # 1 - low has cancelled
    low = gamma_lower(a, x)
    return low, 1 - low


def beta_tails(a, b, x):
    a, b, x = mpf(a), mpf(b), mpf(x)
    mean = a / (a + b)
    if x <= mean:
        low = beta_lower(a, b, x)
        return low, 1 - low
    high = beta_lower(b, a, 1 - x)
    return 1 - high, high


rows = []


def keep(name, params, x, tails):
    low, high = tails
    if low > LOW and high > LOW:
        rows.append([name, params, x, s(low), s(high)])
    mp.dps = 60


for x in [-30, -8.3, -2.6, -2.4, -0.7, -1e-9, 0.001, 0.3, 1.1, 1.9, 2.49, 2.51, 3.3, 4.7, 6.1, 9.2, 14.6, 22.2, 30.3, 36.6]:
    keep("normal", [], x, (erfc(-mpf(x) / sqrt(2)) / 2, erfc(mpf(x) / sqrt(2)) / 2))
for df in [0.3, 1, 1.5, 2, 3, 4.4, 7, 12, 29, 31, 45, 111.5, 400, 3000, 58595.5, 1e6, 1e7, 1e8]:
    for t in [1e-8, 0.02, 0.4, 0.9, 1.3, 1.7, 2.2, 3.1, 4.5, 7, 11, 17, 26, 36]:
        d, u = mpf(df), mpf(t)
        x = d / (d + u * u)
        if x <= (d / 2) / (d / 2 + mpf(1) / 2):
            tail = beta_lower(d / 2, mpf(1) / 2, x) / 2 if x < 0.999 else betainc(d / 2, mpf(1) / 2, 0, x, regularized=True) / 2
        else:
            tail = (1 - beta_lower(mpf(1) / 2, d / 2, 1 - x)) / 2
        keep("studentT", [df], t, (1 - tail, tail))
for a in [0.001, 0.05, 0.3, 0.5, 0.8, 1, 1.7, 4, 9.5, 20, 50.5, 200, 1000, 12345.5, 100000]:
    sd = math.sqrt(a)
    for x in [a * 1e-6, a * 0.01, a * 0.3, a - 7 * sd, a - 3 * sd, a - 0.5 * sd, a, a + 0.2 * sd, a + 1.5 * sd, a + 4 * sd, a + 9 * sd, a + 15 * sd, 0.4, 1.2, 1.6, 5, 30.0, 300.0]:
        if x > 0 and x > a * 0.05 - 1 and x < a + 25 * sd + 320:
            keep("gamma", [a], x, gamma_tails(a, x))
for a, b in [(0.01, 0.02), (0.2, 3), (0.5, 0.5), (0.9, 40), (1, 1), (1, 7), (1.3, 0.4), (2, 3), (2.5, 200), (5, 100000), (14, 0.5), (16, 0.5), (16, 0.9), (16, 1.1),
             (30, 12), (80, 80.5), (120, 0.7), (300, 4), (700, 7000), (1000.5, 3), (5000, 5000), (40000, 2), (20000, 60000), (100000, 900000), (500000, 500000), (999000, 1000)]:
    mean = a / (a + b)
    sd = math.sqrt(mean * (1 - mean) / (a + b + 1))
    for x in [1e-20, 1e-6, 0.03, 0.2, 0.5, 0.69, 0.71, 0.9, 0.999, 1 - 2**-30] + [mean + k * sd for k in (-20, -9, -4, -1.5, -0.3, 0, 0.2, 1.1, 3, 6, 12, 25)]:
        if 0 < x < 1 and abs(x - mean) < 60 * sd or x in (1e-20,) and a < 1:
            try:
                keep("beta", [a, b], x, beta_tails(a, b, x))
            except RuntimeError:
                pass
for d1, d2 in [(1, 1), (2, 9.5), (7, 30), (40, 3), (500, 800)]:
    for f in [1e-5, 0.1, 0.7, 1, 1.4, 3, 12, 200]:
        x = mpf(d1) * mpf(f) / (mpf(d1) * mpf(f) + d2)
        keep("fisherF", [d1, d2], f, beta_tails(mpf(d1) / 2, mpf(d2) / 2, x))
for n, p in [(1, 0.3), (10, 0.5), (40, 0.02), (1000, 0.002), (1000, 0.7), (100000, 0.01), (1000000, 0.5)]:
    m, sd = n * p, math.sqrt(n * p * (1 - p))
    for k in sorted({int(m + z * sd) for z in (-12, -5, -2, -0.5, 0, 1, 3, 7, 15)}):
        if 0 <= k < n:
            high, low = beta_tails(k + 1, n - k, p)
            keep("binomial", [n, p], k, (low, high))
for m in [0.01, 0.6, 1, 4.5, 30, 700.5, 50000]:
    for k in sorted({int(m + z * math.sqrt(m)) for z in (-10, -4, -1, 0, 2, 6, 14)} | {0, 3}):
        if k >= 0 and k > m - 30 * math.sqrt(m) - 1:
            high, low = gamma_tails(k + 1, m)
            keep("poisson", [m], k, (low, high))

inverse = []


def solve(log_tail, target, x0):
    """x > 0 with log_tail(x) = target, by secant in ln x from a bracketed start."""
    lo, hi = mpf(log(x0)) - 1, mpf(log(x0)) + 1
    f = lambda v: log_tail(exp(v)) - target
    sign = f(hi) > f(lo)
    while (f(lo) > 0) == sign:
        lo -= 40
    while (f(hi) > 0) != sign:
        hi += 2
    for _ in range(60):
        mid = (lo + hi) / 2
        if (f(mid) > 0) == sign:
            hi = mid
        else:
            lo = mid
    return exp(findroot(f, (lo, hi), solver="anderson", tol=1e-40))


for q in ["0.4999", "0.3", "0.26", "0.24", "0.1", "0.01", "1e-5", "1e-9", "1e-30", "1e-120", "1e-290", "0.7", "0.9", "0.9999"]:
    v = mpf(float(q))
    f = lambda x: (erfc(x / sqrt(2)) / 2 - v) if v > 1e-3 else log(erfc(x / sqrt(2)) / 2) - log(v)
    x = findroot(f, float(sqrt(-2 * log(min(v, 1 - v)))) * (1 if v < 0.5 else -1) * 0.9 + 1e-3, tol=1e-45)
    inverse.append(["normal", [], float(q), s(x)])
for a in [0.02, 0.4, 0.5, 1, 3.3, 25, 400, 9000]:
    for q in [0.9999, 0.7, 0.2, 0.025, 1e-4, 1e-10, 1e-40]:
        if a >= 0.4 or q <= 0.2:
            mp.dps = 110  # 1 - low cancels up to 40 digits
            x = solve(lambda x: log(1 - gamma_lower(a, x)), log(mpf(q)), a + 1)
            mp.dps = 60
            inverse.append(["gamma", [a], q, s(x)])
for df in [1, 2.2, 6, 40, 700, 90000]:
    for q in [0.4999, 0.3, 0.2, 0.025, 1e-3, 1e-7, 1e-15, 1e-40, 1e-100]:
        t = solve(lambda t: log(betainc(mpf(df) / 2, mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2) if t > 0.01 else log(mpf(1) / 2 - betainc(mpf(1) / 2, mpf(df) / 2, 0, t * t / (df + t * t), regularized=True) / 2), log(mpf(q)), mpf(2))
        inverse.append(["studentT", [df], q, s(t)])
for a, b in [(0.3, 0.6), (1, 4), (3, 8), (40, 0.6), (60, 300), (2000, 18000)]:
    for q in [0.999, 0.8, 0.4, 0.025, 1e-6, 1e-12]:
        def tail(odds, a=a, b=b):
            x = odds / (1 + odds)
            return log(beta_tails(a, b, x)[1])
        o = solve(tail, log(mpf(q)), mpf(a) / b)
        inverse.append(["beta", [a, b], q, s(o / (1 + o))])

here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "distributions.fixture.json"), "w") as f:
    f.write('{"tails": [\n' + ",\n".join(json.dumps(r) for r in rows) + '\n],\n"inverse": [\n' + ",\n".join(json.dumps(r) for r in inverse) + "\n]}\n")
print(len(rows), len(inverse))
