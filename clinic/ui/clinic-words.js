// SPDX-License-Identifier: Apache-2.0
// Every word that the pages say, in both languages; {names} are filled in. What records say is not
// here and is never translated. A missing word shows its name.
const texts = {
  zh: {
    // frame
    skip: "跳到正文", places: "导航", help: "快捷键 ?", helpTitle: "键盘快捷键", logout: "退出", otherLanguage: "English",
    otherLanguageCode: "en", close: "关闭", lost: "与服务器的连接中断；已输入的内容仍在本页，恢复后会自动保存。", notAllowed: "您没有查看权限。",
    timedOut: "会话已结束，请重新登录。", model_off: "模型未加载", model_loading: "模型加载中 {name}", model_ready: "模型 {name}",
    // login
    login: "登录", loginNote: "查看、起草、修改与回填均会记入审计。", user: "用户名", password: "密码", loginWrong: "用户名或密码不正确。",
    // list
    patients: "患者", patient: "姓名", sexAge: "性别 年龄", department: "科室", bed: "床号", admitted: "入院", discharged: "出院",
    mainDiagnosis: "主要诊断", draft: "草稿", form: "表单", search: "查找", searchHint: "姓名、患者号、诊断", listState: "状态",
    allDepartments: "全部科室", list_any: "全部", list_admitted: "在院", list_discharged: "已出院", list_drafted: "已有草稿",
    list_filled: "已回填", list_open: "未填写", listCount: "共 {n} 人", listPart: "共 {n} 人，第 {from}–{to} 人", nobody: "没有符合条件的患者。", previousPage: "上一页", nextPage: "下一页",
    // documents
    documents: "病历文书", template: "记录类型", reports: "检查报告", tables: "数据", patientData: "患者信息", diagnoses: "诊断",
    operations: "手术", events: "住院经过", orders: "医嘱", labs: "检验", vitals: "生命体征", backToDraft: "返回草稿",
    // form
    recordForm: "记录表单", generate: "生成{name}", print: "打印", undo: "撤销", fromDraft: "来自草稿 · {by} {at}",
    typedBy: "{by} 填写 {at}", saving: "正在保存……", notSaved: "未保存", clash: "这一栏已在别处被修改为：",
    takeTheirs: "采用上面的内容", keepMine: "保留我的内容", spokenUndone: "{name}：已撤销", signature: "医师签名：", signedOn: "日期：",
    printedNote: "打印自杏林，未经医师签名无效。",
    // draft window
    draftOf: "{by} 的草稿，只能查看；需要修改请自行生成。", emptyDraft: "点击“生成”按钮开始。每一句都可点击，查看它在病历中的依据；没有依据的句子会标出，处理后才能回填。",
    draftWindow: "AI 草稿窗口", draftTitle: "AI 草稿 · {name}", modelOff: "模型未加载：各数据栏与按规则整理的诊疗经过仍可使用。",
    stop: "停止", fillAll: "全部回填", minimise: "最小化", restore: "AI 草稿", verified: "已核对 {ok}/{all}",
    verifiedTip: "共 {all} 个核对项（数值、日期、药品与剂量、侧别、否定、诊断），{ok} 个与病历相符",
    nextIssue: "⚠ 未核实 {n} 句", inConflict: "病历矛盾 {n} 处", times: "{model} · 首字 {first} 秒 · 共 {total} 秒 · {at}", timesNoModel: "{model} · 共 {total} 秒 · {at}",
    state_none: "尚未生成", state_running: "生成中", state_done: "已完成", state_stopped: "已停止", state_failed: "失败",
    state_waiting: "等待", state_writing: "正在写", from_data: "数据", from_copy: "摘录", from_rule: "规则", from_model: "模型",
    locked: "已锁定", edited: "已修改", blocked: "不能回填", inForm: "已在表单", notAsForm: "与表单不同",
    fill: "回填", fillTip: "把这一栏写入表单", fillBlocked: "有未核实的句子，处理后才能回填", fillEditing: "请先保存或取消修改",
    editTip: "修改这一栏的草稿", regenerateTip: "重新生成这一栏", lockTip: "锁定后，重新生成时保留这一栏", diffTip: "与表单中的这一栏对比", copyTip: "复制这一栏", edit: "编辑", regenerate: "重写", lock: "锁定", unlock: "解锁",
    diff: "对比", copy: "复制", copied: "已复制", copyFailed: "无法复制", save: "保存", cancel: "取消", confirm: "确认",
    editText: "草稿正文", editUnsaved: "修改尚未保存。", giveUp: "放弃修改", editRestored: "这是您上次未保存的修改。",
    editedMeanwhile: "修改期间这一栏的草稿已变为上面的内容；再次保存将以您的文字为准。",
    askAgain: "您在“{names}”中的修改不会保留到新草稿。需要保留请先锁定。", askRewrite: "您在“{names}”中的修改将被重新生成的内容替换。", goOn: "继续生成", noDifference: "与表单相同。", diffLegend: "删除线：表单中有而草稿没有；下划线：草稿新增。",
    issues: "未核实的句子", unsupported: "⚠ 第 {n} 句未核实：", noSource: "病历中没有找到依据", suggestion: "病历原文：",
    showSource: "查看依据", accept: "采纳", change: "修改", useSource: "用原文替换", acceptReason: "采纳的理由", basis: "第 {n} 句的依据",
    sources: "来源", claims: "核对项", noClaims: "这一句没有需要核对的数值、药品或诊断。", claimRight: "相符：", claimWrong: "不符：", acceptedBecause: "医师采纳，理由：",
    omissions: "可能遗漏 {n} 项", noOmissions: "未发现应写的遗漏", mayOmissions: "另有 {n} 项可写", need_must: "应写", need_may: "可写", insert: "插入", dismiss: "忽略", dismissReason: "忽略的理由",
    wouldInsert: "插入 ", omission_inserted: "已插入", omission_dismissed: "已忽略",
    class_op: "手术", class_dx: "诊断", class_positive: "阳性发现", class_drug: "用药", class_complication: "并发症",
    class_consult: "会诊", class_pending: "待回报结果", class_followup: "随访", class_event: "事件",
    conflicts: "病历中有 {n} 处矛盾", severity_V: "单项否决", severity_H: "高", severity_M: "中", severity_L: "低", severity_A: "提示",
    blockedFields: "{names}：有未核实的句子，采纳、修改或替换后才能回填。", leftOut: "{names}：有未核实的句子，未回填；逐句采纳、修改或替换后再回填。",
    leftTyped: "{names}：表单中是手工填写的内容，未覆盖；需要替换请在该栏单独回填。", leftEdited: "{names}：正在修改，未回填。",
    notSavedYet: "{names}：表单中输入的内容还没有保存，未回填。", nothingToFill: "没有需要回填的内容。",
    reconnecting: "与服务器的连接中断，正在重新连接……已生成的内容不会丢失。", reconnected: "已重新连接。生成在中断时停止，已完成的内容均已保留。",
    formChanged: "表单已被修改，请核对差异后再回填。", draftChanged: "草稿已在别处修改，现已重新载入，请核对后再回填。",
    newerVersion: "病历刚刚有更新，本草稿依据的是此前的版本。", spokenDone: "{name}：已生成，已核对 {ok}/{all}", spokenBad: "{name}：{n} 句未核实",
    spokenWriting: "正在生成：{name}", spokenFilled: "已回填 {n} 项",
    // embedded
    finish: "完成", noLaunch: "请从病历系统打开此窗口。", launchOver: "会话已结束，请从病历系统重新打开此窗口。", hostFound: "已连接病历系统", hostMissing: "病历系统没有应答，请用“复制”",
    hostSilent: "病历系统没有及时应答：可能已填入，也可能没有，请在病历系统中核对。", hostRefused: "病历系统拒绝回填：{why}",
    // keys
    keyGenerate: "生成草稿", keyMinimise: "最小化或恢复草稿窗口", keyNext: "下一个未核实的句子", keyFill: "回填当前栏", keyEdit: "编辑当前栏",
    keyRegenerate: "重写当前栏", keyStop: "停止生成", keyPatients: "返回患者列表", keyHelp: "打开本帮助", keyBack: "由病历文书返回草稿",
    keySearch: "查找患者", legend: "标记说明", legendUnsupported: "病历中没有依据或与病历不符，处理前该栏不能回填", legendAccepted: "没有依据，医师已说明理由采纳",
    legendClaim: "核对项：与病历相符的数值、日期、药品、诊断等（选中句子时显示）", sampleText: "例句", keyLock: "锁定或解锁当前栏", keyDiff: "当前栏与表单对比", keySentences: "草稿中上一句、下一句",
    keySource: "查看该句的依据", keySave: "保存修改",
    // what the server refuses
    error_too_many_logins: "登录失败次数过多，请稍候几分钟再试。", error_too_many_requests: "请求过多，请稍候再试。", error_busy: "服务器正忙，请稍候再试。",
    error_shutting_down: "服务器正在停止，请稍候再试。", error_audit_unavailable: "审计无法写入，操作未执行，请联系管理员。",
    error_still_running: "草稿还在生成，请等待完成或先停止。", error_not_finished: "这一栏尚未完成。", error_locked: "这一栏已锁定。",
    error_not_your_draft: "这是其他医师的草稿，只能查看。", error_role_not_allowed: "您没有执行此操作的权限。", error_not_found: "没有找到，或不在您的可见科室内。",
    error_record_changed: "病历已有更新的版本，草稿已按新版本重新核对，请查看标出的变化后再回填。", error_conflict: "内容已在别处被修改，请核对后再试。",
    // users
    users: "用户", displayName: "显示名", role: "角色", role_doctor: "医师", role_qc: "质控", role_admin: "管理员", role_auditor: "审计员",
    departments: "可见科室", departmentsHint: "用顿号分隔，* 为全部", passwordHint: "不改则留空", disabled: "停用", mayLogin: "可登录",
    yes: "是", no: "否", userSaved: "已保存：{name}",
    // audit
    audit: "审计", verifyAudit: "验证审计链", seq: "序号", when: "时间", what: "操作", objectOf: "对象", before: "操作前", after: "操作后",
    chain: "哈希值", older: "更早", fromDay: "自", toDay: "至", episodeId: "住院流水号", searchNow: "查询", anyAction: "全部操作", nothingFound: "没有记录。",
    auditWhole: "审计链完整：{n} 条记录全部相符。", auditBroken: "审计链不完整：第 {at} 条，{why}",
    action_read: "查看", "action_import": "导入", "action_draft.create": "生成草稿", "action_draft.write": "写入草稿", "action_draft.renew": "按新病历核对",
    "action_form.blocked": "回填被阻止", action_denied: "拒绝访问", "action_cds.feedback": "CDS 反馈", "action_draft.stop": "停止草稿",
    "action_draft.edit": "修改草稿", "action_draft.insert": "插入遗漏",
    "action_draft.regenerate": "重写一栏", "action_form.fill": "回填",
    "action_form.type": "填写表单", "action_form.undo": "撤销", action_override: "采纳或忽略", action_login: "登录",
    "action_login.failed": "登录失败", action_logout: "退出", action_launch: "由宿主启动", "action_user.put": "用户管理", action_export: "导出",
  },
  en: {
    skip: "Skip to the content", places: "Places", help: "Keys ?", helpTitle: "Keyboard shortcuts", logout: "Sign out",
    otherLanguage: "中文", otherLanguageCode: "zh-CN", close: "Close", lost: "The connection to the server broke; what you typed is still here and is saved when it is back.",
    notAllowed: "You may not see this.", timedOut: "The session is over; sign in again.", model_off: "No model loaded",
    model_loading: "Loading {name}", model_ready: "Model {name}",
    login: "Sign in", loginNote: "Reading, drafting, editing and filling are audited.", user: "User", password: "Password",
    loginWrong: "Wrong user or password.",
    patients: "Patients", patient: "Name", sexAge: "Sex, age", department: "Department", bed: "Bed", admitted: "Admitted",
    discharged: "Discharged", mainDiagnosis: "Main diagnosis", draft: "Draft", form: "Form", search: "Search",
    searchHint: "Name, number, diagnosis", listState: "State", allDepartments: "All departments", list_any: "Any",
    list_admitted: "In hospital", list_discharged: "Discharged", list_drafted: "Drafted", list_filled: "Filled", list_open: "Not filled",
    listCount: "Patients: {n}", listPart: "Patients: {n}, shown {from}–{to}", nobody: "No patient fits.", previousPage: "Previous", nextPage: "Next",
    documents: "Documents", template: "Type of record", reports: "Reports", tables: "Data", patientData: "Patient",
    diagnoses: "Diagnoses", operations: "Operations", events: "Events", orders: "Orders", labs: "Laboratory", vitals: "Vital signs",
    backToDraft: "Back to the draft",
    recordForm: "Record form", generate: "Draft {name}", print: "Print", undo: "Undo", fromDraft: "From the draft · {by} {at}",
    typedBy: "Typed by {by} {at}", saving: "Saving …", notSaved: "Not saved", clash: "This field was changed elsewhere to:",
    takeTheirs: "Take the text above", keepMine: "Keep mine", spokenUndone: "{name}: undone", signature: "Physician: ", signedOn: "Date: ",
    printedNote: "Printed from Xinglin; not valid without a physician's signature.",
    draftOf: "A draft of {by}, for reading; to change one, make your own.",
    emptyDraft: "Press “Draft …” to begin. Each sentence can be clicked to see what it rests on in the record; those that nothing supports are marked and must be settled before they are filled.",
    draftWindow: "AI draft window", draftTitle: "AI draft · {name}",
    modelOff: "No model is loaded: data fields and the rule-made outline of the course still work.",
    stop: "Stop", fillAll: "Fill all", minimise: "Minimise", restore: "AI draft", verified: "verified {ok}/{all}",
    verifiedTip: "{all} items checked (numbers, dates, drugs and doses, sides, negations, diagnoses), {ok} agree with the record",
    nextIssue: "⚠ not supported: {n}", inConflict: "contradictions: {n}", times: "{model} · first text {first} s · {total} s in all · {at}",
    timesNoModel: "{model} · {total} s in all · {at}",
    state_none: "not drafted", state_running: "writing", state_done: "done", state_stopped: "stopped", state_failed: "failed",
    state_waiting: "waiting", state_writing: "writing", from_data: "data", from_copy: "copied", from_rule: "rule", from_model: "model",
    locked: "locked", edited: "edited", blocked: "cannot be filled", inForm: "in the form", notAsForm: "differs from the form",
    fill: "Fill", fillTip: "Put this field into the form", fillBlocked: "Has sentences that are not supported; settle them first",
    fillEditing: "Save or cancel the edit first", editTip: "Change the draft of this field", regenerateTip: "Write this field again",
    lockTip: "A locked field stays as it is in the next draft", diffTip: "Compare with this field of the form", copyTip: "Copy this field", edit: "Edit", regenerate: "Rewrite",
    lock: "Lock", unlock: "Unlock", diff: "Compare", copy: "Copy", copied: "Copied", copyFailed: "Not copied", save: "Save",
    cancel: "Cancel", confirm: "Confirm", editText: "Text of the draft", editUnsaved: "The edit is not saved.", giveUp: "Give it up", editRestored: "Your edit, not saved last time.",
    editedMeanwhile: "The draft of this field has become the text above meanwhile; saving again puts yours in its place.",
    askAgain: "Your edits in {names} will not be in the new draft. Lock the field to keep them.",
    askRewrite: "Your edits in {names} will be replaced.", goOn: "Write again", noDifference: "As in the form.",
    diffLegend: "Struck: in the form only. Underlined: in the draft only.",
    issues: "Sentences that are not supported", unsupported: "⚠ Sentence {n} not supported: ", noSource: "nothing in the record supports it",
    suggestion: "The record says: ", showSource: "Show source", accept: "Accept", change: "Change", useSource: "Use the record's words",
    acceptReason: "Why it is accepted", basis: "What sentence {n} rests on", sources: "Sources", claims: "Checked",
    noClaims: "Nothing in this sentence has to be checked.", claimRight: "agrees: ", claimWrong: "differs: ", acceptedBecause: "Accepted by the physician: ",
    omissions: "Possible omissions: {n}", noOmissions: "Nothing found that must be told", mayOmissions: "May also be told: {n}", need_must: "must", need_may: "may", insert: "Insert", dismiss: "Dismiss",
    dismissReason: "Why it is left out", wouldInsert: "Into ", omission_inserted: "inserted", omission_dismissed: "dismissed",
    class_op: "operation", class_dx: "diagnosis", class_positive: "finding", class_drug: "drug", class_complication: "complication",
    class_consult: "consultation", class_pending: "result pending", class_followup: "follow-up", class_event: "event",
    conflicts: "Contradictions inside the record: {n}", severity_V: "veto", severity_H: "high", severity_M: "medium", severity_L: "low",
    severity_A: "note", blockedFields: "{names}: accept, change or replace what is not supported, then fill.",
    leftOut: "{names}: not filled; accept, change or replace what is not supported first.",
    leftTyped: "{names}: the form holds text that was typed, which was left; fill that field by itself to replace it.",
    leftEdited: "{names}: being edited, not filled.", notSavedYet: "{names}: what was typed in the form is not saved yet; nothing was filled.",
    nothingToFill: "Nothing has to be filled.", reconnecting: "The connection broke; connecting again … What is written is not lost.",
    reconnected: "Connected again. Writing stopped when the connection broke; what was finished is kept.", formChanged: "The form was changed; look at the differences, then fill.",
    draftChanged: "The draft was changed elsewhere and is shown anew; look at it, then fill.",
    newerVersion: "The record has just changed; this draft rests on the version before.",
    spokenDone: "{name}: written, verified {ok} of {all}", spokenBad: "{name}: sentences not supported: {n}", spokenWriting: "Writing: {name}",
    spokenFilled: "Fields filled: {n}",
    finish: "Done", noLaunch: "Open this window from the record system.", launchOver: "The session is over; open this window again from the record system.", hostFound: "Connected to the record system",
    hostMissing: "The record system does not answer; use Copy", hostSilent: "The record system did not answer in time: it may or may not have taken the text; look there.",
    hostRefused: "The record system refused: {why}",
    keyGenerate: "Draft the record", keyMinimise: "Minimise or restore the draft window", keyNext: "Next sentence that is not supported",
    keyFill: "Fill this field", keyEdit: "Edit this field", keyRegenerate: "Write this field again", keyStop: "Stop writing", keyPatients: "Back to the patients", keyHelp: "This help",
    keyBack: "From the documents back to the draft", keySearch: "Search patients", legend: "Marks", legendUnsupported: "nothing in the record supports it, or it differs; blocks filling until settled",
    legendAccepted: "nothing supports it; accepted by the physician with a reason", legendClaim: "checked and right (shown in the chosen sentence)", sampleText: "text", keyLock: "Lock or unlock this field",
    keyDiff: "Compare this field with the form", keySentences: "Previous, next sentence of the draft", keySource: "Show what it rests on",
    keySave: "Save an edit",
    error_too_many_logins: "Too many logins failed; try again in a few minutes.", error_too_many_requests: "Too many requests; try again shortly.",
    error_busy: "The server is busy; try again shortly.", error_shutting_down: "The server is stopping; try again shortly.",
    error_audit_unavailable: "The audit cannot be written, so nothing was done; tell an administrator.",
    error_still_running: "The draft is still being written; wait or stop it first.", error_not_finished: "This field is not finished.",
    error_locked: "This field is locked.", error_not_your_draft: "Another physician's draft is for reading.",
    error_role_not_allowed: "You may not do this.", error_not_found: "Not found, or outside your departments.",
    error_record_changed: "The record has a newer version; the draft was checked against it. Look at what is marked, then fill.",
    error_conflict: "It was changed elsewhere; look at it and try again.",
    users: "Users", displayName: "Display name", role: "Role", role_doctor: "doctor", role_qc: "quality control", role_admin: "admin",
    role_auditor: "auditor", departments: "Departments", departmentsHint: "separated by commas, * for all",
    passwordHint: "empty: as it is", disabled: "Disabled", mayLogin: "May sign in", yes: "yes", no: "no", userSaved: "Saved: {name}",
    audit: "Audit", verifyAudit: "Verify the chain", seq: "No.", when: "Time", what: "Action", objectOf: "Object", before: "Before",
    after: "After", chain: "Hash", older: "Older", fromDay: "From", toDay: "To", episodeId: "Episode", searchNow: "Search", anyAction: "Any action",
    nothingFound: "Nothing found.", auditWhole: "The chain is whole: all {n} lines agree.", auditBroken: "The chain is broken at line {at}: {why}",
    action_read: "read", action_import: "import", "action_draft.create": "draft", "action_draft.write": "write draft", "action_draft.renew": "check anew",
    "action_form.blocked": "fill blocked", action_denied: "denied", "action_cds.feedback": "CDS feedback", "action_draft.stop": "stop draft",
    "action_draft.edit": "edit draft", "action_draft.insert": "insert omission",
    "action_draft.regenerate": "rewrite a field",
    "action_form.fill": "fill form", "action_form.type": "type into form", "action_form.undo": "undo", action_override: "accept or dismiss",
    action_login: "sign in", "action_login.failed": "failed sign-in", action_logout: "sign out", action_launch: "launch by host",
    "action_user.put": "user changed", action_export: "export",
  },
};

let language = (navigator.language || "zh").toLowerCase().startsWith("zh") ? "zh" : "en";

export function word(name, values = {}) {
  const text = texts[language][name];
  if (text === undefined) return name;
  return text.replace(/\{(\w+)\}/g, (whole, key) => (values[key] === undefined || values[key] === null ? "" : String(values[key])));
}

export function hasWord(name) {
  return texts[language][name] !== undefined;
}

export function currentLanguage() {
  return language;
}

export function switchLanguage() {
  language = language === "zh" ? "en" : "zh";
}
