# SPDX-License-Identifier: Apache-2.0
"""llama.cpp through the low-level half of llama-cpp-python, with that library's own defaults:
prompts in batches of 2048 and 512, f16 keys and values, flash attention where it chooses it."""

import ctypes

import llama_cpp
from worker_protocol import Worker, serve, tokens_of


@llama_cpp.llama_log_callback
def silent(_level, _text, _user):
    pass


class LlamaWorker(Worker):
    BATCH, MICRO_BATCH = 2048, 512

    def __init__(self, model, context, threads):
        llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(
            model.encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            raise SystemExit(f"llama.cpp cannot open {model}")
        params = llama_cpp.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = context, self.BATCH, self.MICRO_BATCH
        params.n_threads = params.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.n_vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.tokens = (llama_cpp.llama_token * context)(*tokens_of(self.n_vocab, context))

    def describe(self):
        info = llama_cpp.llama_print_system_info().decode().strip()
        return {"version": f"llama-cpp-python {llama_cpp.__version__}", "kv_type": "f16",
                "system": info}

    def rewind(self, position):
        if position == 0:
            llama_cpp.llama_memory_clear(self.memory, False)
        elif not llama_cpp.llama_memory_seq_rm(self.memory, 0, position, -1):
            raise RuntimeError("cannot rewind")
        self.held = position

    def feed(self, start, n):
        token_size = ctypes.sizeof(llama_cpp.llama_token)
        for at in range(start, start + n, self.BATCH):
            count = min(self.BATCH, start + n - at)
            part = ctypes.cast(ctypes.addressof(self.tokens) + at * token_size,
                               ctypes.POINTER(llama_cpp.llama_token))
            if llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(part, count)):
                raise RuntimeError(f"llama_decode failed at {at}")
        logits = llama_cpp.llama_get_logits_ith(self.context, -1)
        self.chosen = logits[0]  # waits for the result
        self.held = start + n


if __name__ == "__main__":
    serve(LlamaWorker)
