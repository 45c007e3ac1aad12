"""Sends outcomes as CloudEvents with the real Python SDK: binary, structured, and two of them as a batch. Reads a list of
{unit, id} on stdin; ids are sent twice, in another form, to see that they count once."""

import json
import sys

import requests
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent


def event(each: dict) -> CloudEvent:
    attributes = {
        "id": each["id"],
        "source": "/shop/caf\u00e9",
        "type": "com.example.like.v1",
        "specversion": "1.0",
        "subject": f"unit/{each['unit']}",
        "datacontenttype": "application/json",
    }
    return CloudEvent(attributes, {"value": True})


def main(url: str) -> None:
    events = [event(each) for each in json.load(sys.stdin)]
    for index, each in enumerate(events):
        message = (to_binary_event, to_structured_event)[index % 2](each)
        reply = requests.post(url, headers=message.headers, data=message.body, timeout=30)
        reply.raise_for_status()
        assert reply.json() == {"accepted": 1}, reply.text
    batch = "[" + ",".join(to_structured_event(each).body.decode() for each in events) + "]"
    headers = {"content-type": "application/cloudevents-batch+json"}
    reply = requests.post(url, headers=headers, data=batch.encode(), timeout=30)
    reply.raise_for_status()
    assert reply.json() == {"accepted": len(events)}, reply.text


if __name__ == "__main__":
    main(sys.argv[1])
