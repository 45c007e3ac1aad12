# Chances of optimized multileaving by another solver. Run: python3 multileaving.fixture.py > multileaving.fixture.json
# (scipy's HiGHS; least total unfairness first, then least spread of the lists' credits)
import json
import numpy as np
from scipy.optimize import linprog


def plan(rankings):
    n = len(rankings[0])
    lists = [()]
    for _ in range(n):
        longer = []
        for shown in lists:
            best = []
            for ranking in rankings:
                item = next((i for i in ranking if i not in shown), None)
                if item is not None and item not in best:
                    best.append(item)
            longer += [shown + (item,) for item in best]
        lists = longer
    credit = lambda item, ranking: 1 / (ranking.index(item) + 1) if item in ranking else 1 / (len(ranking) + 1)
    credits = np.array([[[credit(item, r) for r in rankings] for item in shown] for shown in lists])
    sums = (credits / np.arange(1, n + 1)[None, :, None]).sum(1)
    spreads = ((sums - sums.mean(1, keepdims=True)) ** 2).sum(1)
    fair = np.array([credits[:, :k, j].sum(1) - credits[:, :k, 0].sum(1)
                     for k in range(1, n + 1) for j in range(1, len(rankings))])
    m = len(fair)
    equations = np.hstack([np.vstack([fair, np.ones(len(lists))]),
                           np.vstack([np.hstack([np.eye(m), -np.eye(m)]), np.zeros(2 * m)])])
    least = linprog(np.r_[np.zeros(len(lists)), np.ones(2 * m)], A_eq=equations, b_eq=[0] * m + [1], method='highs')
    best = linprog(np.r_[spreads, 1e4 * spreads.max() * np.ones(2 * m)], A_eq=equations, b_eq=[0] * m + [1], method='highs')
    return {'rankings': rankings, 'imbalance': least.fun, 'spread': float(spreads @ best.x[:len(lists)])}


print(json.dumps([plan([[1, 2, 3], [2, 3, 4], [4, 1, 2]]), plan([[1, 2, 3, 4], [2, 4, 1, 3], [5, 1, 4, 2]]),
                  plan([[1, 2], [3, 4], [5, 6]])], indent=2))
