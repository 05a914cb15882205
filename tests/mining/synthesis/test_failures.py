"""What services do wrong: what passes is asked again, what does not is told, and nothing goes to the wrong place."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cosmith.errors import InputError, StorageError
from cosmith.mining.synthesis import AnswerCache, Endpoint, EndpointError, Passage, write_rejected_answers
from cosmith.mining.synthesis.chat import ChatRequest, Completion
from cosmith.mining.synthesis.shapes import first_object, read_answer, text_shape
from cosmith.services import client
from cosmith.services.client import _asked_wait

Write = Callable[..., Any]
SECRET = "sk-very-secret-1234"


def only(faults: dict[int, str]) -> Callable[[int, dict[str, Any]], str | None]:
    """These requests fail, by their number."""
    return lambda number, body: faults.get(number)


def queries_fail(fault: str) -> Callable[[int, dict[str, Any]], str | None]:
    """Every query fails, configurations do not."""
    return lambda number, body: fault if '"query"' in body["messages"][-1]["content"] else None


def test_failures_that_pass_cost_time_and_nothing_else(language_model: Any, write: Write, tmp_path: Path) -> None:
    with language_model() as model:
        undisturbed = write(model, cache=tmp_path / "undisturbed.sqlite")
    faults = {1: "500", 2: "dropped", 4: "not the protocol", 5: "slow", 8: "500", 9: "500"}
    with language_model(only(faults)) as model:
        made = write(model, concurrency=1, timeout=1.5)
        assert len(model.asked) == 12 + len(faults)
    assert made.rows == undisturbed.rows
    assert made.rejected == []
    assert made.usage.requests == 12


def test_a_service_is_left_alone_as_long_as_it_asks_for(
    language_model: Any, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, waits = [0.0], []
    sleep = asyncio.sleep

    async def passes(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", passes)
    monkeypatch.setattr(client, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with language_model(only({2: "429"})) as model:
        made = write(model, concurrency=1)  # it asks for 0.2 seconds
    assert len(waits) == 2
    assert waits[0] <= 0.01
    assert now[0] == pytest.approx(0.2)
    assert len(made.rows) == 6
    assert _asked_wait("7") == 7.0
    assert _asked_wait("soon") == _asked_wait(None) == _asked_wait("nan") == 0.0
    assert _asked_wait("Sat, 01 Jan 2000 00:00:00 GMT") == 0.0
    assert 0 < _asked_wait("Sat, 01 Jan 2200 00:00:00 GMT") <= 3600


@pytest.mark.parametrize(
    ("fault", "reason", "tries"),
    [
        ("broken JSON", "not JSON", 2), ("no JSON", "not JSON", 2), ("other JSON", "other JSON than asked for", 2),
        ("refusal", "refusal", 1), ("refusal in words", "refusal", 1), ("truncated", "truncated", 2),
        ("empty", "empty", 2), ("copied", "copied from the passage", 2),
        ("too long", "the service refused the request", 1),
    ],
)  # fmt: skip
def test_an_answer_of_no_use_is_asked_for_again_and_then_told(
    language_model: Any, write: Write, tmp_path: Path, fault: str, reason: str, tries: int
) -> None:
    def fails(number: int, body: dict[str, Any]) -> str | None:
        prompt = body["messages"][-1]["content"]
        return fault if '"query"' in prompt and "Honeybees" in prompt else None

    with language_model(fails) as model:
        made = write(model)
        again = write(model)
    assert {each.passage for each in made.rows} == {"bridges", "bread", "law", "stars", "rails"}
    assert made.reasons == {reason: tries}
    assert {each.passage for each in made.rejected} == {"bees"}
    assert made.finished == 6
    assert again.rows == made.rows
    assert again.reasons == made.reasons
    assert again.usage.requests == 0  # also what was of no use has been paid for
    write_rejected_answers(tmp_path / "rejected.jsonl", made.rejected)
    lines = [json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["reason"] for line in lines] == [reason] * tries


@pytest.mark.parametrize(("fault", "refusals"), [("no schema", 1), ("no response format", 2)])
def test_a_service_without_schemas_is_asked_by_words(
    language_model: Any, write: Write, fault: str, refusals: int
) -> None:
    with language_model(lambda number, body: fault) as model:
        made = write(model, concurrency=1)
    assert len(made.rows) == 6
    assert len(model.asked) == 12 + refusals  # the way that it understands is remembered
    assert ("response_format" in model.asked[-1]) == (fault == "no schema")


def test_a_service_that_refuses_all_or_is_not_there_ends_the_run(
    language_model: Any, write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOME_KEY", SECRET)
    for fault, told in (
        ("wrong key", "HTTP 401, the key is missing"),
        ("no such model", "HTTP 404"),
        ("500", "HTTP 500"),
    ):
        with language_model(lambda number, body, fault=fault: fault) as model, pytest.raises(EndpointError) as raised:
            write(model, key_variable="SOME_KEY")
        assert told in str(raised.value)
        assert model.headers["Authorization"] == f"Bearer {SECRET}"
        assert SECRET not in str(raised.value)  # the service has repeated it
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(EndpointError, match="the connection failed"):
        write(type("Gone", (), {"url": gone}))
    with (
        language_model(queries_fail("no JSON")) as model,
        pytest.raises(InputError, match="nothing came of 6 passages"),
    ):
        write(model)
    for file in tmp_path.iterdir():
        assert SECRET.encode() not in file.read_bytes()


def test_a_service_that_goes_away_ends_the_run_and_what_was_answered_is_kept(language_model: Any, write: Write) -> None:
    many = [Passage(str(number), f"Chapter {number} describes turbines number {number * 7}.") for number in range(40)]
    with language_model(lambda number, body: "500" if number > 20 else None) as model:
        with pytest.raises(EndpointError, match="10 requests in a row came to nothing"):
            write(model, passages=many, concurrency=2, retries=0)
        answered = len(model.answered)
        assert answered == 20
    with language_model() as model:
        made = write(model, passages=many)
        assert len(model.asked) == 80 - answered
    assert len(made.rows) == 40


def test_a_model_of_which_nothing_can_be_used_is_not_paid_for_to_the_end(language_model: Any, write: Write) -> None:
    many = [Passage(str(number), f"Chapter {number} describes turbines number {number * 7}.") for number in range(40)]
    with language_model(lambda number, body: "truncated") as model:
        with pytest.raises(InputError, match=r"30 answers were of no use .* \(truncated: 30\).*thinks"):
            write(model, passages=many, concurrency=2)
        assert len(model.asked) <= 32


def test_no_more_requests_are_under_way_than_may_be(language_model: Any, write: Write) -> None:
    with language_model(delay=0.05) as model:
        write(model, concurrency=3)
    assert model.most_at_once == 3


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://example.com/v1", "the key would go unencrypted to example.com"),
        ("http://10.0.0.7:8000/v1", "the key would go unencrypted"),
        ("https://me:password@example.com/v1", "more than scheme, host"),
        ("https://example.com/v1?key=abc", "more than scheme, host"),
        ("ftp://example.com", "no address of a service"),
        ("localhost:8000", "no address of a service"),
        ("http://[::1", "no address"),
    ],
)
def test_addresses_that_are_refused(url: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as raised:
        Endpoint(url, "m", key_variable="SOME_KEY")
    assert "password" not in str(raised.value)


def test_a_key_stays_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    for local in ("http://localhost:1/v1", "http://127.0.0.1:1/v1", "http://[::1]:1/v1", "https://example.com/v1"):
        endpoint = Endpoint(local, "m", key_variable="SOME_KEY")
    Endpoint("http://example.com/v1", "m")  # nothing to protect
    Endpoint("http://example.com/v1", "m", key_variable="SOME_KEY", allow_plain_http=True)
    with pytest.raises(InputError, match="SOME_KEY is not set"):
        endpoint.key()
    monkeypatch.setenv("SOME_KEY", SECRET)
    assert endpoint.key() == SECRET
    assert SECRET not in repr(endpoint)
    with pytest.raises(InputError, match="not the name of an environment variable") as raised:
        Endpoint("https://example.com/v1", "m", key_variable=SECRET)
    assert SECRET not in str(raised.value)
    with pytest.raises(InputError, match="'messages' is not free"):
        Endpoint("https://example.com/v1", "m", parameters={"messages": []})


def test_what_has_to_be_installed_is_told(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "cosmith\[llm\]"'):
        write(type("Service", (), {"url": "http://localhost:1/v1"}))


def test_the_first_json_object_is_found_wherever_it_stands() -> None:
    shape = text_shape("query")

    def read(text: str, finish: str = "stop") -> tuple[str | None, str]:
        value, reason = read_answer(Completion(text, finish, "", 1, 1), shape)
        return getattr(value, "query", None), reason

    assert read('{"query": "a {b}"}') == ("a {b}", "")
    assert read('<think>{"query": "no"}</think>Sure!\n```json\n{"query": "yes", "more": 1}\n```') == ("yes", "")
    assert read('a set {x | x > 1}: {"query": "yes"}') == ("yes", "")
    assert read('["query"]') == (None, "not JSON")
    assert read('{"query": ["a"]}') == (None, "other JSON than asked for")
    assert read('{"query": "I cannot help with this."}') == (None, "refusal")
    assert read('{"query": "I can\'t log in to my account"}')[1] == ""  # a question of someone, no refusal
    assert read("I can’t do that.") == (None, "refusal")
    assert read('{"query": "a"}', "length") == (None, "truncated")
    assert read('{"query": "a"}', "content_filter") == (None, "refusal")
    assert first_object("{" * 5000) is None


def test_a_cache_refuses_what_is_none_and_holds_no_question(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are no answers, but they are long enough to be looked at " * 20)
    with pytest.raises(InputError, match="is no cache of answers"):
        AnswerCache(tmp_path / "notes.txt")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="cannot be used"):
        AnswerCache(tmp_path / "folder")
    request = ChatRequest("a secret question", "", "query", {"type": "object"})
    answer = Completion("half \ud83d of a pair", "stop", "", 3, 4)
    with AnswerCache(tmp_path / "answers.sqlite") as first, AnswerCache(tmp_path / "answers.sqlite") as second:
        key = request.key("m", {})
        assert second.get(key) is None
        first.put(key, answer)
        second.put(key, Completion("later", "stop", "", 1, 1))
        found = second.get(key)
    assert found == Completion("half ? of a pair", "stop", "", 3, 4, cached=True)
    assert b"secret question" not in b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    changed = [request.key("n", {}), request.key("m", {"top_p": 1}), ChatRequest("b", "", "query", {}).key("m", {})]
    assert len({key, *changed}) == 4
