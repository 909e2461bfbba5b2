# SPDX-License-Identifier: Apache-2.0
"""Jinja as Hugging Face sets it up for chat templates, and the C renderer beside it."""
import datetime
import functools
import json
import subprocess

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

NOW = 1762000496  # what strftime_now shows in both


class GenerationTracker(jinja2.ext.Extension):
    """{% generation %} blocks: their body is rendered in a scope of its own."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("render_block")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    def render_block(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def strftime_now(form):
    return datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).replace(
        tzinfo=None).strftime(form)


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True,
        extensions=[GenerationTracker, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = strftime_now
    return env


ENVIRONMENT = environment()


@functools.lru_cache(maxsize=4)
def compiled(template):
    return ENVIRONMENT.from_string(template)


def render_python(template, context):
    """The text, or None and the reason of a refusal."""
    try:
        return compiled(template).render(**context), None
    except Exception as problem:  # whatever Python raises is a refusal
        return None, f"{type(problem).__name__}: {problem}"


class Renderer:
    """The C program, kept running."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def render(self, template, context):
        request = {"template": template, "context": context, "now": NOW}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the C renderer died")
        answer = json.loads(line)
        return answer.get("text"), answer.get("error")
