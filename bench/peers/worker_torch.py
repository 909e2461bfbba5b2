# SPDX-License-Identifier: Apache-2.0
"""transformers and torch in bfloat16; with XINGLIN_IPEX_TYPE set (sym_int4, sym_int8), ipex-llm's
conversion of the same model. MODEL is a Hugging Face folder. Logits of the last position only."""

import importlib.metadata
import os

import torch
from worker_protocol import Worker, serve, tokens_of

IPEX_TYPE = os.environ.get("XINGLIN_IPEX_TYPE")


def open_model(path):
    if IPEX_TYPE:
        from ipex_llm.transformers import AutoModelForCausalLM
        return AutoModelForCausalLM.from_pretrained(path, load_in_low_bit=IPEX_TYPE, use_cache=True)
    from transformers import AutoModelForCausalLM
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.bfloat16)


class TorchWorker(Worker):
    def __init__(self, model, context, threads):
        torch.set_num_threads(threads)
        self.model = open_model(model).eval()
        self.tokens = torch.tensor([tokens_of(self.model.config.vocab_size, context)])
        self.cache = None
        self.options = {} if IPEX_TYPE else {"logits_to_keep": 1}

    def describe(self):
        package = "ipex-llm" if IPEX_TYPE else "transformers"
        return {"version": f"{package} {importlib.metadata.version(package)}, torch "
                          f"{torch.__version__}", "kv_type": "bf16"}

    def rewind(self, position):
        if position == 0:
            self.cache = None
        elif isinstance(self.cache, tuple):  # before transformers had cache objects
            self.cache = tuple(tuple(part[..., :position, :] for part in layer[:2])
                               for layer in self.cache)
        elif self.cache is not None and self.held > position:
            if hasattr(self.cache, "crop"):
                self.cache.crop(position - self.held)
            else:  # ipex-llm's own: lists of views of larger tensors
                for part in (self.cache.key_cache, self.cache.value_cache):
                    part[:] = [tensor[..., :position, :] for tensor in part]
                self.cache._seen_tokens = position
        self.held = position

    @torch.inference_mode()
    def feed(self, start, n):
        output = self.model(self.tokens[:, start:start + n], past_key_values=self.cache,
                            use_cache=True, **self.options)
        self.cache = output.past_key_values
        self.chosen = int(output.logits[0, -1].argmax())
        self.held = start + n


if __name__ == "__main__":
    serve(TorchWorker)
