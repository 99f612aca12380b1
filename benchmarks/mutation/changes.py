"""Small faults for a Python module: one node of its syntax tree replaced by another at a time.

What is left alone: prose (texts with a blank, and everything inside of such an f-string), types,
decorators and what only they use (how much a memory keeps), assertions and docstrings. Prose is for
people, and no fault in it lets anything run.
"""

import ast
import copy
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from benchmarks.mutation.nodes import replacements

_TYPES = frozenset(
    "dict list set tuple frozenset type Literal Mapping Sequence Iterable Iterator Callable "
    "TypeAdapter".split()
)
_PROSE = frozenset({"message", "fix", "why", "description", "strict"})
_Node = ast.AST


@dataclass(frozen=True)
class Change:
    """One fault: where it stands, what was there and what is there instead."""

    module: str
    line: int
    text: str  # the line as it was, without its indent
    what: str  # "before => after"
    lines: Collection[int]  # of the innermost statement, or where its constant is used
    is_in_function: bool
    parent: _Node
    field: str
    place: int | None
    old: _Node
    new: _Node

    @property
    def key(self) -> tuple[str, str, str]:
        """Names the change in the list of equivalent ones, wherever its line moves to."""
        return self.module, self.text, self.what

    def apply(self) -> None:
        """Put it into the tree that it was found in."""
        self._put(self.new)

    def revert(self) -> None:
        """Put back what was there."""
        self._put(self.old)

    def _put(self, node: _Node) -> None:
        if self.place is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.place] = node


@dataclass(frozen=True)
class _Where:
    """The statement around a node, and how deep it is."""

    statement: ast.stmt | None = None
    is_in_function: bool = False

    @property
    def lines(self) -> range:
        if self.statement is None:
            return range(0)
        body = getattr(self.statement, "body", None)
        last = body[0].lineno - 1 if isinstance(body, list) and body else 0
        end = last or self.statement.end_lineno or self.statement.lineno
        return range(self.statement.lineno, max(end, self.statement.lineno) + 1)


def changes(module: str, source: str) -> tuple[ast.Module, list[Change]]:
    """The module's tree and every change that can be made to it."""
    tree = ast.parse(source)
    uses = _uses(tree)
    decorating = _decorating(tree) - {name for name, at in uses.items() if at}
    lines = source.splitlines()
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for parent, field, place, node, where in _walk(tree, _Where()):
        names = () if where.is_in_function else _assigned(where.statement)
        if names and decorating.issuperset(names):
            continue
        for new in replacements(node, parent, field):
            _locate(new, node)
            line: int = getattr(node, "lineno", None) or where.lines.start
            text = lines[line - 1].strip()
            what = f"{_shown(node)} => {_shown(new)}"
            seen[text, what] += 1
            if (times := seen[text, what]) > 1:
                what += f" #{times}"
            inside = where.is_in_function
            used = frozenset(line for name in names for line in uses.get(name, ()))
            at = where.lines if inside else used if _AT_IMPORT not in used else ()
            found.append(
                Change(module, line, text, what, at, inside, parent, field, place, node, new)
            )
    return tree, found


def _uses(tree: ast.Module) -> dict[str, set[int]]:
    """The lines that use each constant of a module, or one that is made of it."""
    found: dict[str, set[int]] = defaultdict(set)
    for statement in reversed(tree.body):
        names = _assigned(statement)
        apart, inside = _decorators(statement), _inside(statement)
        for node in ast.walk(statement):
            if node in apart or not isinstance(node, ast.Name) or isinstance(node.ctx, ast.Store):
                continue
            if names:
                found[node.id] |= {line for name in names for line in found[name]}
            else:
                found[node.id].add(node.lineno if node in inside else _AT_IMPORT)
    return found


_AT_IMPORT = 0  # the line of what is used where a class or a default is made


def _inside(statement: ast.stmt) -> set[ast.AST]:
    """What runs when functions are called."""
    return {
        each
        for node in ast.walk(statement)
        if isinstance(node, ast.FunctionDef)
        for line in node.body
        for each in ast.walk(line)
    }


def _decorating(tree: ast.Module) -> set[str]:
    """The names that decorators use."""
    return {
        node.id
        for statement in tree.body
        for node in _decorators(statement)
        if isinstance(node, ast.Name)
    }


