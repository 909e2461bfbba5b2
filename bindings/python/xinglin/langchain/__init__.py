# SPDX-License-Identifier: Apache-2.0
"""LangChain over models in this process.

    from xinglin.langchain import ChatXinglin, XinglinEmbeddings

and, with the names and arguments of BigDL-LLM::

    from xinglin.langchain.llms import TransformersLLM
    from xinglin.langchain.embeddings import TransformersEmbeddings

Needs langchain-core 1.0 or newer (``pip install "xinglin[langchain]"``).
"""

from __future__ import annotations

try:
    import langchain_core as _langchain_core
except ImportError as problem:
    raise ImportError(
        f'{problem}; xinglin.langchain needs it: pip install "xinglin[langchain]"'
    ) from None

if int(_langchain_core.__version__.split(".")[0]) < 1:
    raise ImportError(
        f"langchain-core {_langchain_core.__version__} is too old; "
        'pip install "langchain-core>=1.0"'
    )

from .chat_models import ChatXinglin
from .embeddings import TransformersEmbeddings, XinglinEmbeddings
from .llms import TransformersLLM

__all__ = ["ChatXinglin", "TransformersEmbeddings", "TransformersLLM", "XinglinEmbeddings"]
