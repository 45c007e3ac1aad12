"""Asks the gateway as a program traced with the real Python SDK: one span of its own around each request, the request's own span and
its traceparent by the instrumentation of `requests`. Arguments: address, prefix of the users, how many."""

import sys

import requests
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
RequestsInstrumentor().instrument()

url, prefix, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
for each in range(count):
    with trace.get_tracer("shop").start_as_current_span("checkout"):
        reply = requests.post(url, json={}, headers={"x-user-id": f"{prefix}-{each}"}, timeout=60)
        reply.raise_for_status()
provider.shutdown()
