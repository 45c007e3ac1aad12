"""A program that knows OpenFeature and nothing of Assay: prints {unit: [variant, reason, experiment]} for some users, one JSON line."""

import json
import os
import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext


def main(url: str, flag: str, count: int) -> None:
    token = os.environ["ASSAY_TOKEN"]
    api.set_provider(OFREPProvider(url, headers_factory=lambda: {"Authorization": f"Bearer {token}"}))
    client = api.get_client()
    answers = {}
    for index in range(count):
        unit = f"user-{index}"
        details = client.get_string_details(flag, "none", EvaluationContext(targeting_key=unit))
        answers[unit] = [details.value, str(details.reason), details.flag_metadata.get("experiment")]
    missing = client.get_string_details("nobody", "mine", EvaluationContext(targeting_key="u"))
    anonymous = client.get_string_details(flag, "mine", EvaluationContext())
    print(json.dumps({"answers": answers, "missing": str(missing.error_code), "anonymous": str(anonymous.error_code)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
