#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A program for bigdl.llm.langchain: a question about a document. Only the imports are others.

    document_qa.py MODEL DOCUMENT "Question"

The same model finds the passages and answers from them; it is loaded once.
"""

import sys
from pathlib import Path

from langchain_classic.chains.question_answering import load_qa_chain
from langchain_core.prompts import PromptTemplate
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_text_splitters import CharacterTextSplitter

from xinglin.langchain.embeddings import TransformersEmbeddings
from xinglin.langchain.llms import TransformersLLM

TEMPLATE = """Use the text to answer the question in one short sentence.

Text: {context}

Question: {question}
Answer:"""


def main() -> None:
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    model_path, document, question = sys.argv[1:]

    text = Path(document).read_text(encoding="utf-8")
    splitter = CharacterTextSplitter(separator="\n", chunk_size=1000, chunk_overlap=0)
    embeddings = TransformersEmbeddings.from_model_id(
        model_id=model_path, model_kwargs={"trust_remote_code": True}
    )
    store = InMemoryVectorStore.from_texts(splitter.split_text(text), embeddings)

    llm = TransformersLLM.from_model_id(
        model_id=model_path,
        model_kwargs={
            "temperature": 0,
            "max_length": 1024,
            "stop_strings": ["\n"],
            "trust_remote_code": True,
        },
    )
    prompt = PromptTemplate(template=TEMPLATE, input_variables=["context", "question"])
    doc_chain = load_qa_chain(llm, chain_type="stuff", prompt=prompt)
    found = store.similarity_search(question, k=1)
    output = doc_chain.invoke({"input_documents": found, "question": question})
    print(output["output_text"].strip())


if __name__ == "__main__":
    main()
