# SPDX-License-Identifier: Apache-2.0
"""OpenVINO GenAI on a GGUF file (or a converted folder), one request at a time, with its defaults
for CPUs: keys and values in 8 bits, activations quantized on the fly. It keeps no prompt between
requests, so decoding at a depth processes that prompt again and reports that time as well.

Prefill ends with the first token (time to first token as the engine itself counts it)."""

import importlib.metadata
import os

import numpy as np
import openvino
import openvino_genai
from worker_protocol import Worker, serve, tokens_of


class OpenvinoWorker(Worker):
    def __init__(self, model, context, threads):
        schedule = openvino_genai.SchedulerConfig()
        schedule.enable_prefix_caching = False
        schedule.max_num_batched_tokens = 1 << 20  # a prompt is one piece, its default for one user
        properties = {"INFERENCE_NUM_THREADS": threads}
        if "bf16" in os.path.basename(model):
            properties["INFERENCE_PRECISION_HINT"] = "bf16"
        self.pipeline = openvino_genai.LLMPipeline(model, "CPU", scheduler_config=schedule,
                                                   **properties)
        self.tokens = tokens_of(30000, context)

    def describe(self):
        return {"version": "openvino-genai " + importlib.metadata.version("openvino-genai"),
                "kv_type": "u8"}

    def rewind(self, position):
        self.held = 0

    def feed(self, start, n):
        raise RuntimeError("works on whole requests only")

    def generate(self, n_prompt, n_new):
        ids = np.array([self.tokens[:n_prompt]], dtype=np.int64)
        inputs = openvino_genai.TokenizedInputs(openvino.Tensor(ids),
                                                openvino.Tensor(np.ones_like(ids)))
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens = n_new
        config.ignore_eos = True
        config.do_sample = False
        return self.pipeline.generate(inputs, config).perf_metrics

    def prefill(self, n):
        return {"seconds": self.generate(n, 1).get_ttft().mean / 1e3}

    def decode(self, depth, n):
        metrics = self.generate(max(depth, 1), n + 1)
        seconds = [microseconds / 1e6 for microseconds in metrics.raw_metrics.m_durations]
        return {"seconds": seconds[-n:], "prefill_seconds": metrics.get_ttft().mean / 1e3}


if __name__ == "__main__":
    serve(OpenvinoWorker)
