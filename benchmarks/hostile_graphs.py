"""ONNX graphs made to break an inference engine, under a card that fits them."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from edgehip.model_card import ModelCard

OPSET: Final = 18
ROOT_OF_4_GIB: Final = 1 << 15
"""So many numbers of four bytes, squared, fill 4 GiB."""


def _model(
    card: ModelCard,
    nodes: Sequence[Any],
    weights: Sequence[Any] = (),
    functions: Sequence[Any] = (),
    opset: int = OPSET,
    domains: Sequence[str] = (),
) -> bytes:
    """Return an ONNX file whose outputs are the card's, each made of the value ``evil``."""
    from onnx import TensorProto, helper

    inputs = [helper.make_tensor_value_info(t.name, 1, t.shape) for t in card.inputs]
    outputs = [helper.make_tensor_value_info(t.name, 1, t.shape) for t in card.outputs]
    nodes = [*nodes, helper.make_node("ReduceMax", ["evil"], ["number"], keepdims=0)]
    weights = list(weights)
    for number, tensor in enumerate(card.outputs):
        shape = helper.make_tensor(
            f"shape{number}", TensorProto.INT64, [len(tensor.shape)], tensor.shape
        )
        weights.append(shape)
        nodes.append(helper.make_node("Expand", ["number", shape.name], [tensor.name]))
    graph = helper.make_graph(nodes, "hostile", inputs, outputs, weights)
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    made = helper.make_model(graph, opset_imports=imports, functions=functions)
    made.ir_version = 10
    return bytes(made.SerializeToString())


def _nodes(*nodes: tuple[str, str, str], **weights: Sequence[int]) -> Callable[[ModelCard], bytes]:
    """Return what makes a graph of nodes (operator, inputs, output) and integer weights."""

    def make(card: ModelCard) -> bytes:
        from onnx import TensorProto, helper

        made = [helper.make_node(kind, inputs.split(), [to]) for kind, inputs, to in nodes]
        held = [
            helper.make_tensor(name, TensorProto.INT64, [len(numbers)], numbers)
            for name, numbers in weights.items()
        ]
        return _model(card, made, held)

    return make


def _outside(card: ModelCard) -> bytes:
    from onnx import TensorProto

    outside = TensorProto(name="evil", data_type=1, dims=[1])
    outside.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "/etc/passwd"), ("offset", "0"), ("length", "4")):
        outside.external_data.add(key=key, value=value)
    return _model(card, [], [outside])


def _foreign(card: ModelCard) -> bytes:
    from onnx import helper

    node = helper.make_node("Run", ["angles_deg"], ["evil"], domain="foreign")
    return _model(card, [node], domains=["foreign"])


def _opset(card: ModelCard) -> bytes:
    from onnx import helper

    node = helper.make_node("Identity", ["angles_deg"], ["evil"])
    return _model(card, [node], opset=9999)


def _range(card: ModelCard) -> bytes:
    from onnx import TensorProto, helper

    ends = {"start": 0, "limit": 1 << 40, "delta": 1}
    weights = [helper.make_tensor(n, TensorProto.INT64, [], [v]) for n, v in ends.items()]
    nodes = [
        helper.make_node("Range", list(ends), ["whole"]),
        helper.make_node("Cast", ["whole"], ["evil"], to=TensorProto.FLOAT),
    ]
    return _model(card, nodes, weights)


def _broadcast(card: ModelCard) -> bytes:
    """Add a column to a row, both made of an input: no constant to be folded."""
    return _nodes(
        ("ReduceMax", "angles_deg", "greatest"),
        ("Expand", "greatest tall", "column"),
        ("Reshape", "column one_column", "a"),
        ("Reshape", "column one_row", "b"),
        ("Add", "a b", "evil"),
        tall=[1, 1, ROOT_OF_4_GIB],
        one_column=[ROOT_OF_4_GIB, 1],
        one_row=[1, ROOT_OF_4_GIB],
    )(card)


