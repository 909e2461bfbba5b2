# SPDX-License-Identifier: Apache-2.0
"""OpenVINO GenAI's continuous batching in this process, without HTTP: what a server made of it could
reach at best. Usage: MODEL THREADS. A line {"prompts": [[id, …], …], "generate": n} is answered with
{"start": s, "times": [[s, …], …]}, the moments at which each stream's tokens could be read."""

import importlib.metadata
import json
import sys
import time

import numpy as np
import openvino
import openvino_genai


def configuration(n_tokens, seed):
    config = openvino_genai.GenerationConfig()
    config.max_new_tokens, config.ignore_eos = n_tokens, True
    config.do_sample, config.temperature, config.top_k, config.rng_seed = True, 0.8, 40, seed
    return config


def visit(pipeline, prompts, n_tokens):
    times, handles = [[] for _ in prompts], []
    start = time.monotonic()
    for i, ids in enumerate(prompts):
        tensor = openvino.Tensor(np.array([ids], dtype=np.int64))
        handles.append(pipeline.add_request(i, tensor, configuration(n_tokens, i)))
    while pipeline.has_non_finished_requests():
        pipeline.step()
        now = time.monotonic()
        for moments, handle in zip(times, handles):
            while handle.can_read():
                for output in handle.read().values():
                    moments += [now] * len(output.generated_ids)
    return {"start": start, "times": times}


def main():
    schedule = openvino_genai.SchedulerConfig()
    schedule.cache_size = 2  # GB
    pipeline = openvino_genai.ContinuousBatchingPipeline(
        sys.argv[1], schedule, "CPU", {"INFERENCE_NUM_THREADS": int(sys.argv[2])})
    version = importlib.metadata.version("openvino-genai")
    print(json.dumps({"version": "openvino-genai " + version}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(visit(pipeline, asked["prompts"], asked["generate"])), flush=True)


main()
