"""Vectors that a service makes: the right ones in the right order, whatever it does, and clear words where it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cosmith.errors import InputError
from cosmith.models import CachedEncoder, RemoteEncoder, VectorCache
from cosmith.models.remote import vectors_of
from cosmith.services import EndpointError, Service, UnreadableAnswerError

TEXTS = [f"text number {number} about {'apples ' * (number % 5)}" for number in range(75)]
SECRET = "sk-very-secret-9876"


def remote(
    url: str, *, prompts: dict[str, str] | None = None, texts_per_request: int = 8, **said: Any
) -> RemoteEncoder:
    service = Service(url, **{"model": "stand-in", "first_wait": 0.01, "retries": 2, "concurrency": 4} | said)
    return RemoteEncoder(service, prompts=prompts, texts_per_request=texts_per_request)


@pytest.fixture(scope="module")
def expected(language_model: Any) -> np.ndarray:
    with language_model() as model:
        return remote(model.url, texts_per_request=1, concurrency=1).encode(TEXTS)


def test_vectors_come_in_order_and_each_text_is_asked_for_once(language_model: Any, expected: np.ndarray) -> None:
    with language_model(delay=0.05) as model:
        encoder = remote(model.url)
        assert np.allclose(encoder.encode([*TEXTS, *TEXTS[:9]]), [*expected, *expected[:9]], atol=1e-6)
        assert sorted(model.answered) == sorted(TEXTS)
        assert {len(body["input"]) for body in model.asked} == {8, 3}
        assert 1 < model.most_at_once <= 4
        assert model.asked[0]["model"] == "stand-in"
        assert "Authorization" not in model.headers
        assert np.allclose(np.linalg.norm(expected, axis=1), 1, atol=1e-5)
        cut = encoder.encode(TEXTS[:3], dim=16)
        assert np.allclose(cut, expected[:3, :16] / np.linalg.norm(expected[:3, :16], axis=1, keepdims=True), atol=1e-6)
        asked = len(model.asked)
        assert encoder.dimension == 64
        assert encoder.encode([]).shape == (0, 64)
        assert len(model.asked) == asked
        with pytest.raises(InputError, match="65 is not between 1 and the model's 64"):
            encoder.encode(["a"], dim=65)

        async def within_a_loop() -> np.ndarray:
            return encoder.encode(TEXTS[:2])

        assert np.allclose(asyncio.run(within_a_loop()), expected[:2], atol=1e-6)


def test_what_passes_is_asked_again(language_model: Any, expected: np.ndarray) -> None:
    faults = {1: "429", 2: "500", 4: "dropped", 6: "not the protocol"}
    with language_model(lambda number, body: faults.get(number)) as model:
        assert np.allclose(remote(model.url).encode(TEXTS), expected, atol=1e-6)
        assert len(model.asked) == 10 + len(faults)


@pytest.mark.parametrize(
    ("fault", "kind", "told"),
    [
        ("wrong key", EndpointError, "HTTP 401, the key is missing or not accepted"),
        ("no such model", EndpointError, "HTTP 404"),
        ("500", EndpointError, "HTTP 500: 500, you came with Bearer …, 3 times"),
        ("dropped", EndpointError, "the connection failed"),
        ("not the protocol", EndpointError, "not the protocol's .it has no list of vectors"),
        ("a vector short", EndpointError, "gives 7 vectors for 8 texts"),
        ("not finite", InputError, "a vector that is not finite for 'text number"),
    ],
)
def test_what_does_not_pass_is_told_without_the_key(
    language_model: Any, monkeypatch: pytest.MonkeyPatch, fault: str, kind: type[Exception], told: str
) -> None:
    monkeypatch.setenv("SOME_KEY", SECRET)
    with language_model(lambda number, body: fault) as model:
        encoder = remote(model.url, key_variable="SOME_KEY")
        with pytest.raises(kind, match=told) as raised:
            encoder.encode(TEXTS)
        assert model.headers["Authorization"] == f"Bearer {SECRET}"
    assert SECRET not in f"{raised.value}{encoder.service}{encoder.fingerprint()}"


def test_a_service_that_fails_on_the_way_or_changes_its_width_is_told(language_model: Any) -> None:
    for fault, told in (
        ("500", r"HTTP 500.*, 3 times\. Try again later"),
        ("other width", "gives vectors of 65 numbers, and of 64 before"),
    ):
        with (
            language_model(lambda number, body, fault=fault: fault if number > 3 else None) as model,
            pytest.raises(EndpointError, match=told),
        ):
            remote(model.url, concurrency=1).encode(TEXTS)


def test_the_text_that_is_refused_is_named_and_too_large_requests_are_halved(
    language_model: Any, expected: np.ndarray
) -> None:
    long = "long " * 50

    def refuses(number: int, body: dict[str, Any]) -> str | None:
        return "too long" if max(map(len, body["input"])) > 100 else None

    with language_model(refuses) as model:
        told = r"stand-in refuses a text of 250 characters, 'long long .*…': HTTP 400: too long"
        with pytest.raises(InputError, match=told):
            remote(model.url).encode([*TEXTS[:30], long, *TEXTS[30:]])
    with language_model(lambda number, body: "too long" if len(body["input"]) > 3 else None) as model:
        assert np.allclose(remote(model.url).encode(TEXTS), expected, atol=1e-6)


def test_prompts_parameters_and_the_cache(language_model: Any, expected: np.ndarray) -> None:
    with language_model() as model:
        encoder = remote(model.url, prompts={"query": "{task} question: "}, parameters={"dimensions": 16})
        vectors = encoder.encode(["why"], prompt="query", instruction="Find:")
        assert model.asked[-1]["input"] == ["Find: question: why"]
        assert model.asked[-1]["dimensions"] == 16
        assert vectors.shape == (1, 16)
        encoder.encode(["why"], prompt="document")
        assert model.asked[-1]["input"] == ["why"]
        with pytest.raises(InputError, match="no prompt 'querry'"):
            encoder.encode(["why"], prompt="querry")
        cache = VectorCache(None)
        for _ in range(2):
            found = CachedEncoder(remote(model.url), cache).encode(TEXTS)
        assert np.allclose(found, expected, atol=1e-6)
        assert (cache.counts.again, cache.counts.made) == (75, 75)
        plain = remote(model.url)
        others = [encoder, remote(model.url, model="other"), remote("http://localhost:1/v1")]
        assert len({plain.fingerprint(), *(each.fingerprint() for each in others)}) == 4
        assert plain.fingerprint() == remote(model.url + "/", retries=9).fingerprint()


def test_what_was_paid_for_is_kept_when_the_service_goes_away(language_model: Any, expected: np.ndarray) -> None:
    cache = VectorCache(None)

    def paid(url: str) -> CachedEncoder:
        # The same model at another address, as a service is that has been started again.
        encoder = remote(url, concurrency=1)
        encoder.fingerprint = lambda: "the same"  # type: ignore[method-assign]
        return CachedEncoder(encoder, cache)

    with (
        language_model(lambda number, body: "500" if number > 6 else None) as model,
        pytest.raises(EndpointError, match="HTTP 500"),
    ):
        paid(model.url).encode(TEXTS)
    assert len(model.answered) == 1 + 40  # the width, and five requests
    with language_model() as model:
        assert np.allclose(paid(model.url).encode(TEXTS), expected, atol=1e-6)
    assert model.answered[1:] == TEXTS[32:]


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service.at("https://api.example.com/v1#org/model#2", key_variable="SOME_KEY")
    assert (service.url, service.model) == ("https://api.example.com/v1", "org/model#2")
    assert service.address("embeddings") == "https://api.example.com/v1/embeddings"
    refusals: list[tuple[Callable[[], Any], str]] = [
        (lambda: Service.at("https://api.example.com/v1"), "names no model.*https://HOST/v1#MODEL"),
        (lambda: Service.at("https://me:password@example.com/v1#m"), "more than scheme, host"),
        (lambda: Service.at("http://example.com/v1#m", key_variable="SOME_KEY"), "unencrypted to example.com"),
        (lambda: RemoteEncoder(service), "SOME_KEY is not set"),
        (lambda: RemoteEncoder(Service("http://localhost/v1", "m", parameters={"input": 1})), "'input' is not free"),
        (lambda: remote("http://localhost/v1", texts_per_request=0), "texts_per_request"),
        (lambda: remote("http://localhost/v1").encode(["half \ud83d"]), "cannot be sent"),
    ]
    monkeypatch.delenv("SOME_KEY", raising=False)
    for refused, told in refusals:
        with pytest.raises(InputError, match=told) as raised:
            refused()
        assert "password" not in str(raised.value)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "cosmith\[remote\]"'):
        remote("http://localhost/v1")


@pytest.mark.parametrize(
    "answer",
    [
        None, [], {"data": 3}, {"data": [1]}, {"data": [{"embedding": "abc"}]}, {"data": [{"embedding": ["a"]}]},
        {"data": [{"embedding": [1]}, {"embedding": [1, 2]}]}, {"data": []},
        {"data": [{"embedding": [1], "index": 0}, {"embedding": [1], "index": 0}]},
        {"data": [{"embedding": [1], "index": 0}, {"embedding": [1]}]},
    ],
)  # fmt: skip
def test_answers_of_another_shape(answer: Any) -> None:
    with pytest.raises(UnreadableAnswerError):
        vectors_of(answer)


def test_answers_are_put_in_order_and_unnumbered_ones_keep_theirs() -> None:
    numbered = {"data": [{"index": 1, "embedding": [1, 2]}, {"index": 0, "embedding": [3, 4]}]}
    assert vectors_of(numbered).tolist() == [[3, 4], [1, 2]]
    assert vectors_of({"data": [{"embedding": [1, 2]}, {"embedding": [3, 4]}]}).tolist() == [[1, 2], [3, 4]]
