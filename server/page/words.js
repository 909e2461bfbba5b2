// SPDX-License-Identifier: Apache-2.0
// Every word that the page says, in both languages. A missing one shows its name.
const texts = {
  zh: {
    skip: "跳到输入框", newChat: "新对话", key: "密钥", other: "English", conversation: "对话",
    welcome: "在下面输入问题。文字只在本机与这台服务器之间传送，本页不保存任何内容。",
    message: "消息", hint: "输入消息……", send: "发送", stop: "停止",
    keys: "Enter 发送，Shift+Enter 换行，Esc 停止生成，Alt+N 新对话。",
    options: "选项", system: "系统消息", temperature: "温度", maxTokens: "最多生成词元",
    seed: "随机种子", machine: "模型与机器",
    note: "模型会出错。生成的文字须由医师核对后才能使用。",
    keyTitle: "访问密钥", keyText: "这台服务器需要密钥。密钥只保存在本页内存中，关闭页面即失效。",
    use: "使用", forget: "清除", you: "您", model: "模型", thinking: "思考过程", copy: "复制",
    copied: "已复制", stopped: "已停止", cutOff: "已达长度上限",
    ready: "就绪", loading: "正在加载模型", draining: "正在停止服务", unreachable: "连接不上服务器",
    needsKey: "需要密钥", badKey: "密钥不对或没有权限。", noAnswer: "服务器没有回答：",
    lost: "连接中断，以上文字可能不完整。", empty: "模型没有给出任何文字。",
    tokens: "词元", first: "首词", second: "秒", perSecond: "词元/秒", prompt: "提示",
    cached: "其中已缓存", running: "正在生成", waiting: "排队", kv: "KV 内存", prompts: "累计提示词元",
    answers: "累计生成词元", speed: "近期速度", uptime: "已运行", context: "上下文", weights: "权重", kernels: "计算内核",
    threads: "线程", noMetrics: "没有指标（已关闭或无权限）。",
  },
  en: {
    skip: "Skip to the message", newChat: "New chat", key: "Key", other: "中文",
    conversation: "Conversation",
    welcome: "Ask below. Text travels between this computer and this server only; the page keeps nothing.",
    message: "Message", hint: "Message …", send: "Send", stop: "Stop",
    keys: "Enter sends, Shift+Enter breaks the line, Esc stops, Alt+N starts a new chat.",
    options: "Options", system: "System message", temperature: "Temperature",
    maxTokens: "Most tokens of an answer", seed: "Seed", machine: "Model and machine",
    note: "Models make mistakes. A physician has to check the text before it is used.",
    keyTitle: "Access key", keyText: "This server asks for a key. It stays in this page's memory and is gone when the page closes.",
    use: "Use", forget: "Forget", you: "You", model: "Model", thinking: "Thinking", copy: "Copy",
    copied: "Copied", stopped: "stopped", cutOff: "cut off at the limit",
    ready: "ready", loading: "loading the model", draining: "shutting down",
    unreachable: "server not reachable",
    needsKey: "needs a key", badKey: "The key is wrong or not allowed here.",
    noAnswer: "The server did not answer: ",
    lost: "The connection broke; the text above may be incomplete.",
    empty: "The model gave no text.",
    tokens: "tokens", first: "first after", second: "s", perSecond: "tokens/s", prompt: "prompt",
    cached: "known", running: "running", waiting: "waiting", kv: "KV memory",
    prompts: "prompt tokens in all", answers: "generated tokens in all", speed: "speed now",
    uptime: "up for", context: "context", weights: "weights", kernels: "kernels",
    threads: "threads", noMetrics: "No metrics (switched off, or not allowed).",
  },
};

let language = (navigator.language || "zh").toLowerCase().startsWith("zh") ? "zh" : "en";

export function word(name) {
  return texts[language][name] || name;
}

// Puts the words into everything that asks for them.
export function fill(root) {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of root.querySelectorAll("[data-word]"))
    element.textContent = word(element.dataset.word);
  for (const element of root.querySelectorAll("[data-hint]"))
    element.placeholder = word(element.dataset.hint);
  for (const element of root.querySelectorAll("[data-label]"))
    element.setAttribute("aria-label", word(element.dataset.label));
}

export function switchLanguage() {
  language = language === "zh" ? "en" : "zh";
}

export function otherLanguage() {
  return language === "zh" ? "en" : "zh-CN";
}
