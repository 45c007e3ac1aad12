"""Makes accuracy.fixture.json: densities, inverses and very deep tails with 60-digit arithmetic.

Run: /usr/bin/python3 accuracy.fixture.py  (needs python3-mpmath 1.2 or newer; reads ../../src/stats/distributions.fixture.json)
Arguments are exact doubles, values decimal strings. Rows: [distribution, parameters, function, argument, value].

Inverses are made from the tails there: at an exact double x the tail is P. With p the double nearest to P, the
point where the tail is exactly p lies (p - P) / pdf(x) further; what is left out is of the order of that step's square.
"""
import json
import os
from mpmath import betainc, erfc, exp, gammainc, log, loggamma, mp, mpf, nstr, pi, sqrt

mp.dps = 60
here = os.path.dirname(os.path.abspath(__file__))
tails = json.load(open(os.path.join(here, "../../src/stats/distributions.fixture.json")))["tails"]


def s(v):
    return nstr(v, 22, min_fixed=0, max_fixed=0)


def log_beta(a, b):
    return loggamma(a) + loggamma(b) - loggamma(a + b)


def pdf(name, params, x):
    p, x = [mpf(v) for v in params], mpf(x)
    if name == "normal":
        return exp(-x * x / 2) / sqrt(2 * pi)
    if name == "studentT":
        return exp(-log_beta(p[0] / 2, mpf(1) / 2) - (p[0] + 1) / 2 * log(1 + x * x / p[0])) / sqrt(p[0])
    if name == "gamma":
        return exp((p[0] - 1) * log(x) - x - loggamma(p[0]))
    if name == "beta":
        return exp((p[0] - 1) * log(x) + (p[1] - 1) * log(1 - x) - log_beta(p[0], p[1]))
    if name == "fisherF":
        a, b = p[0] / 2, p[1] / 2
        return exp(a * log(p[0] / p[1]) + (a - 1) * log(x) - (a + b) * log(1 + p[0] * x / p[1]) - log_beta(a, b))
    if name == "binomial":
        n, q = p
        return exp(loggamma(n + 1) - loggamma(x + 1) - loggamma(n - x + 1) + x * log(q) + (n - x) * log(1 - q))
    if name == "poisson":
        return exp(x * log(p[0]) - p[0] - loggamma(x + 1))
    raise ValueError(name)


rows = []
for name, params, x, cdf, sf in tails:
    density = pdf(name, params, x)
    if density > mpf(10) ** -300:
        rows.append([name, params, "pdf", x, s(density)])
    for function, tail, sign in (("quantile", mpf(cdf), 1), ("isf", mpf(sf), -1)):
        if not mpf(10) ** -300 < tail < mpf("0.999"):
            continue
        if name in ("binomial", "poisson"):
            # The smallest whole number whose cdf reaches p: a p just inside the step's edge, if the step is wide enough.
            p = float(tail * (1 - sign * mpf(10) ** -9))
            if density > tail * mpf(10) ** -8 and p < 1:
                rows.append([name, params, function, p, s(mpf(x))])
            continue
        p = float(tail)
        step = sign * (mpf(p) - tail) / density
        # A point can only be asked for where its neighbours differ in their tail.
        if abs(step) < abs(mpf(x)) * mpf(10) ** -12:
            rows.append([name, params, function, p, s(mpf(x) + step)])


def upper_gamma(a, x):
    """ln Q(a, x) far above the mean, by Legendre's continued fraction run backwards."""
    f = mpf(0)
    for n in range(4000, 0, -1):
        f = n * (n - mpf(a)) / (x + 2 * n + 1 - mpf(a) - f)
    return mpf(a) * log(mpf(x)) - x - loggamma(mpf(a)) - log(x + 1 - mpf(a) - f)


def lower_beta(a, b, x):
    """ln I_x(a, b) far below the mean, by the positive series."""
    a, b, x = mpf(a), mpf(b), mpf(x)
    term, total, n = mpf(1), mpf(1), 0
    while term > total * mpf(10) ** -50:
        n += 1
        term *= (a + b + n - 1) / (a + n) * x
        total += term
    return a * log(x) + b * log(1 - x) - log_beta(a, b) - log(a) + log(total)


def deep(name, params, x, value):
    assert value < -690, (name, params, x, value)
    rows.append([name, params, "logSf", x, s(value)])


for z in (38.0, 40.0, 60.5, 100.0, 1000.0, 30000.0):
    deep("normal", [], z, log(erfc(mpf(z) / sqrt(2)) / 2))
for df, t in ((5, 1e70), (30, 1e24), (30, 1e40), (400, 1e4), (1000, 60.0), (1000, 1e3), (1e5, 41.0), (1e6, 45.0), (1e8, 40.0), (1e8, 200.0)):
    x = mpf(df) / (mpf(df) + mpf(t) ** 2)
    deep("studentT", [df], t, lower_beta(mpf(df) / 2, mpf(1) / 2, x) - log(mpf(2)))
for a, x in ((0.05, 700.0), (0.5, 750.0), (1.7, 1e4), (50.5, 1200.0), (1000, 5000.0), (12345.5, 20000.0), (1e5, 2e5)):
    deep("gamma", [a], x, upper_gamma(a, mpf(x)))
for a, b, x in ((2.5, 200, 0.98), (5, 2000, 0.9), (300, 900, 0.9), (5000, 5000, 0.75), (500000, 500000, 0.55), (1000, 999000, 0.01)):
    deep("beta", [a, b], x, lower_beta(b, a, 1 - mpf(x)))
for n, p, k in ((1000, 0.002, 300), (100000, 0.01, 5000), (1000000, 0.5, 530000)):
    deep("binomial", [n, p], k, lower_beta(k + 1, n - k, mpf(p)))
for m, k in ((0.6, 200), (30, 600), (50000, 70000)):
    # P(X > k) = P(k + 1, m): positive series
    a, x = mpf(k + 1), mpf(m)
    term, total, n = 1 / a, 1 / a, 0
    while term > total * mpf(10) ** -50:
        n += 1
        term *= x / (a + n)
        total += term
    deep("poisson", [m], k, a * log(x) - x - loggamma(a) + log(total))
# The two ways above agree with mpmath's own functions where those still work.
assert abs(upper_gamma(0.5, mpf(750)) - log(gammainc(mpf("0.5"), 750, regularized=True))) < mpf(10) ** -40
assert abs(lower_beta(5, 2000, mpf("0.001")) - log(betainc(5, 2000, 0, mpf("0.001"), regularized=True))) < mpf(10) ** -40

with open(os.path.join(here, "accuracy.fixture.json"), "w") as f:
    f.write('{"rows": [\n' + ",\n".join(json.dumps(r) for r in rows) + "\n]}\n")
print(len(rows))
