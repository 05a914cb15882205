"""A service that speaks OpenAI's chat completions and embeddings and needs no model: it answers from a text's words.

For tests, and for benchmarks that show the way from documents to queries without a model: a query is made of a
passage's rarer words, so that it can be answered by that passage. It is no substitute for a language model. The same
prompt always gets the same answer. It fails on request as real services do: see ``FAULTS``.

    python -m benchmarks.language_model_stand_in --port 8080
"""

from __future__ import annotations

import argparse
import json
import random
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = (
    "429", "500", "not the protocol", "broken JSON", "no JSON", "other JSON", "refusal",
    "refusal in words", "truncated", "empty", "copied", "slow", "dropped", "no schema", "no response format",
    "wrong key", "no such model", "too long", "a vector short", "other width", "not finite",
)  # fmt: skip
"""What may go wrong with an answer. ``no schema`` and ``no response format`` are servers that refuse such requests."""

Fault = Callable[[int, dict[str, Any]], str | None]
"""Says of a request, by its number from 1 and its body, what goes wrong with it; None: nothing."""

WIDTH = 64
"""Numbers of a vector."""

_STATUS = {"429": 429, "500": 500, "wrong key": 401, "no such model": 404, "too long": 400}
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "about after again also because been before being between both could during each from have having "
        "here into more most only other over same should some such than that their them then there these they "
        "this those through under until very were what when where which while will with would your",
    )
)


class LanguageModelStandIn:
    """The service; use :func:`running` to start it.

    Args:
        fault: What goes wrong, if anything does.
        delay: Seconds that every answer takes.

    Attributes:
        asked: The bodies of all requests, in the order in which they came.
        answered: The prompts, or the texts to be encoded, that got an answer with status 200.
        headers: Those of the last request.
        most_at_once: The most requests that were under way at once.
        gate: Requests wait here while it is shut.
        waiting: How many do.
    """

    def __init__(self, fault: Fault | None = None, delay: float = 0.0) -> None:
        self.fault, self.delay = fault or (lambda number, body: None), delay
        self.asked: list[dict[str, Any]] = []
        self.answered: list[str] = []
        self.headers: dict[str, str] = {}
        self.most_at_once = 0
        self.gate = threading.Event()
        self.gate.set()
        self.waiting = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self.url = ""

    @contextmanager
    def under_way(self, body: dict[str, Any], headers: dict[str, str]) -> Iterator[str | None]:
        """Take down a request; gives what goes wrong with it."""
        with self._lock:
            self.asked.append(body)
            self.headers = headers
            number = len(self.asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self.waiting += 1
            fault = self.fault(number, body)
        try:
            self.gate.wait()
            with self._lock:
                self.waiting -= 1
            time.sleep(self.delay)
            yield fault
        finally:
            with self._lock:
                self._at_once -= 1


@contextmanager
def running(fault: Fault | None = None, delay: float = 0.0, port: int = 0) -> Iterator[LanguageModelStandIn]:
    """The service on this machine, in threads of this process, until the block ends; its address is ``.url``."""
    model = LanguageModelStandIn(fault, delay)
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(model))
    server.daemon_threads = True
    model.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield model
    finally:
        model.gate.set()
        server.shutdown()
        server.server_close()


