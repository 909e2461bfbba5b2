// SPDX-License-Identifier: Apache-2.0
// OpenAI's Node SDK against the servers at CHAT_URL and VECTOR_URL; one line a check.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.CHAT_URL, apiKey: "none", maxRetries: 0 });
const vectors = new OpenAI({ baseURL: process.env.VECTOR_URL, apiKey: "none", maxRetries: 0 });
const model = (await client.models.list()).data[0].id;
const messages = [{ role: "system", content: "You are brief." }, { role: "user", content: "Say hello." }];
const ask = { model, messages, max_tokens: 16, temperature: 0 };
const schema = {
  type: "object", additionalProperties: false, required: ["name", "age"],
  properties: { name: { type: "string", maxLength: 12 }, age: { type: "integer", minimum: 0, maximum: 120 } },
};
const tools = [{
  type: "function",
  function: {
    name: "lookup", description: "finds a drug",
    parameters: { type: "object", additionalProperties: false, required: ["drug"],
      properties: { drug: { enum: ["aspirin", "insulin"] } } },
  },
}];

const checks = {
  async chat() {
    const answer = await client.chat.completions.create(ask);
    assert.ok(answer.choices[0].message.content);
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  },
  async stream() {
    const whole = (await client.chat.completions.create(ask)).choices[0].message.content;
    const stream = await client.chat.completions.create(
      { ...ask, stream: true, stream_options: { include_usage: true } });
    let text = "", usage = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, whole);
    assert.ok(usage.completion_tokens > 0);
  },
  async stream_helper() {
    const runner = client.chat.completions.stream(ask);
    const answer = await runner.finalChatCompletion();
    assert.ok(answer.choices[0].message.content);
  },
  async abandoned_stream() {
    const stream = await client.chat.completions.create({ ...ask, max_tokens: 1000, stream: true });
    for await (const chunk of stream) if (chunk.choices.length) break;
  },
  async tools_bind() {
    const answer = await client.chat.completions.create(
      { ...ask, max_tokens: 200, tools, tool_choice: "required" });
    const [call] = answer.choices[0].message.tool_calls;
    assert.equal(call.function.name, "lookup");
    assert.ok(["aspirin", "insulin"].includes(JSON.parse(call.function.arguments).drug));
    assert.equal(answer.choices[0].finish_reason, "tool_calls");
    const after = await client.chat.completions.create({ ...ask, messages: [...messages,
      answer.choices[0].message, { role: "tool", tool_call_id: call.id, content: "found" }] });
    assert.ok(after.choices.length === 1);
  },
  async tools_streamed() {
    const runner = client.chat.completions.stream({ ...ask, max_tokens: 200, tools, tool_choice: "required" });
    const answer = await runner.finalChatCompletion();
    assert.equal(answer.choices[0].message.tool_calls[0].function.name, "lookup");
  },
  async json_schema() {
    const answer = await client.chat.completions.create({ ...ask, max_tokens: 200, temperature: 1, seed: 5,
      response_format: { type: "json_schema", json_schema: { name: "person", strict: true, schema } } });
    const person = JSON.parse(answer.choices[0].message.content);
    assert.ok(Number.isInteger(person.age) && person.age <= 120 && [...person.name].length <= 12);
  },
  async logprobs() {
    const answer = await client.chat.completions.create({ ...ask, max_tokens: 4, logprobs: true, top_logprobs: 2 });
    assert.ok(answer.choices[0].logprobs.content.every((entry) => entry.top_logprobs.length === 2));
  },
  async completions() {
    const answer = await client.completions.create({ model, prompt: ["Once", "Twice"], max_tokens: 4, temperature: 0 });
    assert.equal(answer.choices.length, 2);
  },
  async responses() {
    const answer = await client.responses.create({ model, input: "Say hello.", max_output_tokens: 16, store: false });
    assert.ok(answer.output_text.length > 0);
    let text = "";
    for await (const event of await client.responses.create(
      { model, input: "Say hello.", max_output_tokens: 16, store: false, stream: true, temperature: 0 }))
      if (event.type === "response.output_text.delta") text += event.delta;
    assert.ok(text.length > 0);
  },
  async embeddings() {
    const name = (await vectors.models.list()).data[0].id;
    const answer = await vectors.embeddings.create({ model: name, input: ["a cat", "a dog"] });
    assert.equal(answer.data.length, 2);
    assert.equal(answer.data[0].embedding.length, 384);
    const norm = Math.hypot(...answer.data[0].embedding);
    assert.ok(Math.abs(norm - 1) < 1e-3, `norm ${norm}`);
  },
  async errors() {
    await assert.rejects(client.chat.completions.create({ ...ask, temperature: -1 }),
      (error) => error instanceof OpenAI.BadRequestError && error.param === "temperature");
    await assert.rejects(client.chat.completions.create({ ...ask, model: "gpt-4" }), OpenAI.NotFoundError);
    await assert.rejects(client.chat.completions.create({ ...ask, no_such_field: 1 }), OpenAI.BadRequestError);
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${error?.stack ?? error}`);
  }
}
process.exit(failed ? 1 : 0);
