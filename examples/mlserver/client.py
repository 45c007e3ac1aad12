"""A caller by gRPC that uses MLServer's own messages and stubs and nothing of Assay. Reads {"rows": ...} on stdin, prints one JSON
line per answer: {unit, variant, id, label}."""

import json
import sys

import grpc
import mlserver.grpc.dataplane_pb2 as messages
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub


def main(address: str) -> None:
    stub = GRPCInferenceServiceStub(grpc.insecure_channel(address))
    assert stub.ModelReady(messages.ModelReadyRequest(name="digits")).ready
    for index, row in enumerate(json.load(sys.stdin)["rows"]):
        tensor = messages.ModelInferRequest.InferInputTensor(name="image", datatype="FP64", shape=[1, len(row)])
        tensor.contents.fp64_contents.extend(row)
        request = messages.ModelInferRequest(model_name="digits", inputs=[tensor])
        unit = f"writer-{index}"
        reply, call = stub.ModelInfer.with_call(request, metadata=[("x-user-id", unit)])
        headers = dict(call.initial_metadata())
        label = reply.outputs[0].contents.int64_contents[0]
        answer = {"unit": unit, "variant": headers["x-assay-variant"], "id": headers["x-assay-prediction-id"]}
        print(json.dumps({**answer, "label": label}))


if __name__ == "__main__":
    main(sys.argv[1])
