"""Rule text to syntax tree: recursive descent with operator precedence."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from embedded_zone.errors import IrodsError
from embedded_zone.rules.native import syntax as s
from embedded_zone.rules.native.lexer import Token, syntax_error, token_at

# Loosest first; 'assign' is the only one that binds to the right.
PRECEDENCE = {
    "=": 1,
    "||": 3, "%%": 3, "&&": 4,
    "==": 6, "!=": 6, "<": 6, ">": 6, "<=": 6, ">=": 6, "like": 6, "not like": 6, "like regex": 6, "not like regex": 6,
    "+": 8, "-": 8, "++": 8,
    "*": 9, "/": 9, "%": 9,
    "^": 11, "^^": 11,
    ".": 20,
}  # fmt: skip
UNARY = {"-": ("neg", 10), "!": ("!", 10)}
_KEYWORDS = frozenset({"else", "then", "in", "with", "ON", "on", "OR", "or", "ORON", "oron"})
_COMPARISONS = {"=": "=", "==": "=", "<>": "<>", "!=": "<>", ">": ">", "<": "<", ">=": ">=", "<=": "<="}


class Parser:
    """One pass over a text; ``token`` is the one not yet consumed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.token = self._token_at(0)
        self._statements: dict[str, Callable[[], s.Node]] = {
            "if": self._if,
            "while": self._while,
            "whileExec": self._while,
            "for": self._for,
            "forExec": self._for,
            "foreach": self._foreach,
            "forEachExec": self._foreach,
            "delay": self._delay,
            "remote": self._remote,
            "let": self._let,
            "match": self._match,
            "select": self._query,
            "SELECT": self._query,
        }

    # Tokens -----------------------------------------------------------------------------------------------------

    def _advance(self) -> Token:
        token = self.token
        self.token = self._token_at(token.end)
        return token

    def _token_at(self, position: int) -> Token:
        """The next token; one that cannot be read is an error only if a term needs it."""
        try:
            return token_at(self.text, position)
        except IrodsError as error:
            if "too long" in error.message:
                raise
            return Token("bad", "", position, position)

    def _is(self, *texts: str) -> bool:
        return self.token.kind in ("op", "text") and self.token.text in texts

    def _accept(self, *texts: str) -> bool:
        if self._is(*texts):
            self._advance()
            return True
        return False

    def _expect(self, *texts: str) -> Token:
        if not self._is(*texts):
            raise syntax_error(self.text, self.token.start)
        return self._advance()

    def _kind(self, kind: str) -> Token:
        if self.token.kind != kind:
            raise syntax_error(self.text, self.token.start)
        return self._advance()

    def at_end(self) -> bool:
        """Whether everything was read."""
        return self.token.kind == "end"

    # Rules ------------------------------------------------------------------------------------------------------

    def rules(self) -> list[s.Rule]:
        """All definitions of the text."""
        found: list[s.Rule] = []
        while not self.at_end():
            found += self._rule()
        return found

    def _rule(self) -> list[s.Rule]:
        name = self._kind("text").text
        parameters = self._parameters() if self._is("(") else ()
        if self._accept("="):
            body = self.term()
            self._accept(";")
            return [s.Rule(name, parameters, s.Constant(True), body, is_function=True)]
        self._expect("{")
        if self._is("ON", "on", "ORON", "oron", "OR", "or"):
            return self._alternatives(name, parameters)
        rule = s.Rule(name, parameters, s.Constant(True), self._block())
        self._expect("}")
        return [rule]

    def _parameters(self) -> tuple[s.Node, ...]:
        self._expect("(")
        items: list[s.Node] = []
        while not self._is(")"):
            items.append(self.term())
            if self._accept(":"):
                self._kind("text")  # a type annotation; values carry their types here
            if not self._accept(","):
                break
        self._expect(")")
        return tuple(items)

    def _alternatives(self, name: str, parameters: tuple[s.Node, ...]) -> list[s.Rule]:
        found = []
        while not self._accept("}"):
            conditional = self._expect("ON", "on", "ORON", "oron", "OR", "or").text.lower().endswith("on")
            condition = self.term() if conditional else s.Constant(True)
            found.append(s.Rule(name, parameters, condition, self._braces()))
        return found

    # Blocks -----------------------------------------------------------------------------------------------------

    def _braces(self) -> s.Block:
        self._expect("{")
        block = self._block()
        self._expect("}")
        return block

    def _block(self) -> s.Block:
        steps: list[s.Step] = []
        while not self._is("}") and not self.at_end():
            action = self.term()
            steps.append(s.Step(action, self.term() if self._accept(":::") else None))
            while self._accept(";"):
                pass
        return s.Block(tuple(steps))

    # Terms ------------------------------------------------------------------------------------------------------

    def term(self, minimum: int = 0) -> s.Node:
        """A term whose operators bind tighter than ``minimum``."""
        if self.token.kind == "text" and self._starts_statement():
            return self._statements[self._advance().text]()
        left = self._operand()
        while True:
            operator = self._operator()
            if operator is None or PRECEDENCE[operator] <= minimum:
                return left
            left = self._binary(left, operator)

    def _starts_statement(self) -> bool:
        if self.token.text in ("select", "SELECT", "let", "match", "if"):
            return True
        following = self._token_at(self.token.end)
        return self.token.text in self._statements and following.text == "(" and following.kind == "op"

    def _operator(self) -> str | None:
        if self.token.kind == "op" and self.token.text in PRECEDENCE:
            return self.token.text
        if self._is("like"):
            return "like regex" if self._token_at(self.token.end).text == "regex" else "like"
        if self._is("not") and self._token_at(self.token.end).text == "like":
            following = self._token_at(self._token_at(self.token.end).end)
            return "not like regex" if following.text == "regex" else "not like"
        return None

    def _binary(self, left: s.Node, operator: str) -> s.Node:
        for _ in operator.split():
            self._advance()
        if operator == ".":
            return s.Member(left, self._key())
        if operator == "=":
            return s.Assign(left, self.term())
        return s.Call(operator, (left, self.term(PRECEDENCE[operator])))

    def _key(self) -> s.Node:
        if self.token.kind == "text":
            return s.Constant(self._advance().text)
        return self._operand()

    def _operand(self) -> s.Node:
        token = self.token
        if token.kind == "op":
            return self._prefixed()
        self._advance()
        if token.kind == "local":
            return s.Variable(token.text)
        if token.kind == "session":
            return s.SessionVariable(token.text)
        if token.kind in ("int", "double"):
            return s.Constant(int(token.text) if token.kind == "int" else float(token.text))
        if token.kind == "string":
            return _text(token)
        if token.kind != "text" or token.text in _KEYWORDS:
            raise syntax_error(self.text, token.start)
        return self._word(token)

    def _prefixed(self) -> s.Node:
        if self._is("{"):
            return self._braces()
        if self._accept("("):
            return self._tuple()
        if self.token.text in UNARY:
            name, precedence = UNARY[self._advance().text]
            return s.Call(name, (self.term(precedence),))
        raise syntax_error(self.text, self.token.start)

    def _tuple(self) -> s.Node:
        items: list[s.Node] = []
        while not self._is(")"):
            items.append(self.term())
            if not self._accept(","):
                break
        self._expect(")")
        return items[0] if len(items) == 1 else s.Sequence(tuple(items))

    def _word(self, token: Token) -> s.Node:
        if token.text in ("true", "false"):
            return s.Constant(token.text == "true")
        return s.Call(token.text, self._arguments() if self._is("(") else ())

    def _arguments(self) -> tuple[s.Node, ...]:
        self._expect("(")
        items: list[s.Node] = []
        while not self._is(")"):
            items.append(self.term())
            if not self._accept(","):
                break
        self._expect(")")
        return tuple(items)

    # Statements -------------------------------------------------------------------------------------------------

    def _if(self) -> s.Node:
        condition = self._condition()
        self._accept("then")
        then: s.Node = self._braces() if self._is("{") else self.term(1)
        otherwise: s.Node | None = None
        if self._accept("else"):
            otherwise = self._braces() if self._is("{") else self.term(1)
        return s.If(condition, then, otherwise)

    def _condition(self) -> s.Node:
        if not self._is("("):
            return self.term(1)
        self._advance()
        condition = self.term()
        self._expect(")")
        return condition

    def _while(self) -> s.Node:
        return s.While(self._condition(), self._braces())

    def _for(self) -> s.Node:
        self._expect("(")
        init = self.term()
        self._expect(";")
        condition = self.term()
        self._expect(";")
        step = self.term()
        self._expect(")")
        return s.For(init, condition, step, self._braces())

    def _foreach(self) -> s.Node:
        self._expect("(")
        variable = self._kind("local").text
        items = self.term() if self._accept("in") else None
        self._expect(")")
        return s.ForEach(variable, items, self._braces())

    def _delay(self) -> s.Node:
        self._expect("(")
        hints = self.term()
        self._expect(")")
        return s.Delay(hints, self._raw_block())

    def _remote(self) -> s.Node:
        self._expect("(")
        host = self.term()
        self._expect(",")
        hints = self.term()
        self._expect(")")
        return s.Remote(host, hints, self._raw_block())

    def _raw_block(self) -> str:
        opening = self._expect("{")
        self._block()  # read for its syntax; the text is what counts
        closing = self._expect("}")
        return self.text[opening.end : closing.start].strip()

    def _let(self) -> s.Node:
        target = self.term(2)
        self._expect("=")
        value = self.term()
        self._expect("in")
        return s.Let(target, value, self.term())

    def _match(self) -> s.Node:
        value = self.term(2)
        self._expect("with")
        cases: list[tuple[s.Node, s.Node]] = []
        self._accept("|")
        while True:
            pattern = self.term(1)
            self._expect("=>")
            cases.append((pattern, self.term()))
            if not self._accept("|"):
                return s.Match(value, tuple(cases))

    # Queries ----------------------------------------------------------------------------------------------------

    def _query(self) -> s.Node:
        columns = [self._column()]
        while self._accept(","):
            columns.append(self._column())
        conditions: list[s.Condition] = []
        if self._accept("where", "WHERE"):
            conditions.append(self._query_condition())
            while self._accept("and", "AND"):
                conditions.append(self._query_condition())
        return s.Query(tuple(columns), tuple(conditions))

    def _column(self) -> str:
        name = self._kind("text").text
        if not self._accept("("):
            return name
        inner = self._kind("text").text
        self._expect(")")
        return f"{name}({inner})"

    def _query_condition(self) -> s.Condition:
        column = self._column()
        tests = [self._test()]
        junction = ""
        while self._is("||", "&&"):
            junction = self._advance().text
            tests.append(self._test())
        return s.Condition(column, junction, tuple(tests))

    def _test(self) -> tuple[str, tuple[s.Node, ...]]:
        token = self._advance()
        if token.text in _COMPARISONS:
            return _COMPARISONS[token.text], (self._operand(),)
        word = token.text.lower()
        if word == "not":
            self._expect("like", "LIKE")
            return "not like", (self._operand(),)
        if word == "between":
            return "between", (self._operand(), self._operand())
        if word in ("like", "in"):
            return word, (self._operand(),)
        raise syntax_error(self.text, token.start)


def _text(token: Token) -> s.Text:
    parts: list[str | s.Node] = []
    for value, is_variable in token.parts:
        if is_variable:
            parts.append(s.Variable(value) if value[0] == "*" else s.SessionVariable(value))
        elif value:
            parts.append(value)
    return s.Text(tuple(parts))


@lru_cache(maxsize=64)
def parse_rules(text: str) -> tuple[s.Rule, ...]:
    """The rules of a rule base or of an EXEC_MY_RULE text; raises IrodsError RE_PARSER_ERROR."""
    return tuple(Parser(text).rules())


def parse_block(text: str) -> s.Block:
    """Statements without braces around them (delayed rules)."""
    parser = Parser(text)
    block = parser._block()
    if not parser.at_end():
        raise syntax_error(text, parser.token.start)
    return block


def parse_expression(text: str) -> tuple[s.Node, bool]:
    """One term, and whether nothing was left over."""
    parser = Parser(text)
    return parser.term(), parser.at_end()
