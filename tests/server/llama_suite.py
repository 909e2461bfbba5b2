# SPDX-License-Identifier: Apache-2.0
"""llama.cpp's own server tests against `xinglin serve`: a pytest plugin that starts our server where
they start theirs. They stay where scripts/fetch-inputs put them.

What is theirs alone is translated where it has a counterpart: flags, paths without /v1, and the native
/completion (of which content, tokens and counts come back). What has none is skipped with its reason
(NOT_APPLICABLE); docs/SERVER.md lists the same."""
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import types

import pytest

PROGRAM = pathlib.Path(os.environ["XINGLIN_BIN"]) / "xinglin"
STORIES = os.environ["XINGLIN_STORIES"]
CHAT = os.environ["XINGLIN_CHAT"]
VECTORS = os.environ["XINGLIN_VECTORS"]

NOT_APPLICABLE = [  # (pattern of file and test, why)
    ("test_(compat_anthropic|compat_gcp|infill|lora|mcp_servers|proxy|router|sleep|slot_save|stream|"
     "tools_builtin|vision_api|ctx_shift|kv_keep_only_active)", "a feature of theirs that is not ours"),
    ("test_speculative", "wants a draft model; ours guesses from the prompt"),
    ("test_template|chat_template|apply_chat_template|prefill|continue_final",
     "wants templates chosen by flags; ours comes with the model"),
    ("test_tool_call", "wants templates chosen by flags, or models of gigabytes"),
    ("test_metrics", "names llama.cpp's own metrics and slots"),
    ("slots|props|ui|aliases_and_tags|load_split_model|multiple_addresses", "a route or flag of theirs"),
    ("ignore_eos|response_fields|timings|return_progress|token_count|verbose|n_probs|unified|"
     "json_prompt|test_completion_stream\\[|prompt_cache|cancel_request",
     "fields of llama.cpp's native answer"),
    ("test_chat_completion\\[|test_chat_completion_stream|completion_cached_tokens|test_completion\\[|"
     "completion(_stream)?_with_openai_library", "wants the very words of llama.cpp's random numbers, "
     "or its counts of a model's tokens"),
    ("responses_with_openai_library|rerank_usage", "wants the words or counts of a certain model"),
    ("telemetry|multiple_choices|logit_bias\\[(False|True-False)|tokens_input|mixed_input\\[input[37]|"
     "rerank_tei|pooling_none", "request fields or forms that are llama.cpp's or TEI's; ours refuses them by name"),
    ("context_size_exceeded|prompt_too_long", "wants llama.cpp's own words; ours is 400 "
     "context_length_exceeded"),
    ("test_logprobs_stream", "wants null where OpenAI sends the empty string"),
    ("response_format1", "items with an array was dropped by JSON Schema 2020-12; ours refuses it"),
    ("messages7", "an answer may be continued with ours"),
    ("test_openai_library_correct_api_key", "paths without /v1"),
    ("test_cors|static_assets|local_media", "ours refuses origins that are not listed (403), has a page "
     "of its own files and reads no files for clients"),
]


def reason_not_to(item):
    name = f"{item.path.stem}::{item.name}"
    return next((why for pattern, why in NOT_APPLICABLE if re.search(pattern, name)), None)


def pytest_collection_modifyitems(items):
    for item in items:
        if why := reason_not_to(item):
            item.add_marker(pytest.mark.skip(reason=why))


for absent in ("wget", "filelock"):  # what they download with, and lock it with
    module = types.ModuleType(absent)
    module.FileLock = lambda path: contextlib.nullcontext()
    sys.modules.setdefault(absent, module)

PATHS = {"/completion": "/v1/completions", "/completions": "/v1/completions", "/models": "/v1/models",
         "/chat/completions": "/v1/chat/completions", "/embeddings": "/v1/embeddings",
         "/embedding": "/v1/embeddings", "/reranking": "/rerank", "/responses": "/v1/responses"}
NATIVE = ("/completion", "/completions")


