"""Writes vectors.fixture.json: `python3 src/assignment/vectors.fixture.py`.

An implementation of docs/assignment.md that shares nothing with the TypeScript one; standard library only. The part
between the markers stands in docs/assignment.md as the port to copy.
"""
import json
import pathlib

# port begins
M = 0xFFFFFFFF

def murmur3(data: bytes, seed: int) -> int:
    h = seed
    for i in range(0, len(data), 4):
        k = int.from_bytes(data[i:i + 4], "little") * 0xCC9E2D51 & M
        h ^= (k << 15 | k >> 17) * 0x1B873593 & M
        if i + 4 <= len(data):
            h = ((h << 13 | h >> 19) * 5 + 0xE6546B64) & M
    h ^= len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & M
    h = (h ^ h >> 13) * 0xC2B2AE35 & M
    return h ^ h >> 16

def assign(salt, coverage, ranges, control, unit):
    bucket = lambda name: murmur3(unit.encode(), murmur3(f"{salt}/{name}".encode(), 0))
    if bucket("coverage") >= int(coverage * 2**32 + 0.5):
        return control, "not-covered"
    return next(r["variant"] for r in ranges if bucket("split") < r["to"]), "split"
# port ends

# Published values of MurmurHash3_x86_32, so that the vectors do not rest on this file alone:
# https://en.wikipedia.org/wiki/MurmurHash#Test_vectors
PUBLISHED = [
    ("", 0x00000000, 0x00000000),
    ("", 0x00000001, 0x514E28B7),
    ("", 0xFFFFFFFF, 0x81F16F39),
    ("test", 0x00000000, 0xBA6BD213),
    ("test", 0x9747B28C, 0x704B81DC),
    ("Hello, world!", 0x00000000, 0xC0363E43),
    ("Hello, world!", 0x9747B28C, 0x24884CBA),
    ("The quick brown fox jumps over the lazy dog", 0x00000000, 0x2E4FF723),
    ("The quick brown fox jumps over the lazy dog", 0x9747B28C, 0x2FA826CD),
]

UNITS = [
    "", "1", "12", "123", "1234", "12345", "user_1", "user_2", "user_100000",
    "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "alice@example.com", "é", "üser-ß", "用户-42", "пользователь", "🦊", "a🦊b",
    "e\u0301", "\ufffd", " user_1", "User_1", "x" * 512, "\x00", "\x7f\x80",
]


def allocate(weights):
    total = sum(weights.values())
    widths = {name: weight * 2**32 // total for name, weight in weights.items()}
    order = sorted(weights, key=lambda name: -(weights[name] * 2**32 % total))
    for name in order[: 2**32 - sum(widths.values())]:
        widths[name] += 1
    ranges, start = [], 0
    for name, width in widths.items():
        if width:
            ranges.append({"variant": name, "from": start, "to": start + width})
        start += width
    return ranges


def main():
    for text, seed, expected in PUBLISHED:
        assert murmur3(text.encode(), seed) == expected, (text, seed)
    weightings = [
        {"baseline": 70, "enhanced": 30},
        {"a": 50, "b": 50},
        {"a": 1, "b": 1, "c": 1},
        {"a": 33, "b": 33, "c": 34},
        {"a": 0, "b": 5},
        {"a": 1, "b": 999999},
        {"a": 1000003, "b": 7, "c": 499979, "d": 0, "e": 13},
    ]
    experiments = [
        ("default/financial-forecast", 1, weightings[0], "baseline"),
        ("default/exp-1", 0.5, weightings[1], "a"),
        ("default/exp-2", 0.05, weightings[2], "a"),
        ("größe/实验", 0.2, weightings[3], "c"),
    ]
    document = {
        "hashes": [{"text": t, "seed": s, "hash": murmur3(t.encode(), s)} for t, s, _ in PUBLISHED]
        + [{"text": u, "seed": s, "hash": murmur3(u.encode(), s)} for u in UNITS for s in (0, 0x9747B28C)],
        "allocations": [
            {"weights": [{"variant": n, "weight": w} for n, w in weights.items()], "ranges": allocate(weights)}
            for weights in weightings
        ],
        "assignments": [],
    }
    for salt, coverage, weights, control in experiments:
        ranges = allocate(weights)
        rows = []
        for unit in UNITS:
            variant, reason = assign(salt, coverage, ranges, control, unit)
            bucket = lambda name: murmur3(unit.encode(), murmur3(f"{salt}/{name}".encode(), 0))
            rows.append({
                "unit": unit, "coverageBucket": bucket("coverage"), "splitBucket": bucket("split"),
                "variant": variant, "reason": reason,
            })
        document["assignments"].append(
            {"salt": salt, "coverage": coverage, "control": control, "ranges": ranges, "units": rows}
        )
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
