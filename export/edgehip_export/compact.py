"""Making graphs smaller without changing what they compute: constants folded, names dropped.

The exporters name every intermediate tensor after the modules it came from and keep tables that
only a slice is used of; in models of some hundred kilobytes that is a good part of the file.
"""

from typing import Any, Final

FOLD_UP_TO_BYTES: Final = 1 << 22


def compact_onnx(proto: Any) -> bytes:
    """Return the bytes of an ONNX model (a ``ModelProto``), constants folded and names dropped."""
    import onnx_ir
    from onnxscript import optimizer

    model = onnx_ir.serde.deserialize_model(proto)
    optimizer.optimize(model, input_size_limit=FOLD_UP_TO_BYTES, output_size_limit=FOLD_UP_TO_BYTES)
    proto = onnx_ir.serde.serialize_model(model)
    del proto.metadata_props[:]
    del proto.graph.value_info[:]
    proto.graph.doc_string = ""
    for entry in (*proto.graph.node, *proto.graph.input, *proto.graph.output):
        del entry.metadata_props[:]
        entry.doc_string = ""
    for node in proto.graph.node:
        node.name = ""
    kept = {value.name for value in (*proto.graph.input, *proto.graph.output)}
    short: dict[str, str] = {"": ""} | {name: name for name in kept}
    for tensor in proto.graph.initializer:
        del tensor.metadata_props[:]
        tensor.name = short.setdefault(tensor.name, f"w{len(short)}")
    for node in proto.graph.node:
        for names in (node.input, node.output):
            names[:] = [short.setdefault(name, f"v{len(short)}") for name in names]
    graph: bytes = proto.SerializeToString(deterministic=True)
    return graph


def compact_tflite(graph: bytes) -> bytes:
    """Return a TFLite graph without the names of its intermediate tensors."""
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(graph))
    for subgraph in model.subgraphs:
        kept = {*subgraph.inputs, *subgraph.outputs}
        for index, tensor in enumerate(subgraph.tensors):
            if index not in kept:
                tensor.name = None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def name_tensors(graph: bytes) -> bytes:
    """Return a TFLite graph with a name for each tensor that has none: the quantizer wants one."""
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(graph))
    for number, subgraph in enumerate(model.subgraphs):
        for index, tensor in enumerate(subgraph.tensors):
            if not tensor.name:
                tensor.name = f"t{number}.{index}".encode()
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
