"""What may stand in a node's place: one small function for each kind of fault."""

import ast
import copy
from collections.abc import Callable, Iterator
from typing import TypeVar

_Node = TypeVar("_Node", bound=ast.AST)

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}
_OTHER_NAME = {
    "any": "all", "all": "any", "min": "max", "max": "min", "sorted": "list",
    "startswith": "endswith", "endswith": "startswith", "issuperset": "issubset",
    "nlargest": "nsmallest",
}  # fmt: skip
_MEMBERS = {
    "Flow": ("YES", "NO", "UNKNOWN"),
    "Integrity": ("CONFIG", "REQUEST", "TRUSTED", "MODEL", "UNTRUSTED"),
    "Sink": ("RECIPIENT", "AMOUNT", "RESOURCE_ID", "URL", "CONTENT", "PLAIN"),
    "Standing": ("ALLOWED", "CONDITIONAL", "NEEDS_APPROVAL"),
}
_PROSE = frozenset({"message", "fix", "why", "description", "strict"})


def replacements(node: ast.AST, parent: ast.AST, field: str) -> Iterator[ast.AST]:
    """Every fault that this node may have."""
    is_test = field == "test" and isinstance(parent, ast.If | ast.IfExp | ast.While)
    is_test = is_test or field == "ifs"
    for make in _OF.get(type(node), ()):
        if not (is_test and isinstance(node, ast.UnaryOp)):
            yield from make(node)
    if is_test:
        yield from _either(node)


def _either(node: ast.AST) -> Iterator[ast.AST]:
    """A condition that always holds, and one that never does."""
    if not isinstance(node, ast.Constant):
        yield from (ast.Constant(True), ast.Constant(False))


def _with(node: _Node, **fields: object) -> _Node:
    found = copy.copy(node)
    for name, value in fields.items():
        setattr(found, name, value)
    return found


def _without(node: ast.AST, field: str) -> Iterator[ast.AST]:
    members = getattr(node, field)
    for place in range(len(members)):
        yield _with(node, **{field: [*members[:place], *members[place + 1 :]]})


def _compare(node: ast.Compare) -> Iterator[ast.AST]:
    for place, op in enumerate(node.ops):
        for other in _COMPARED[type(op)]:
            ops = [*node.ops[:place], other(), *node.ops[place + 1 :]]
            yield _with(node, ops=ops)


def _either_or(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    if len(node.values) == 2:
        yield from node.values
    else:
        yield from _without(node, "values")


def _sign(node: ast.UnaryOp) -> Iterator[ast.AST]:
    yield node.operand


def _calculation(node: ast.BinOp) -> Iterator[ast.AST]:
    if other := _CALCULATED.get(type(node.op)):
        yield _with(node, op=other())
    elif isinstance(node.op, ast.BitOr):
        yield from (node.left, node.right)
    else:
        yield node.left


def _constant(node: ast.Constant) -> Iterator[ast.AST]:
    match node.value:
        case bool(value):
            yield ast.Constant(not value)
        case int(value):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case float(value):
            yield ast.Constant(value + 1)
        case str(value) if " " not in value and value.isprintable():
            yield ast.Constant(value + "!")


def _member(node: ast.Attribute) -> Iterator[ast.AST]:
    match node:
        case ast.Attribute(value=ast.Name(name), attr=attr) if attr in _MEMBERS.get(name, ()):
            for other in _MEMBERS[name]:
                if other != attr:
                    yield _with(node, attr=other)


def _elements(node: ast.Tuple | ast.List | ast.Set) -> Iterator[ast.AST]:
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return
    plain = (ast.Constant, ast.Starred, ast.Attribute)
    alike = all(isinstance(each, plain) for each in node.elts) or len(node.elts) > 4
    if alike or isinstance(node, ast.Set):
        yield from (each for each in _without(node, "elts") if getattr(each, "elts", ()) != [])


def _members_of_dict(node: ast.Dict) -> Iterator[ast.AST]:
    for place, key in enumerate(node.keys):
        if not (isinstance(key, ast.Constant) and key.value in _PROSE):
            keys = [*node.keys[:place], *node.keys[place + 1 :]]
            yield _with(node, keys=keys, values=[*node.values[:place], *node.values[place + 1 :]])


def _call(node: ast.Call) -> Iterator[ast.AST]:
    for place, each in enumerate(node.keywords):
        if each.arg and each.arg not in _PROSE and not _is_prose(each.value):
            yield _with(node, keywords=[*node.keywords[:place], *node.keywords[place + 1 :]])
    match node.func:
        case ast.Name(name) if name in _OTHER_NAME:
            yield _with(node, func=_with(node.func, id=_OTHER_NAME[name]))
        case ast.Attribute(attr=name) if name in _OTHER_NAME:
            yield _with(node, func=_with(node.func, attr=_OTHER_NAME[name]))
        case ast.Attribute(value=ast.Constant(str(text)), attr="split"):
            words = text.split()
            for place in range(len(words)):
                fewer = ast.Constant(" ".join([*words[:place], *words[place + 1 :]]))
                yield _with(node, func=_with(node.func, value=fewer))


def _is_prose(node: ast.AST) -> bool:
    return any(
        isinstance(each, ast.Constant) and isinstance(each.value, str) and " " in each.value
        for each in ast.walk(node)
    )


def _drop(node: ast.stmt) -> Iterator[ast.AST]:
    yield ast.Pass()


def _drop_assignment(node: ast.Assign) -> Iterator[ast.AST]:
    """Only where something is changed that is there already; a missing name is no quiet fault."""
    if isinstance(node.targets[0], ast.Attribute | ast.Subscript):
        yield ast.Pass()


def _return(node: ast.Return) -> Iterator[ast.AST]:
    if node.value is not None and not isinstance(node.value, ast.Constant | ast.Attribute):
        yield _with(node, value=ast.Constant(None))


def _case(node: ast.match_case) -> Iterator[ast.AST]:
    is_any = isinstance(node.pattern, ast.MatchAs) and node.pattern.pattern is None
    if not is_any or node.guard is not None:
        yield _with(node, guard=ast.Constant(False))
    if node.guard is not None and not is_any:  # which would hide the cases below
        yield _with(node, guard=None)


_OF: dict[type[ast.AST], tuple[Callable[..., Iterator[ast.AST]], ...]] = {
    ast.Compare: (_compare,),
    ast.BoolOp: (_either_or,),
    ast.UnaryOp: (_sign,),
    ast.BinOp: (_calculation,),
    ast.Constant: (_constant,),
    ast.Attribute: (_member,),
    ast.Tuple: (_elements,),
    ast.List: (_elements,),
    ast.Set: (_elements,),
    ast.Dict: (_members_of_dict,),
    ast.Call: (_call,),
    ast.Expr: (_drop,),
    ast.AugAssign: (_drop,),
    ast.Raise: (_drop,),
    ast.Continue: (_drop,),
    ast.Break: (_drop,),
    ast.Assign: (_drop_assignment,),
    ast.Return: (_return,),
    ast.match_case: (_case,),
}
