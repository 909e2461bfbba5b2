# SPDX-License-Identifier: Apache-2.0
"""The standard suites of langchain-tests for ChatXinglin and XinglinEmbeddings, on real models.

What is skipped, and why; every other test of the suites runs and passes:

    test_init_from_env              there is no key and no address that an environment could hold
    test_serdes                     is_lc_serializable() is False: a serialized chain would name a
                                    file of one machine
    test_*_with_model_override      an object runs the model that it loaded; another name is refused
    test_usage_metadata details     audio and cache creation do not exist here (not asked for)
    test_image_*, test_pdf_*,       the models that run here read text only; such a block is an
      test_audio_*                  error that says so (test_langchain.py)
    test_anthropic_inputs           blocks of one vendor's interface
    test_stream_time                replays recorded HTTP; there is no HTTP
"""

import os
import pathlib

import pytest

pytest.importorskip("langchain_tests", reason="langchain-tests is not installed")

from langchain_tests.integration_tests import (  # noqa: E402
    ChatModelIntegrationTests,
    EmbeddingsIntegrationTests,
)
from langchain_tests.unit_tests import ChatModelUnitTests, EmbeddingsUnitTests  # noqa: E402

from test_langchain import needs_grammar  # noqa: E402
from xinglin.langchain import ChatXinglin, XinglinEmbeddings  # noqa: E402

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
MODELS = pathlib.Path(os.environ.get("XINGLIN_INPUTS", CACHE / "xinglin/inputs")) / "models"
CHAT = MODELS / "qwen2.5-coder-0.5b-instruct-q4.gguf"
ENCODER = MODELS / "all-minilm-l6-v2"

needs_chat = pytest.mark.skipif(
    not CHAT.exists(), reason=f"{CHAT} is absent; scripts/fetch-inputs brings it"
)
needs_encoder = pytest.mark.skipif(
    not ENCODER.exists(), reason=f"{ENCODER} is absent; scripts/fetch-inputs brings it"
)


class _Chat:
    @property
    def chat_model_class(self):
        return ChatXinglin

    @property
    def chat_model_params(self):
        return {"model": str(CHAT), "model_kwargs": {"context": 2048}}

    @property
    def standard_chat_model_params(self):
        return {"temperature": 0, "max_tokens": 96, "timeout": 300, "stop": [], "max_retries": 2}


@needs_chat
class TestChatUnit(_Chat, ChatModelUnitTests):
    pass


@needs_chat
class TestChatIntegration(_Chat, ChatModelIntegrationTests):
    @pytest.fixture(autouse=True)
    def _without_grammars(self, monkeypatch):
        """A library that is older than its grammars skips what needs them."""
        compile_schema = ChatXinglin._grammar

        def compile_or_skip(model, schema):
            needs_grammar(model._engine)
            return compile_schema(model, schema)

        monkeypatch.setattr(ChatXinglin, "_grammar", compile_or_skip)

    @property
    def supports_json_mode(self):
        return True

    @property
    def supported_usage_metadata_details(self):
        return {"invoke": ["cache_read_input"], "stream": ["cache_read_input"]}

    def invoke_with_cache_read_input(self, *, stream=False):
        model = ChatXinglin(**self.chat_model_params, **self.standard_chat_model_params)
        model.invoke("What is aspirin?")
        question = "What is aspirin good for?"
        if not stream:
            message = model.invoke(question)
        else:
            message = None
            for chunk in model.stream(question):
                message = chunk if message is None else message + chunk
        assert message.usage_metadata["input_token_details"]["cache_read"] > 0
        return message


class _Embeddings:
    @property
    def embeddings_class(self):
        return XinglinEmbeddings

    @property
    def embedding_model_params(self):
        return {"model": str(ENCODER)}


@needs_encoder
class TestEmbeddingsUnit(_Embeddings, EmbeddingsUnitTests):
    pass


@needs_encoder
class TestEmbeddingsIntegration(_Embeddings, EmbeddingsIntegrationTests):
    pass
