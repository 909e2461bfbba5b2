#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A chat in the terminal; words appear as they are chosen. Ctrl-C ends an answer, Ctrl-D the chat.

    streaming_chat.py MODEL ["What the system message says"]

Every turn reads only what is new: the session keeps the conversation.
"""

import sys

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from xinglin.langchain import ChatXinglin


def answer(model: ChatXinglin, messages: list[BaseMessage]) -> str:
    said = ""
    try:
        for chunk in model.stream(messages):
            print(chunk.text, end="", flush=True)
            said += chunk.text
    except KeyboardInterrupt:
        pass
    print()
    return said


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    model = ChatXinglin(model=sys.argv[1], temperature=0.7, top_p=0.9, seed=1)
    messages: list[BaseMessage] = [SystemMessage(text) for text in sys.argv[2:]]
    while True:
        try:
            question = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if question:
            messages.append(HumanMessage(question))
            messages.append(AIMessage(answer(model, messages)))


if __name__ == "__main__":
    main()
