"""Makes recursive-integration.fixture.json: chances of crossing boundaries from their definition as iterated integrals of
normal densities, in 25 digits.

Run: /usr/bin/python3 recursive-integration.fixture.py  (needs python3-mpmath)
"""
import json
import os
from mpmath import mp, mpf, sqrt, exp, pi, erfc, quad, linspace

mp.dps = 25


def sf(x):
    return erfc(x / sqrt(mpf(2))) / 2


def density(x, s2):
    return exp(-x * x / (2 * s2)) / sqrt(2 * pi * s2)


def crossings(t, low, high, drift):
    t, low, high, drift = [mpf(v) for v in t], [mpf(v) for v in low], [mpf(v) for v in high], mpf(drift)
    a, b = [l * sqrt(s) for l, s in zip(low, t)], [h * sqrt(s) for h, s in zip(high, t)]

    def step(k, x):
        """[upper, lower] of leaving at look k from x at look k - 1."""
        before = t[k - 1] if k else mpf(0)
        d = t[k] - before
        return sf((b[k] - x - drift * d) / sqrt(d)), sf((x + drift * d - a[k]) / sqrt(d))

    up, down = [step(0, mpf(0))[0]], [step(0, mpf(0))[1]]
    first = lambda x: density(x - drift * t[0], t[0])
    cuts = linspace(a[0], b[0], 9)
    for side, out in ((0, up), (1, down)):
        out.append(quad(lambda x: first(x) * step(1, x)[side], cuts))
    if len(t) == 3:
        d = t[1] - t[0]
        inner = lambda y: quad(lambda x: first(x) * density(y - x - drift * d, d), cuts)
        # The middle density is smooth: taken once at the nodes of both outer integrals.
        nodes = {}

        def middle(y):
            if y not in nodes:
                nodes[y] = inner(y)
            return nodes[y]

        outer = linspace(a[1], b[1], 9)
        for side, out in ((0, up), (1, down)):
            out.append(quad(lambda y: middle(y) * step(2, y)[side], outer, maxdegree=5))
    return {"information": [float(v) for v in t], "lower": [float(v) for v in low], "upper": [float(v) for v in high],
            "drift": float(drift), "above": [float(v) for v in up], "below": [float(v) for v in down]}


cases = [
    crossings([0.5, 1], [-2.178, -2.178], [2.178, 2.178], 0),
    crossings([0.5, 1], [-2.797, -1.977], [2.797, 1.977], 2.8),
    crossings([0.125, 1], [0.25, 1.96], [3.5, 1.96], 3),
    crossings([0.96875, 1], [-2.2, -2.1], [2.2, 2.1], 1),
    crossings([0.03125, 1], [-5, -1.97], [5, 1.97], 0),
    crossings([0.125, 0.1875], [-7, -5.5], [7, 5.5], 0),
    crossings([0.25, 0.5, 1], [-4, -2.875, -2], [4, 2.875, 2], 0),
    crossings([0.25, 0.5, 1], [-0.5, 0.75, 2], [3.75, 2.5, 2], 2.9375),
    crossings([0.25, 0.3125, 1], [-2.25, -2.25, -2.25], [2.25, 2.25, 2.25], -1.5),
]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "recursive-integration.fixture.json"), "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
