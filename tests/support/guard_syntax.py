"""Syntax of guards: which functions construct something, leave something out, or serve only such that may."""

import ast
from collections.abc import Mapping

_EMITS = frozenset({"append", "add", "extend", "update"})


def functions(module: ast.Module) -> dict[str, ast.FunctionDef]:
    return {one.name: one for one in module.body if isinstance(one, ast.FunctionDef)}


def names_in(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def constructs(node: ast.AST, name: str) -> bool:
    called = {one.func for one in ast.walk(node) if isinstance(one, ast.Call)}
    return any(isinstance(one, ast.Name) and one.id == name for one in called)


def serves_only(helper: str, guards: set[str], known: Mapping[str, ast.FunctionDef]) -> bool:
    """Tell whether a function is a guard, or is used by guards and such helpers alone."""
    if helper in guards:
        return True
    users = [name for name, one in known.items() if name != helper and helper in names_in(one)]
    return bool(users) and all(serves_only(user, guards, known) for user in users)


def leaves_out(function: ast.FunctionDef) -> bool:
    """Tell whether a function has a branch that leaves out some of what it is given."""
    return any(
        (isinstance(node, ast.comprehension) and node.ifs) or (isinstance(node, ast.If) and _is_leaving_out(node))
        for node in ast.walk(function)
    )


def _is_leaving_out(node: ast.If) -> bool:
    if isinstance(node.body[-1], ast.Continue | ast.Return):
        return True
    inner = [one for statement in node.body for one in ast.walk(statement)]
    emits = any(isinstance(one, ast.Attribute) and one.attr in _EMITS for one in inner)
    return not node.orelse and (emits or any(isinstance(one, ast.Yield | ast.YieldFrom) for one in inner))


def qualified(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """Return the functions of a module, and the methods of its classes by the name of the class."""
    classes = [one for one in tree.body if isinstance(one, ast.ClassDef)]
    methods = {
        f"{owner.name}.{one.name}": one for owner in classes for one in owner.body if isinstance(one, ast.FunctionDef)
    }
    return {**functions(tree), **methods}
