// SPDX-License-Identifier: Apache-2.0
// Templates, and the texts that jinja2 makes of them under Hugging Face's settings.
#ifndef XL_TESTS_TEMPLATE_CASES_H
#define XL_TESTS_TEMPLATE_CASES_H

static const char case_context[] =
    "{\"messages\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\":"
    " \"user\", \"content\": \"你好 \\n\"}, {\"role\": \"assistant\", \"content\": \""
    " ok \"}], \"tools\": [{\"name\": \"f\", \"parameters\": {\"b\": 1, \"a\": [1.5"
    ", null, true]}}], \"bos\": \"<s>\", \"n\": 3, \"text\": \"a,b,,c\", \"empty\":"
    " \"\", \"pi\": 3.0, \"t\": true, \"none_value\": null, \"d\": {\"z\": 1, \"Y\""
    ": 2, \"x\": {\"k\": [1]}}, \"tree\": [{\"v\": 1, \"c\": [{\"v\": 2, \"c\": []}"
    ", {\"v\": 3, \"c\": []}]}]}";

enum { CASE_NOW = 1762000496 };

static const struct template_case {
    const char *name, *source, *expected;
} template_cases[] = {
    {"chatml",
     "{% for m in messages %}{{'<|im_start|>' + m.role + '\n' + m['content'] | trim "
     "+ '<|im_end|>\n'}}{% endfor %}",
     "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n你好<|im_end|>\n<|im_"
     "start|>assistant\nok<|im_end|>\n"},
    {"trim_and_lstrip_blocks", "A\n  {% if true %}\n  B\n  {% endif %}\nC\n  {{ n }}\n",
     "A\n  B\nC\n  3"},
    {"whitespace_marks", "a  \n {%- if t -%} \n b {%+ endif -%}  c {{- ' d ' -}} e\n", "ab c d e"},
    {"plus_keeps_space", "x\n    {%+ if t %}y{% endif %}\n", "x\n    y"},
    {"trailing_newline", "line\n\n", "line\n"},
    {"carriage_returns", "a\r\nb\rc", "a\nb\nc"},
    {"comments", "a{# {{ no }} #}\nb {#- c -#} d", "abd"},
    {"raw", "{% raw %}\n{{ x }}{% endraw %}!{%- raw -%} {% a %} {%- endraw %}",
     "\n{{ x }}!{% a %}"},
    {"escapes", "{{ 'a\\n\\t\\x41\\u4e16\\U0001f600\\'\\q' }}", "a\n\tA世😀'\\q"},
    {"string_concat", "{{ 'a' 'b' \"c\" ~ 1 ~ none ~ true ~ 2.0 }}", "abc1NoneTrue2.0"},
    {"numbers",
     "{{ 1_000 }} {{ 0x1f }} {{ 0b101 }} {{ 1e3 }} {{ 1.5e-7 }} {{ 1e16 }} {{ 0.1 + "
     "0.2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 2 "
     "** -1 }}",
     "1000 31 5 1000.0 1.5e-07 1e+16 0.30000000000000004 3 -4 2 3.5 1024 0.5"},
    {"unary_and_power", "{{ -2 ** 2 }} {{ - 3 }} {{ +4 }} {{ -n|abs }}", "4 -3 4 3"},
    {"python_printing", "{{ [1, 'a', none, true, 1.0, (1,), {'k': \"it's\"}] }} {{ messages[0] }}",
     "[1, 'a', None, True, 1.0, (1,), {'k': \"it's\"}] {'role': 'system', 'content':"
     " 'Be brief.'}"},
    {"compare_chain",
     "{{ 1 < n < 5 }} {{ 1 < n > 5 }} {{ n in [1, 3] }} {{ 'a' not in text }} {{ 'z'"
     " in d }}",
     "True False True False True"},
    {"logic_returns_operands",
     "{{ empty or 'x' }} {{ n and 'y' }} {{ not n }} {{ none_value or 0 }}", "x y False 0"},
    {"inline_if",
     "{{ 'a' if n > 2 else 'b' }}{{ 'gone' if false }}|{{ 1 if 0 else 2 if 0 else 3 "
     "}}",
     "a|3"},
    {"undefined_prints_nothing",
     "[{{ nothing }}{{ d.nothing }}{{ messages[9] }}] {{ nothing is defined }} {{ no"
     "thing|length }} {{ nothing|default('d') }} {{ nothing == other }}",
     "[] False 0 d True"},
    {"slices",
     "{{ text[1:3] }} {{ text[::-1] }} {{ messages[1:]|length }} {{ messages[-1].rol"
     "e }} {{ [0,1,2,3,4][4:1:-2] }} {{ '世界人'[1] }} {{ '世界人'[-2:] }}",
     ",b c,,b,a 2 assistant [4, 2] 界 界人"},
    {"methods",
     "{{ text.split(',') }} {{ text.split(',', 1) }} {{ ' a  b '.split() }} {{ 'xax'"
     ".strip('x') }} {{ 'Hello'.replace('l', 'L', 1) }} {{ 'a-b-c'.rsplit('-', 1) }}"
     " {{ 'ab'.startswith(('b', 'a')) }} {{ 'hello wORLD'.title() }} {{ '-'.join(['a"
     "', 'b']) }}",
     "['a', 'b', '', 'c'] ['a', 'b,,c'] ['a', 'b'] a HeLlo ['a-b', 'c'] True Hello W"
     "orld a-b"},
    {"dict_methods",
     "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{{ d.get('q') }} {{ d.g"
     "et('q', 5) }} {{ d.keys() }} {{ d.values()|list }}",
     "z=1;Y=2;x={'k': [1]};None 5 dict_keys(['z', 'Y', 'x']) [1, 2, {'k': [1]}]"},
    {"format_methods",
     "{{ '{} {1}'.format(1, 2) if false }}{{ '{}-{:>4}-{name:<3}|{0!r}'.replace('{0!"
     "r}', '').format(1, 'ab', name='c') }} {{ '%s %d %.2f %5s|%-4s|' % ('a', 3, 1.0"
     "05, 'b', 'c') }} {{ '%(k)s' % {'k': 1} }}",
     "1-  ab-c  | a 3 1.00     b|c   | 1"},
    {"tojson",
     "{{ tools|tojson }} {{ 'ü\"\\n<'|tojson }} {{ 'ü'|tojson(ensure_ascii=true) }} "
     "{{ d|tojson(sort_keys=true) }} {{ [1, {}]|tojson(separators=(',', ':')) }}",
     "[{\"name\": \"f\", \"parameters\": {\"b\": 1, \"a\": [1.5, null, true]}}] \"ü"
     "\\\"\\n<\" \"\\u00fc\" {\"Y\": 2, \"x\": {\"k\": [1]}, \"z\": 1} [1,{}]"},
    {"tojson_indent", "{{ tools|tojson(indent=2) }} {{ []|tojson(indent=2) }}",
     "[\n  {\n    \"name\": \"f\",\n    \"parameters\": {\n      \"b\": 1,\n      \""
     "a\": [\n        1.5,\n        null,\n        true\n      ]\n    }\n  }\n] []"},
    {"filters",
     "{{ text|upper|replace(',', '-') }} {{ [3,1,2]|sort|join(' ') }} {{ ['b','A']|s"
     "ort }} {{ 'a b-c'|title }} {{ ' x '|trim }} {{ '4.7'|int }} {{ 'q'|int(9) }} {"
     "{ '2'|float }} {{ [1,2]|sum }} {{ [4,2]|min }} {{ 2.567|round(1) }} {{ 2.5|rou"
     "nd }} {{ 'hello'|first }} {{ [1,2]|last }} {{ [1,1,2]|unique|list }} {{ [1,2,3"
     "]|reverse|list }}",
     "A-B--C 1 2 3 ['A', 'b'] A B-C x 4 9 2.0 3 2 2.6 2.0 h 2 [1, 2] [3, 2, 1]"},
    {"selections",
     "{{ messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|lis"
     "t }} {{ messages|rejectattr('role', 'in', ['user'])|list|length }} {{ [1,none,"
     "2]|select|list }} {{ ['a','b']|map('upper')|join }} {{ [1,2,3]|reject('odd')|l"
     "ist }}",
     "['你好 \\n'] 2 [1, 2] AB [2]"},
    {"dictsort", "{{ d|dictsort }} {{ d|dictsort(true) }} {{ d|items|list }}",
     "[('x', {'k': [1]}), ('Y', 2), ('z', 1)] [('Y', 2), ('x', {'k': [1]}), ('z', 1)"
     "] [('z', 1), ('Y', 2), ('x', {'k': [1]})]"},
    {"indent_filter", "{{ 'a\nb\n\nc'|indent(2) }}|{{ 'a\nb'|indent(2, first=true) }}",
     "a\n  b\n\n  c|  a\n  b"},
    {"groupby_and_batch",
     "{% for g in messages|groupby('role') %}{{ g.grouper is defined }}{{ g[0] }}:{{"
     " g[1]|length }} {% endfor %}{{ [1,2,3]|batch(2)|list }}",
     "Trueassistant:1 Truesystem:1 Trueuser:1 [[1, 2], [3]]"},
    {"tests",
     "{{ n is number }} {{ n is integer }} {{ pi is float }} {{ text is string }} {{"
     " d is mapping }} {{ messages is sequence }} {{ messages is iterable }} {{ none"
     "_value is none }} {{ t is boolean }} {{ t is true }} {{ n is odd }} {{ n is di"
     "visibleby 3 }} {{ n is eq 3 }} {{ 'x' is in 'xyz' }} {{ d is not string }} {{ "
     "nothing is undefined }}",
     "True True True True True True True True True True True True True True True Tru"
     "e"},
    {"loop_variables",
     "{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ "
     "loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem.role if loop.pre"
     "vitem is defined }}{{ loop.nextitem.role if not loop.last }}{{ loop.cycle('o',"
     "'e') }} {% endfor %}",
     "103TrueFalse3usero 212FalseFalse3systemassistante 321FalseTrue3usero "},
    {"loop_else_and_filter",
     "{% for x in [] %}{{ x }}{% else %}none{% endfor %} {% for x in range(6) if x i"
     "s even %}{{ loop.index }}:{{ x }} {% endfor %}",
     "none 1:0 2:2 3:4 "},
    {"loop_control",
     "{% for x in range(9) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}"
     "{% break %}{% endif %}{{ x }}{% endfor %}",
     "0134"},
    {"loop_unpacking",
     "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}{% set x,"
     " y = 1, 2 %}{{ x }}{{ y }}",
     "12312"},
    {"loop_recursive",
     "{% for i in tree recursive %}{{ i.v }}@{{ loop.depth }}{% if i.c %}({{ loop(i."
     "c) }}){% endif %}{% endfor %}",
     "1@1(2@23@2)"},
    {"loop_changed", "{% for x in [1,1,2] %}{{ loop.changed(x) }} {% endfor %}",
     "True False True "},
    {"scopes",
     "{% set a = 1 %}{% for x in [1,2] %}{% set a = a + x %}{{ a }}{% endfor %}{{ a "
     "}}{% if t %}{% set a = 9 %}{% endif %}{{ a }}",
     "2319"},
    {"namespaces",
     "{% set ns = namespace(n=0, s='') %}{% for x in range(3) %}{% set ns.n = ns.n +"
     " x %}{% set ns.s = ns.s ~ x %}{% endfor %}{{ ns.n }}{{ ns.s }}{{ ns.q is defin"
     "ed }}{{ ns }}",
     "3012False<Namespace {'n': 3, 's': '012'}>"},
    {"macros",
     "{% macro f(a, b='B', c=a) %}[{{ a }}{{ b }}{{ c }}{{ varargs }}{{ kwargs }}]{%"
     " endmacro %}{{ f(1) }}{{ f(1, c=2, q=3) }}{{ f(1, 2, 3, 4) }}{{ f() }}",
     "[1B1(){}][1B2(){'q': 3}][123(4,){}][B(){}]"},
    {"macro_recursion",
     "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{"
     " f(5) }}",
     "543210"},
    {"call_block",
     "{% macro box(t) %}<{{ t }}>{{ caller(1) }}</{{ t }}>{% endmacro %}{% call(x) b"
     "ox('b') %}in{{ x }}{% endcall %}",
     "<b>in1</b>"},
    {"set_block",
     "{% set x %}a{{ n }}{% endset %}{{ x }}{% set y | upper %}abc{% endset %}{{ y }"
     "}",
     "a3ABC"},
    {"filter_block", "{% filter upper %}abc{{ text }}{% endfilter %}", "ABCA,B,,C"},
    {"with_block", "{% set a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}",
     "211"},
    {"generation_block",
     "{% for m in messages %}{% generation %}{{ m.content }}{% set q = 1 %}{% endgen"
     "eration %}{{ q is defined }}{% endfor %}",
     "Be brief.False你好 \nFalse ok False"},
    {"safe_strings",
     "{{ ('<' ~ 'a')|safe + '<b>' }} {{ '<'|e }} {{ '<x>' + 'y'|safe }} {{ ['<']|joi"
     "n }}",
     "<a&lt;b&gt; &lt; &lt;x&gt;y <"},
    {"cycler_and_joiner",
     "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.c"
     "urrent }}{% set j = joiner('|') %}{{ j() }}x{{ j() }}y",
     "ababx|y"},
    {"strftime_now", "{{ strftime_now('%Y-%m-%d %H:%M:%S %B %b %d %A %j %-d %y %p') }}",
     "2025-11-01 12:34:56 November Nov 01 Saturday 305 1 25 PM"},
    {"attribute_before_item",
     "{{ {'items': 5}.items is callable }} {{ {'items': 5}['items'] }} {{ {}['items'"
     "] is callable }} {{ d.x.k.0 }}",
     "True 5 True 1"},
    {"immutable_lists",
     "{{ [1].append is defined }} {{ {}.update is defined }} {{ [].pop is callable }"
     "}",
     "False False True"},
    {"star_arguments",
     "{% macro f(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ f(*[1, 2]) }}{{ f(**{'b': 1,"
     " 'a': 2}) }}",
     "1221"},
    {"unknown_filter_in_if",
     "{% if 'nofilter' is filter %}{{ 1|nofilter }}{% else %}fine{% endif %}", "fine"},
    {"unicode_case",
     "{{ 'straße ǆ Σ ΑΣ'|upper }} {{ 'ΑΣ İ'.lower() }} {{ 'ﬁx'.capitalize() if false"
     " }}{{ 'ünï'|capitalize }}",
     "STRASSE Ǆ Σ ΑΣ ας i̇ Ünï"},
    {"sort_by_attribute",
     "{{ [{'a': 2}, {'a': 1}]|sort(attribute='a') }} {{ [{'a': {'b': 1}}]|map(attrib"
     "ute='a.b')|list }}",
     "[{'a': 1}, {'a': 2}] [1]"},
    {"mixed_equality",
     "{{ 1 == 1.0 }} {{ true == 1 }} {{ '1' == 1 }} {{ [1] == [1.0] }} {{ {1: 'a'}[t"
     "rue] }} {{ none == false }}",
     "True True False True a False"},
};

