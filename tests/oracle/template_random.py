# SPDX-License-Identifier: Apache-2.0
"""Random templates over a small grammar: expressions that mostly make sense, and some that do not."""
import random

CONTEXT = {
    "i": 7, "j": -3, "zero": 0, "f": 2.5, "big": 1e16, "tiny": 1.5e-7, "third": 0.1,
    "s": "Hello, World", "e": "", "u": "naïve 世界 ß😀", "w": "  a\tb \n", "q": "it's \"so\"",
    "num": " 42 ", "t": True, "n": None, "l": [3, 1, 2], "ls": ["b", "A", "c", "a"],
    "m": [1, 2.0, "x", None, True, [1], {"k": "v"}], "el": [],
    "d": {"b": 1, "a": [1, 2], "items": 5, "c": {"x": "y"}}, "ed": {},
    "rows": [{"k": "x", "v": 2, "n": {"z": 1}}, {"k": "Y", "v": 1}, {"k": "x", "v": 3}],
}
NAMES = [*CONTEXT, "missing"]
LITERALS = ["1", "0", "-2", "3", "10", "2.0", "0.5", "1e3", "'x'", "'a b'", "''", '"l"', "'o'",
            "true", "false", "none", "[]", "[1, 'a']", "(1,)", "()", "{}", "{'k': 1}", "','"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in",
             "not in", "and", "or"]
TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "mapping",
         "iterable", "sequence", "boolean", "true", "false", "odd", "even", "lower", "upper",
         "callable", "eq 1", "ne 'x'", "gt 1", "in [1, 'x']", "divisibleby 2", "sameas none"]
FILTERS = ["length", "upper", "lower", "title", "capitalize", "trim", "list", "string", "int",
           "float", "first", "last", "join", "join(', ')", "tojson", "tojson(indent=2)", "reverse",
           "sort", "unique", "abs", "round", "round(1)", "sum", "min", "max", "default('D')",
           "default('D', true)", "dictsort", "items", "replace('l', 'L')", "indent", "indent(2, true)",
           "map('upper')", "map(attribute='k')", "select('string')", "reject('none')", "select",
           "selectattr('k', 'eq', 'x')", "rejectattr('v', 'gt', 1)", "batch(2)", "groupby('k')",
           "sort(reverse=true)", "sort(attribute='v')", "tojson(sort_keys=true)", "escape", "safe",
           "center(20)", "truncate(8)", "wordcount", "tojson(ensure_ascii=true)", "count",
           "map(attribute='n.z', default=0)", "join('-', attribute='k')", "unique(attribute='k')",
           "tojson(separators=(',', ':'))", "trim('d H')", "int(9)", "attr('upper')", "slice(2)"]
METHODS = ["strip()", "lstrip()", "rstrip('d')", "split()", "split(', ')", "split('l', 1)",
           "rsplit('l', 1)", "startswith('H')", "endswith(('d', 'x'))", "upper()", "lower()",
           "title()", "capitalize()", "replace('l', '')", "replace('', '-', 3)", "find('o')",
           "rfind('o')", "count('l')", "join(ls)", "format(1, k='v')", "items()", "keys()",
           "values()", "get('a')", "get('z', 0)", "index('x')", "splitlines()", "isdigit()",
           "isalpha()", "islower()", "isupper()", "partition('o')", "rpartition('o')", "zfill(6)",
           "ljust(9, '.')", "center(14, '*')", "removeprefix('He')", "swapcase()", "append(1)",
           "copy()", "pop()", "nothing()", "isspace()", "isalnum()"]
SUBSCRIPTS = ["[0]", "[-1]", "['a']", "['k']", "[9]", ".a", ".k", ".items", ".x.y", "[j]",
              "['items']"]
# Only of names: Jinja folds slices of constants under looser rules (5[1:] is undefined, no error).
SLICES = ["[1:]", "[:2]", "[::-1]", "[::2]", "[-3:-1]", "[1:5:2]", "[5:1:-2]", "[none:2]", "[i:]"]
FORMATS = ["'%s|%5s|%-5s|'", "'%d|%05d|%+d'", "'%.2f|%8.3f|%e'", "'%r %s'", "'%x %o %%'", "'%g'"]


class Maker:
    def __init__(self, rng):
        self.rng = rng

    def pick(self, items):
        return self.rng.choice(items)

    def atom(self):
        return self.pick(NAMES) if self.rng.random() < 0.6 else self.pick(LITERALS)

    def expression(self, depth):
        if depth <= 0:
            return self.atom()
        kind = self.rng.randrange(13)
        inner = self.expression(depth - 1)
        if kind < 3:
            return f"({inner} {self.pick(OPERATORS)} {self.expression(depth - 1)})"
        if kind < 6:
            return f"({inner})|{self.pick(FILTERS)}"
        if kind < 8:
            return f"({inner}).{self.pick(METHODS)}"
        if kind == 8:
            if self.rng.random() < 0.4:
                return f"{self.pick(NAMES)}{self.pick(SLICES)}"
            return f"({inner}){self.pick(SUBSCRIPTS)}"
        if kind == 9:
            return f"({inner} is {self.pick(['', 'not '])}{self.pick(TESTS)})"
        if kind == 10:
            return f"({inner} if {self.expression(depth - 1)} else {self.expression(depth - 1)})"
        if kind == 11:
            return f"[{inner}, {self.expression(depth - 1)}]"
        return f"({self.pick(FORMATS)} % ({inner}, {self.atom()}, {self.atom()}))"

    def statement(self, depth):
        expression = self.expression(2)
        body = self.statements(depth - 1) if depth > 0 else "{{ x }}"
        space = [self.pick(["", " ", "\n", "  \n", "\n  "]) for _ in range(4)]
        mark = [self.pick(["", "", "", "-", "+"]) for _ in range(4)]
        opening, closing = "{%" + mark[0], mark[1].replace("+", "") + "%}"
        kind = self.rng.randrange(9)
        text = {
            0: f"{opening} if {expression} {closing}{body}{opening} else {closing}B{opening} endif {closing}",
            1: f"{opening} for x in {expression} {closing}{{{{ loop.index }}}}{body}{opening} else {closing}E"
               f"{opening} endfor {closing}",
            2: f"{opening} set x = {expression} {closing}{body}",
            3: f"{opening} set x {closing}{body}{opening} endset {closing}{{{{ x }}}}",
            4: f"{opening} macro f(a, b={self.atom()}) {closing}<{{{{ a }}}}{body}{{{{ b }}}}>"
               f"{opening} endmacro {closing}{{{{ f({expression}) }}}}",
            5: f"{{{{{mark[2].replace('+', '')} {expression} {mark[3].replace('+', '')}}}}}",
            6: f"{{#{mark[2]} note {mark[3]}#}}{body}",
            7: f"{opening} filter upper {closing}{body}{opening} endfilter {closing}",
            8: f"{opening} for x, y in {expression} {closing}{{{{ x }}}}={{{{ y }}}}"
               f"{opening} if loop.last {closing}{opening} break {closing}{opening} endif {closing}"
               f"{opening} endfor {closing}",
        }[kind]
        return space[0] + text + space[1]

    def statements(self, depth):
        return "".join(self.statement(depth) for _ in range(self.rng.randrange(1, 3)))


def cases(n, seed):
    rng = random.Random(seed)
    maker = Maker(rng)
    for number in range(n):
        if number % 3:
            yield "{{ " + maker.expression(rng.randrange(1, 4)) + " }}", CONTEXT
        else:
            yield maker.statements(2), CONTEXT