def _decorators(statement: ast.stmt) -> set[ast.AST]:
    return {
        each
        for node in ast.walk(statement)
        for made in getattr(node, "decorator_list", ())
        for each in ast.walk(made)
    }


def _assigned(statement: ast.stmt | None) -> tuple[str, ...]:
    match statement:
        case ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(target=ast.Name(name)):
            return (name,)
        case ast.Assign(targets=[ast.Tuple(elts)]):
            return tuple(each.id for each in elts if isinstance(each, ast.Name))
        case _:
            return ()


def _locate(new: _Node, old: _Node) -> None:
    """Give new nodes a place, so that they compile and stand on the old one's line."""
    for node in ast.walk(new):
        if "lineno" in node._attributes and not hasattr(node, "lineno"):
            for name in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
                setattr(node, name, getattr(old, name, 1))


def _shown(node: _Node) -> str:
    if isinstance(node, ast.match_case):
        guard = f" if {ast.unparse(node.guard)}" if node.guard else ""
        return f"case {ast.unparse(node.pattern)}{guard}"
    if isinstance(node, ast.If | ast.While | ast.For):
        node = copy.copy(node)
        node.body, node.orelse = [], []
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 90 else text[:50] + "..." + text[-37:]


_Found = tuple[_Node, str, int | None, _Node, _Where]


def _walk(parent: _Node, where: _Where) -> Iterator[_Found]:
    for field, value in _fields(parent):
        members = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for place, node in members:
            if not isinstance(node, ast.AST) or _is_left_alone(node, parent):
                continue
            inside = _Where(node, where.is_in_function) if isinstance(node, ast.stmt) else where
            yield parent, field, place, node, inside
            if isinstance(node, ast.FunctionDef | ast.Lambda):
                yield from _walk_function(node, inside)
            else:
                yield from _walk(node, inside)


def _walk_function(node: ast.FunctionDef | ast.Lambda, where: _Where) -> Iterator[_Found]:
    """Defaults are computed where the function is made, the body where it is called."""
    defaults: list[_Found] = []
    body: list[_Found] = []
    for each in _walk(node, where):
        (defaults if isinstance(each[0], ast.arguments) else body).append(each)
    yield from defaults
    for parent, field, place, child, at in body:
        yield parent, field, place, child, _Where(at.statement, is_in_function=True)


def _fields(node: _Node) -> Iterator[tuple[str, object]]:
    match node:
        case ast.FunctionDef():
            yield from (("args", node.args), ("body", node.body))
        case ast.arguments():
            yield from (("defaults", node.defaults), ("kw_defaults", node.kw_defaults))
        case ast.ClassDef():
            yield "body", node.body
        case ast.AnnAssign():
            yield "value", node.value
        case ast.Assign() if _is_types(node.value):
            return
        case ast.Assign() | ast.AugAssign():
            yield "value", node.value
        case ast.keyword() if node.arg in _PROSE:
            return
        case ast.Subscript(value=ast.Name("Annotated"), slice=ast.Tuple() as inner):
            yield "elts", []
            for each in inner.elts[1:]:
                yield from _fields(each)
        case _:
            yield from ast.iter_fields(node)


def _is_left_alone(node: _Node, parent: _Node) -> bool:
    match node:
        case ast.Expr(value=ast.Constant(str())) | ast.Assert() | ast.Import() | ast.ImportFrom():
            return True
        case ast.Assign(targets=[ast.Name("__all__")]):
            return True
        case ast.Subscript(value=ast.Name(name)) if name in _TYPES:
            return True
        case ast.Call(func=ast.Name("TypeAdapter")):
            return True
        case ast.JoinedStr():
            return any(
                isinstance(each, ast.Constant) and " " in str(each.value) for each in node.values
            )
        case _:
            return False


def _is_types(node: ast.expr | None) -> bool:
    """Whether what is assigned is a name for types."""
    match node:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _is_types(left) and _is_types(right)
        case ast.Subscript(value=ast.Name(name)):
            return name in _TYPES
        case ast.Name(name):
            return name[:1].isupper() and not name.isupper()
        case _:
            return False