static const char *const refused_templates[] = {
    "{{ x",
    "{% if %}",
    "{% endif %}",
    "{% for x in [1] %}",
    "{{ 1 +  }}",
    "{{ 'a }}",
    "{{ [1 }}",
    "{{ (1] }}",
    "{% unknown %}",
    "{% break %}",
    "{{ 1|nofilter }}",
    "{{ 1 is notest }}",
    "{% set 1 = 2 %}",
    "{% macro f(a=1, b) %}{% endmacro %}",
    "{{ nothing.x }}",
    "{{ nothing + 1 }}",
    "{{ 'a' + 1 }}",
    "{{ none + 'a' }}",
    "{{ 1 / 0 }}",
    "{{ 1 // 0 }}",
    "{{ [1].append(2) }}",
    "{{ d.update({}) }}",
    "{{ nothing() }}",
    "{{ n() }}",
    "{{ raise_exception('no') }}",
    "{{ range(200000) }}",
    "{{ none|tojson(1,2,3,4,5) }}",
    "{{ range(3)|tojson }}",
    "{{ nothing|tojson }}",
    "{% for x in 5 %}{% endfor %}",
    "{% for a, b in [(1,2,3)] %}{% endfor %}",
    "{% set d.x = 1 %}",
    "{{ 'abc' < 1 }}",
    "{{ {[]: 1} }}",
    "{% macro f() %}{% endmacro %}{{ f(1) }}",
    "{{ '%d' % 'a' }}",
    "{{ '{}'.format() }}",
    "{{ [1,2,3]|join(1,2,3) }}",
    "{{ none|length }}",
    "{# open",
    "{% raw %}x",
    "{{ 1 if }}",
    "{{ a.b.c }}",
    "{% include 'x' %}{% if 0 %}",
};

#endif
