"""Tokens to a syntax tree: a Pratt parser for the grammar of Jexl 2.3.0.

Owns which token may follow which. It refuses at once what Jexl refuses only when it gets there: an unknown
transform, a missing operand, an open parenthesis. Depth is counted here, so that no later walk of the tree can
run out of stack: whatever nests passes :meth:`_Parser._enter`, except a chain (``a + b + c``, ``a.b.c``,
``a|b|c``), which leans to the left and is walked in a loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.expressions.lexer import PRECEDENCE, Source, Token, tokenize
from engine.expressions.syntax import (
    Binary,
    Conditional,
    Constant,
    Filter,
    ListLiteral,
    Name,
    Node,
    Not,
    ObjectLiteral,
    Property,
    Transform,
)
from engine.limits import EXPRESSION_DEPTH_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.errors import ExpressionError

    CheckTransform = Callable[[str, int], str | None]
    """From a transform's name and number of arguments to what is wrong with them, or None."""


def parse(source: Source, check_transform: CheckTransform) -> Node:
    """Returns the tree of the expression in ``source``.

    Args:
        source: the expression and the text it stands in.
        check_transform: says what is wrong with a transform's name and number of arguments, if anything.

    Raises:
        ExpressionError: with the position of the first fault.
        ExpressionBudgetExceeded: the expression is too long or too deep.
    """
    return _Parser(source, check_transform).parse()


class _Parser:
    def __init__(self, source: Source, check_transform: CheckTransform) -> None:
        self._source = source
        self._check_transform = check_transform
        self._tokens = tokenize(source)
        self._index = 0
        self._token = self._tokens[0]
        self._depth = 0
        self._node_count = 0
        self._saw_relative = False
        self._ends_in_transform = False

    def parse(self) -> Node:
        node = self._expression()
        if self._token.kind != "end":
            raise self._unexpected("an operator")
        return node

    # --- expressions, the loosest first ------------------------------------------------------------

    def _expression(self) -> Node:
        self._enter()
        node = self._operation(0)
        if self._token.kind == "?":
            node = self._conditional(node)
        self._depth -= 1
        return node

    def _conditional(self, test: Node) -> Node:
        if self._ends_in_transform:
            raise self._fault("a transform before ? needs parentheses: (x|name) ? a : b")
        self._advance()
        consequent = None if self._token.kind == ":" else self._expression()
        self._expect(":")
        self._node_count += 1
        return Conditional(test, consequent, self._expression())

    def _operation(self, floor: int) -> Node:
        left = self._operand()
        while self._token.kind == "operator" and PRECEDENCE[str(self._token.value)] > floor:
            operator = str(self._advance().value)
            self._enter()
            left = Binary(operator, left, self._operation(PRECEDENCE[operator]))
            self._depth -= 1
            self._node_count += 1
        return left

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > EXPRESSION_DEPTH_MAX:
            message = f"an expression nests at most {EXPRESSION_DEPTH_MAX} deep"
            raise self._source.exhausted(message, self._token.position)

    def _operand(self) -> Node:
        negations = 0
        while self._token.kind == "!":
            self._advance()
            negations += 1
        node = self._path()
        # Two negations make a boolean of a value; more of them in pairs change nothing.
        for _ in range(negations if negations < 2 else 2 - negations % 2):  # noqa: PLR2004 - as said
            node = Not(node)
            self._node_count += 1
        return node

    # --- one operand and what hangs on it ----------------------------------------------------------

    def _path(self) -> Node:
        # Jexl takes an index after a path, never after a literal or a closing parenthesis.
        indexable = self._token.kind in ("name", ".")
        node = self._primary()
        self._ends_in_transform = False
        while (kind := self._token.kind) in (".", "|") or (kind == "[" and indexable):
            node = self._hang(node, kind)
            self._ends_in_transform = kind == "|"
            self._node_count += 1
            indexable = True
        if kind == "[":
            raise self._fault("an index follows a name, a property or a transform only")
        if kind == "(" and indexable:
            raise self._fault("nothing can be called; write value|transform(arguments)")
        return node

    def _hang(self, subject: Node, kind: str) -> Node:
        match kind:
            case ".":
                return self._property(subject)
            case "[":
                return self._filter(subject)
            case _:
                return self._transform(subject)

    def _property(self, subject: Node) -> Node:
        self._advance()
        name = self._expect("name", "a property's name")
        return Property(subject, str(name.value), name.position)

    def _filter(self, subject: Node) -> Node:
        position = self._advance().position
        outside, self._saw_relative = self._saw_relative, False
        before = self._node_count
        condition = self._expression()
        relative, self._saw_relative = self._saw_relative, outside
        self._expect("]")
        return Filter(subject, condition, relative, self._node_count - before, position)

    def _transform(self, subject: Node) -> Node:
        self._advance()
        name = self._expect("name", "a transform's name")
        arguments = self._list(")") if self._token.kind == "(" else ()
        problem = self._check_transform(str(name.value), len(arguments))
        if problem is not None:
            raise self._source.fault(problem, name.position)
        return Transform(subject, str(name.value), arguments, name.position)

    def _primary(self) -> Node:
        self._node_count += 1
        match self._token.kind:
            case "constant":
                return Constant(self._advance().value)
            case "name":
                return Name(str(self._advance().value), relative=False)
            case ".":
                self._advance()
                self._saw_relative = True
                return Name(str(self._expect("name", "a property's name").value), relative=True)
            case "(":
                return self._group()
            case "[":
                return ListLiteral(self._list("]"))
            case "{":
                return self._object()
            case _:
                raise self._unexpected("a value")

    def _group(self) -> Node:
        self._advance()
        node = self._expression()
        self._expect(")")
        return node

    def _list(self, closing: str) -> tuple[Node, ...]:
        # As in Jexl, a comma with nothing before or after it is passed over.
        self._advance()
        items: list[Node] = []
        while self._token.kind != closing:
            if self._token.kind == ",":
                self._advance()
                continue
            items.append(self._expression())
            if self._token.kind not in (",", closing):
                raise self._unexpected(f"',' or {closing!r}")
        self._advance()
        return tuple(items)

    def _object(self) -> Node:
        self._advance()
        entries: list[tuple[str, Node]] = []
        while self._token.kind != "}":
            key = self._expect("name", "a key (a plain name, without quotes)")
            self._expect(":")
            entries.append((str(key.value), self._expression()))
            if self._token.kind not in (",", "}"):
                raise self._unexpected("',' or '}'")
            if self._token.kind == ",":
                self._advance()
        self._advance()
        return ObjectLiteral(tuple(entries))

    # --- tokens ------------------------------------------------------------------------------------

    def _advance(self) -> Token:
        token = self._token
        self._index += 1
        self._token = self._tokens[self._index]
        return token

    def _expect(self, kind: str, wanted: str = "") -> Token:
        if self._token.kind != kind:
            raise self._unexpected(wanted or repr(kind))
        return self._advance()

    def _unexpected(self, wanted: str) -> ExpressionError:
        found = "the end" if self._token.kind == "end" else repr(self._token.value)
        return self._fault(f"expected {wanted}, found {found}")

    def _fault(self, message: str) -> ExpressionError:
        return self._source.fault(message, self._token.position)
