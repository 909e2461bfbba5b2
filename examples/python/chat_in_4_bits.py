#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A program for bigdl.llm.transformers; only the import is another.

    chat_in_4_bits.py MODEL ["Question"]

MODEL: a Hugging Face directory (quantized to 4 bits once; the file is kept) or a GGUF file.
"""

import sys

from xinglin.transformers import AutoModelForCausalLM, AutoTokenizer


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    path = sys.argv[1]
    question = sys.argv[2] if len(sys.argv) == 3 else "What is hypertension?"

    model = AutoModelForCausalLM.from_pretrained(path, load_in_4bit=not path.endswith(".gguf"))
    tokenizer = AutoTokenizer.from_pretrained(path)

    messages = [{"role": "user", "content": question}]
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    input_ids = tokenizer(prompt, add_special_tokens=False).input_ids
    output = model.generate(input_ids, max_new_tokens=96)
    print(tokenizer.decode(output[len(input_ids) :], skip_special_tokens=True))


if __name__ == "__main__":
    main()
