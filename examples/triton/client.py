"""A caller that uses the real `tritonclient` and nothing of Assay: sends rows of the diabetes data through the gateway and prints
one JSON line per answer: {unit, variant, prediction id, y}. REST with binary tensors, REST with JSON, gRPC and gRPC streams."""

import json
import queue
import sys

import numpy as np
import tritonclient.grpc as by_grpc
import tritonclient.http as by_http
from sklearn.datasets import load_diabetes

MODEL = "progress"


def say(unit: str, way: str, headers: dict[str, str], y: float) -> None:
    answer = {
        "unit": unit,
        "way": way,
        "variant": headers.get("x-assay-variant"),
        "id": headers.get("x-assay-prediction-id"),
        "y": y,
    }
    print(json.dumps(answer))


def rest(address: str, rows: np.ndarray, is_binary: bool) -> None:
    seen: dict[str, str] = {}

    class Client(by_http.InferenceServerClient):
        """The client gives no access to reply headers, so they are noted on their way."""

        def _post(self, *arguments, **more):
            reply = super()._post(*arguments, **more)
            seen.clear()
            seen.update({name.lower(): value for name, value in reply.items()})
            return reply

    client = Client(address)
    assert client.is_model_ready(MODEL)
    for index, row in enumerate(rows):
        tensor = by_http.InferInput("x", [1, 10], "FP32")
        tensor.set_data_from_numpy(row[None].astype(np.float32), binary_data=is_binary)
        output = by_http.InferRequestedOutput("y", binary_data=is_binary)
        unit = f"patient-{index}"
        result = client.infer(MODEL, [tensor], outputs=[output], headers={"x-user-id": unit}, request_id=f"r{index}")
        assert result.get_response()["id"] == f"r{index}"
        say(unit, "binary" if is_binary else "json", seen, float(result.as_numpy("y")[0, 0]))


def grpc(address: str, rows: np.ndarray) -> None:
    client = by_grpc.InferenceServerClient(address)
    assert client.is_server_ready() and client.is_model_ready(MODEL)
    assert client.get_model_metadata(MODEL).name == MODEL
    for index, row in enumerate(rows):
        tensor = by_grpc.InferInput("x", [1, 10], "FP32")
        tensor.set_data_from_numpy(row[None].astype(np.float32))
        unit = f"patient-{index}"
        result = client.infer(MODEL, [tensor], headers={"x-user-id": unit})
        say(unit, "grpc", {}, float(result.as_numpy("y")[0, 0]))


def stream(address: str, rows: np.ndarray) -> None:
    client = by_grpc.InferenceServerClient(address)
    answers: queue.Queue = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)), headers={"x-user-id": "patient-0"})
    for row in rows:
        tensor = by_grpc.InferInput("x", [1, 10], "FP32")
        tensor.set_data_from_numpy(row[None].astype(np.float32))
        client.async_stream_infer(MODEL, [tensor])
    for _ in rows:
        result, error = answers.get(timeout=60)
        assert error is None, error
        say("patient-0", "stream", {}, float(result.as_numpy("y")[0, 0]))
    client.stop_stream()


if __name__ == "__main__":
    http_address, grpc_address = sys.argv[1:3]
    data = load_diabetes().data[: int(sys.argv[3])]
    rest(http_address, data, True)
    rest(http_address, data[:20], False)
    grpc(grpc_address, data)
    stream(grpc_address, data[:10])
