# SPDX-License-Identifier: Apache-2.0
"""ik_llama.cpp through ik-llama-cpp-python's declarations: its own defaults, and its run-time
repacking of weights, which is its fastest way (at the price of not mapping the file)."""

import ctypes
import importlib.metadata

from ik_llama_cpp import _ctypes_api as ik
from worker_protocol import Worker, serve, tokens_of


class IkWorker(Worker):
    BATCH, MICRO_BATCH = 2048, 512

    def __init__(self, model, context, threads):
        ik.llama_backend_init()
        model_params = ik.llama_model_default_params()
        model_params.repack_tensors = True
        model_params.use_mmap = False
        self.model = ik.llama_model_load_from_file(model.encode(), model_params)
        if not self.model:
            raise SystemExit(f"ik_llama.cpp cannot open {model}")
        params = ik.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = context, self.BATCH, self.MICRO_BATCH
        params.n_threads = params.n_threads_batch = threads
        self.is_flash = bool(params.flash_attn)
        self.context = ik.llama_init_from_model(self.model, params)
        if not self.context:
            raise SystemExit("ik_llama.cpp: no context")
        self.n_vocab = ik.llama_vocab_n_tokens(ik.llama_model_get_vocab(self.model))
        self.tokens = (ik.llama_token * context)(*tokens_of(self.n_vocab, context))

    def describe(self):
        version = importlib.metadata.version("ik-llama-cpp-python")
        return {"version": f"ik-llama-cpp-python {version}", "kv_type": "f16",
                "system": f"run-time repack, flash attention {self.is_flash}"}

    def rewind(self, position):
        if position == 0:
            ik.llama_kv_cache_clear(self.context)
        else:
            remove = ik._lib.llama_kv_cache_seq_rm  # not declared by the package
            remove.argtypes = [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32, ctypes.c_int32]
            remove.restype = ctypes.c_bool
            if not remove(self.context, 0, position, -1):
                raise RuntimeError("cannot rewind")
        self.held = position

    def feed(self, start, n):
        token_size = ctypes.sizeof(ik.llama_token)
        for at in range(start, start + n, self.BATCH):
            count = min(self.BATCH, start + n - at)
            part = ctypes.cast(ctypes.addressof(self.tokens) + at * token_size, ik.llama_token_p)
            batch = ik.llama_batch(n_tokens=count, token=part, all_pos_0=at, all_pos_1=1,
                                   all_seq_id=0)
            if ik.llama_decode(self.context, batch):
                raise RuntimeError(f"llama_decode failed at {at}")
        self.chosen = ik.llama_get_logits_ith(self.context, -1)[0]
        self.held = start + n


if __name__ == "__main__":
    serve(IkWorker)