def _loop(card: ModelCard) -> bytes:
    """Loop without a limit, on a condition that stays true."""
    from onnx import TensorProto, helper

    scalar = [helper.make_tensor_value_info("n", TensorProto.INT64, [])]
    condition = helper.make_tensor_value_info("on", TensorProto.BOOL, [])
    still = helper.make_tensor_value_info("still", TensorProto.BOOL, [])
    value = helper.make_tensor_value_info("v", TensorProto.FLOAT, None)
    after = helper.make_tensor_value_info("w", TensorProto.FLOAT, None)
    body = helper.make_graph(
        [helper.make_node("Identity", ["on"], ["still"]), helper.make_node("Neg", ["v"], ["w"])],
        "body",
        [*scalar, condition, value],
        [still, after],
    )
    true = helper.make_tensor("true", TensorProto.BOOL, [], [True])
    node = helper.make_node("Loop", ["", "true", "angles_deg"], ["evil"], body=body)
    return _model(card, [node], [true])


def _for_hours(card: ModelCard) -> bytes:
    """Multiply large matrices a thousand times."""
    from onnx import helper

    size = 4096
    shape = helper.make_tensor("shape", 7, [2], [size, size])
    nodes = [
        helper.make_node("ReduceMax", ["angles_deg"], ["greatest"], keepdims=0),
        helper.make_node("Expand", ["greatest", "shape"], ["m0"]),
        *(helper.make_node("MatMul", [f"m{n}", "m0"], [f"m{n + 1}"]) for n in range(1000)),
        helper.make_node("Identity", ["m1000"], ["evil"]),
    ]
    return _model(card, nodes, [shape])


def _functions(calls: Callable[[int], Sequence[str]], depth: int) -> Callable[[ModelCard], bytes]:
    """Return what makes functions ``f0`` ...; the n-th calls those that ``calls(n)`` names."""

    def make(card: ModelCard) -> bytes:
        from onnx import helper

        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("local", 1)]
        functions = []
        for number in range(depth):
            nodes, last = [], "x"
            for place, name in enumerate(calls(number)):
                domain = "local" if name.startswith("f") else ""
                nodes.append(helper.make_node(name, [last], [f"y{place}"], domain=domain))
                last = f"y{place}"
            nodes.append(helper.make_node("Identity", [last], ["y"]))
            made = helper.make_function("local", f"f{number}", ["x"], ["y"], nodes, opsets)
            functions.append(made)
        call = helper.make_node(f"f{depth - 1}", ["angles_deg"], ["evil"], domain="local")
        return _model(card, [call], functions=functions, domains=["local"])

    return make


ONNX: Final[dict[str, Callable[[ModelCard], bytes]]] = {
    "with weights in /etc/passwd": _outside,
    "with a cycle": _nodes(("Add", "b angles_deg", "a"), ("Neg", "a", "b"), ("Neg", "b", "evil")),
    "that uses what nobody makes": _nodes(("Neg", "nothing", "evil")),
    "with an unknown operator": _nodes(("Explode", "angles_deg", "evil")),
    "with a foreign operator": _foreign,
    "of operators of the future": _opset,
    "with a constant of 4 GiB": _nodes(("ConstantOfShape", "s", "evil"), s=[ROOT_OF_4_GIB] * 2),
    "with a constant of 4 TiB": _nodes(("ConstantOfShape", "s", "evil"), s=[1 << 20] * 2),
    "with a size beyond 64 bits": _nodes(("ConstantOfShape", "s", "evil"), s=[1 << 40] * 2),
    "with a negative size": _nodes(("ConstantOfShape", "s", "evil"), s=[-(1 << 20)] * 2),
    "that counts to 2^40": _range,
    "that tiles to 54 GB": _nodes(("Tile", "angles_deg t", "evil"), t=[1, 2000, 3750]),
    "that expands to 7 GB": _nodes(("Expand", "angles_deg e", "evil"), e=[1_000_000, 180, 10]),
    "that adds a column to a row": _broadcast,
    "that gathers beyond the end": _nodes(("Gather", "angles_deg i", "evil"), i=[1 << 40]),
    "with a loop that never ends": _loop,
    "that multiplies for hours": _for_hours,
    "of a function that calls itself": _functions(lambda n: [f"f{n}"], 1),
    "of functions that unfold to 2^40": _functions(
        lambda n: [f"f{n - 1}"] * 2 if n else ["Neg"], 40
    ),
}