def _handler(model: LanguageModelStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/v1/models":
                self.send(200, {"object": "list", "data": [{"id": "stand-in", "object": "model"}]})
            else:
                self.send(404, {"error": {"message": "no such address"}})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path not in ("/v1/chat/completions", "/v1/embeddings"):
                self.send(404, {"error": {"message": "no such address"}})
                return
            with model.under_way(body, dict(self.headers)) as fault:
                self.answer(body, fault)

        def answer(self, body: dict[str, Any], fault: str | None) -> None:
            wanted = body.get("response_format", {}).get("type")
            refused = (fault == "no schema" and wanted == "json_schema") or (fault == "no response format" and wanted)
            if fault == "dropped":
                self.close_connection = True
                return
            if fault == "slow":
                time.sleep(2.5)
            if refused:
                self.send(400, {"error": {"message": f"response_format {wanted} is not supported"}})
            elif fault in _STATUS:
                status = _STATUS[fault]
                key = self.headers.get("Authorization", "no key")
                self.send(
                    status, {"error": {"message": f"{fault}, you came with {key}"}}, "0.2" if status == 429 else None
                )
            elif fault == "not the protocol":
                self.send(200, {"answer": 42})
            elif self.path == "/v1/embeddings":
                self.send(200, embeddings(body, fault))
                model.answered += body["input"]
            else:
                self.send(200, completion(body, fault))
                model.answered.append(body["messages"][-1]["content"])

        def send(self, status: int, value: Any, retry_after: str | None = None) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if retry_after is not None:
                self.send_header("Retry-After", retry_after)
            self.end_headers()
            try:
                self.wfile.write(content)
            except (BrokenPipeError, ConnectionResetError):  # the one who asked has gone
                self.close_connection = True

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    return Handler


def embeddings(body: dict[str, Any], fault: str | None = None) -> dict[str, Any]:
    """The body of an answer with vectors, the last text's first: texts that share words are near."""
    width = int(body.get("dimensions", WIDTH)) + (fault == "other width")
    data = [
        {"object": "embedding", "index": number, "embedding": embedding(text, width)}
        for number, text in enumerate(body["input"])
    ]
    if fault == "not finite":
        data[-1]["embedding"] = [None] * width
    if fault == "a vector short":
        data.pop()
    return {"object": "list", "model": body["model"], "data": data[::-1], "usage": {"prompt_tokens": 0}}


def embedding(text: str, width: int) -> list[float]:
    """The sum of a text's words' vectors, of any length."""
    drawn = (random.Random(word) for word in re.findall(r"\w+", text.casefold()))
    rows = [[word.gauss(0, 1) for _ in range(width)] for word in drawn]
    return [sum(column) for column in zip(*rows, strict=True)] or [0.0] * width


def completion(body: dict[str, Any], fault: str | None = None) -> dict[str, Any]:
    """The body of an answer."""
    prompt = body["messages"][-1]["content"]
    message: dict[str, Any] = {"role": "assistant", "content": said(prompt)}
    finish = "stop"
    if fault == "broken JSON":
        message["content"] = message["content"][:-1] + ", "
    elif fault == "no JSON":
        message["content"] = "Here is a query for you."
    elif fault == "other JSON":
        message["content"] = '{"question": "what is this"}'
    elif fault == "refusal":
        message |= {"content": None, "refusal": "I cannot help with that."}
    elif fault == "refusal in words":
        message["content"] = "I'm sorry, but I can't help with that."
    elif fault == "truncated":
        message["content"], finish = message["content"][: len(message["content"]) // 2], "length"
    elif fault == "empty":
        message["content"] = ""
    elif fault == "copied":
        message["content"] = json.dumps({"query": passage_of(prompt)})
    elif body.get("response_format") is None:
        message["content"] = f"<think>{{not this}}</think>Gladly!\n```json\n{message['content']}\n```"
    read = sum(len(each["content"]) // 4 for each in body["messages"])
    usage = {"prompt_tokens": read, "completion_tokens": len(message["content"] or "") // 4}
    return {
        "id": "chat", "object": "chat.completion", "model": body["model"], "usage": usage,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }  # fmt: skip


def said(prompt: str) -> str:
    """What is answered to one of the built-in templates: JSON, made of the prompt's words."""
    passage = passage_of(prompt)
    number = zlib.crc32(passage.encode())
    if '"configurations"' in prompt:
        types = re.findall(r"^\* (\w+):", _between(prompt, "Question types:", "Difficulties:"), re.MULTILINE)
        levels = re.findall(r"^\* (\w+):", _between(prompt, "Difficulties:", "Passage:"), re.MULTILINE)
        people = re.findall(r"^(\d+)\. ", _between(prompt, "Characters:", "Question types:"), re.MULTILINE)
        count = int(re.findall(r"Choose (\d+) different", prompt)[0])
        chosen = [
            {"character": int(people[(number + each) % len(people)]), "difficulty": levels[(number // 7) % len(levels)],
             "question_type": types[(number + each) % len(types)]}
            for each in range(count)
        ]  # fmt: skip
        return json.dumps({"configurations": chosen})
    if '"query"' in prompt:
        length = int(re.findall(r"about (\d+) words", prompt)[0])
        words = " ".join(salient(passage, max(2, length - 2)))
        kind = re.findall(r"Question type: (\w+)", prompt)[0]
        begins = {"keywords": "", "yes_or_no": "is it true that ", "summary": "overview of "}
        return json.dumps({"query": begins.get(kind, "what about ") + words}, ensure_ascii=False)
    if '"paraphrase"' in prompt:
        return json.dumps({"paraphrase": " ".join(reversed(passage.split()))}, ensure_ascii=False)
    if '"translation"' in prompt:
        return json.dumps({"translation": " ".join(f"{word}o" for word in passage.split())}, ensure_ascii=False)
    label = re.findall(r'of the class "(.*?)"', prompt)[0]
    return json.dumps({"text": f"{label.upper()}! {' '.join(salient(passage, 4))}"}, ensure_ascii=False)


def passage_of(prompt: str) -> str:
    """The passage within a prompt."""
    found = re.findall(r"<(passage|text)>\n(.*?)\n</\1>", prompt, re.DOTALL)
    return str(found[-1][1]) if found else prompt


def salient(passage: str, most: int) -> list[str]:
    """The rarer words of a passage, each once, in the order of their length and then of their place."""
    words = dict.fromkeys(re.findall(r"[^\W\d_]{4,}", passage.casefold()))
    chosen = [word for word in words if word not in _COMMON] or list(words) or ["this"]
    return sorted(chosen, key=len, reverse=True)[:most]


def _between(text: str, begin: str, end: str) -> str:
    return text.partition(begin)[2].partition(end)[0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    with running(port=parser.parse_args().port) as service:
        print(f"answers at {service.url}")
        threading.Event().wait()
