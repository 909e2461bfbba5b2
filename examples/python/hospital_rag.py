#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Questions about a folder of documents, answered from what was found in them.

    hospital_rag.py MODEL ENCODER DOCUMENTS "Question"

MODEL: a chat model. ENCODER: an embedding model (the directory of all-MiniLM-L6-v2, bge-base-zh …).
DOCUMENTS: a folder of .txt files. Nothing leaves this machine. Needs faiss-cpu.
"""

import sys
from pathlib import Path

import faiss
import numpy as np
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from xinglin.langchain import ChatXinglin, XinglinEmbeddings

PROMPT = ChatPromptTemplate.from_messages(
    [
        (
            "system",
            "You answer questions of a hospital's staff in one sentence. Use only the documents; "
            "say so if they do not hold the answer.",
        ),
        ("human", "Documents:\n{documents}\n\nQuestion: {question}"),
    ]
)


def read_folder(folder: str) -> list[Document]:
    return [
        Document(file.read_text(encoding="utf-8"), metadata={"source": file.name})
        for file in sorted(Path(folder).glob("*.txt"))
    ]


class Shelf:
    """Documents and an index of their vectors; as these have length 1, products are cosines."""

    def __init__(self, documents: list[Document], embeddings: XinglinEmbeddings) -> None:
        self.documents, self.embeddings = documents, embeddings
        rows = embeddings.embed_documents([one.page_content for one in documents])
        self.index = faiss.IndexFlatIP(len(rows[0]))
        self.index.add(np.array(rows, dtype=np.float32))

    def search(self, question: str, n_found: int) -> list[Document]:
        row = np.array([self.embeddings.embed_query(question)], dtype=np.float32)
        _, places = self.index.search(row, n_found)
        return [self.documents[place] for place in places[0] if place >= 0]


def main() -> None:
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    model_path, encoder_path, folder, question = sys.argv[1:]

    shelf = Shelf(read_folder(folder), XinglinEmbeddings(model=encoder_path, truncate=True))
    chain = PROMPT | ChatXinglin(model=model_path, max_tokens=128) | StrOutputParser()

    found = shelf.search(question, 1)
    for piece in chain.stream(
        {"documents": "\n\n".join(one.page_content for one in found), "question": question}
    ):
        print(piece, end="", flush=True)
    print("\nSource: " + ", ".join(one.metadata["source"] for one in found))


if __name__ == "__main__":
    main()