def flags_of(server):
    is_vectors = "bge" in (server.model_hf_file or "") or bool(server.server_reranking)
    is_chat = re.search("chat_completion|oai_responses|security", os.environ["PYTEST_CURRENT_TEST"])
    text_model = CHAT if is_chat else STORIES  # theirs talks without a template of its own, ours not
    context = (server.n_ctx or 512) // (server.n_slots or 1)
    flags = {"model": VECTORS if is_vectors else text_model, "host": server.server_host,
             "port": server.server_port, "parallel": server.n_slots or 1,
             "model-alias": server.model_alias or "model", "any-model": "yes",
             "temperature": server.temperature, "top-k": 40, "top-p": 0.95, "min-p": 0.05,
             "kv-memory-mib": 128, "tokens-max": server.n_predict or 0}
    if not is_vectors:
        flags["context"] = context
    return [f"--{name}={value}" for name, value in flags.items()]


def start(server, timeout_seconds=180):
    import utils
    flags, environment = flags_of(server), {**os.environ}
    if server.api_key:
        file = pathlib.Path(os.environ["XINGLIN_SCRATCH"]) / f"keys-{server.server_port}"
        made = subprocess.run([PROGRAM, "serve", "--new-key", f"k{os.urandom(4).hex()}",
                               "--api-key-file", file], capture_output=True, text=True, check=True)
        server.our_key = made.stdout.strip()
        flags.append(f"--api-key-file={file}")
    server.process = subprocess.Popen([PROGRAM, "serve", *flags], env=environment,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    utils.server_instances.add(server)
    for _ in range(int(timeout_seconds * 50)):
        with contextlib.suppress(OSError):
            if plain_request(server, "GET", "/ready").status_code == 200:
                return
        if server.process.poll() is not None:
            raise RuntimeError(f"the server ended with {server.process.returncode}")
        utils.time.sleep(0.02)
    raise TimeoutError("the server did not start")


def headers_of(server, headers):
    """Their key becomes ours; a wrong one stays wrong."""
    theirs = getattr(server, "api_key", None)
    return {name: value.replace(theirs, server.our_key) if theirs and value else value
            for name, value in (headers or {}).items()}


def body_of(server, path, data):
    if path not in NATIVE or not isinstance(data, dict):
        return data
    data = {"seed": server.seed, **data}
    names = {"n_predict": "max_tokens"}
    body = {names.get(name, name): value for name, value in data.items() if name != "return_tokens"}
    if body.get("max_tokens") == -1:
        del body["max_tokens"]
    return body


def native(answer):
    """A choice of ours in the form of theirs."""
    many = [{"content": choice["text"], "stop": choice["finish_reason"] is not None,
             "truncated": False, "has_new_line": "\n" in choice["text"], "tokens": [],
             "timings": {"prompt_n": answer.get("usage", {}).get("prompt_tokens", 0) // len(answer["choices"]),
                         "predicted_n": answer.get("usage", {}).get("completion_tokens", 0)
                         // len(answer["choices"])}}
            for choice in answer["choices"]]
    return many[0] if len(many) == 1 else many


def plain_request(server, method, path, data=None, headers=None, timeout=None, host=None, **more):
    import requests
    return requests.request(method, f"http://{host or server.server_host}:{server.server_port}{path}",
                            json=data, headers=headers, timeout=timeout, **more)


def make_request(server, method, path, data=None, headers=None, timeout=300, host=None):
    response = plain_request(server, method, PATHS.get(path, path), body_of(server, path, data),
                             headers_of(server, headers), timeout, host)
    response.body = response.text
    with contextlib.suppress(ValueError):
        response.body = response.json()
    if path in NATIVE and response.status_code == 200:
        response.body = native(response.body)
    return response


def make_stream_request(server, method, path, data=None, headers=None, host=None):
    import utils
    if path not in NATIVE:
        data = {"stream_options": {"include_usage": True}, **data}
    response = plain_request(server, method, PATHS.get(path, path), body_of(server, path, data),
                             headers_of(server, headers), 300, host, stream=True)
    if response.status_code != 200:
        raise utils.ServerError(response.status_code, response.json())
    for line in response.iter_lines():
        if line.startswith(b"data: {"):
            event = json.loads(line[6:])
            yield native(event) if path in NATIVE else event


@pytest.fixture(scope="session", autouse=True)
def load_server_presets():
    """Overrides theirs, which downloads models."""


def pytest_configure(config):
    import utils
    utils.ServerProcess.start = start
    utils.ServerProcess.make_request = make_request
    utils.ServerProcess.make_stream_request = make_stream_request
    utils.ServerPreset.load_all = staticmethod(lambda: None)
