"""Random messages, to the testee and to Python's protobuf: what one writes the
other must read as the same message.  usage: protobuf_peer.py TESTEE GENERATED"""
import random
import struct
import subprocess
import sys

testee, generated = sys.argv[1:3]
sys.path[:0] = [generated, generated + "/google/protobuf"]
from google.protobuf import json_format  # noqa: E402
from conformance import conformance_pb2  # noqa: E402
import test_messages_proto3_pb2 as messages  # noqa: E402

SEED, ROUNDS = 20260, 1000
choose = random.Random(SEED)
Message = messages.TestAllTypesProto3
TEXTS = ["", "a", "caf\u00e9 \U0001f600", "\x01\b\f\n\r\t\"\\/\x7f", "<&>\u2028",
         "x" * 300, "\ufffd\uffff"]


def bits(low, high):
    """Ends of the range, small numbers, and anything between."""
    return choose.choice([low, high, 0, 1, choose.randint(low, high)])


def real(form, size):
    """Any bits that are a number."""
    while True:
        value = struct.unpack(form, choose.randbytes(size))[0]
        if value == value:
            return choose.choice([value, 0.5, 1e21, 123456789.0, float("inf")])


def scalar(field):
    kinds = {
        field.CPPTYPE_INT32: lambda: bits(-2**31, 2**31 - 1),
        field.CPPTYPE_UINT32: lambda: bits(0, 2**32 - 1),
        field.CPPTYPE_INT64: lambda: bits(-2**63, 2**63 - 1),
        field.CPPTYPE_UINT64: lambda: bits(0, 2**64 - 1),
        field.CPPTYPE_BOOL: lambda: choose.random() < 0.5,
        field.CPPTYPE_ENUM: lambda: 0
        if field.enum_type.name == "NullValue" else choose.choice([0, 1, 2, -1]),
        field.CPPTYPE_FLOAT: lambda: real("<f", 4),
        field.CPPTYPE_DOUBLE: lambda: real("<d", 8),
    }
    if field.type == field.TYPE_BYTES:
        return choose.randbytes(choose.randint(0, 9))
    if field.cpp_type == field.CPPTYPE_STRING:
        return choose.choice(TEXTS)
    return kinds[field.cpp_type]()


def fill_value(value, depth):
    kind = choose.randint(0, 5 if depth < 3 else 3)
    if kind == 0:
        value.null_value = 0
    elif kind == 1:
        value.number_value = choose.choice([0, -1, 0.1, 1e300, 2**53])
    elif kind == 2:
        value.string_value = choose.choice(TEXTS)
    elif kind == 3:
        value.bool_value = choose.random() < 0.5
    else:
        inner = value.struct_value if kind == 4 else value.list_value
        inner.SetInParent()
        fill(inner, depth + 1)


def fill_known(message, name, depth):
    """The well-known types whose values are not free."""
    if name == "Timestamp":
        message.seconds = choose.randint(-62135596800, 253402300799)
        message.nanos = choose.choice([0, 1, 10**9 - 1, 5 * 10**8, 1000])
    elif name == "Duration":
        sign = choose.choice([1, -1])
        message.seconds = sign * choose.choice([0, 1, 315576000000])
        message.nanos = sign * choose.choice([0, 1, 5 * 10**8, 1000])
        if abs(message.seconds) == 315576000000:
            message.nanos = 0  # Python refuses more
    elif name == "FieldMask":
        message.paths.extend(choose.sample(["a", "b_c", "d.e_f", "g2"], 2))
    elif name == "Any":
        inner = Message()
        inner.optional_int32 = 5
        message.Pack(inner)
    elif name == "Struct":
        for key in choose.sample(TEXTS, 2):
            fill_value(message.fields[key], depth)
    elif name == "ListValue":
        for _ in range(choose.randint(0, 3)):
            fill_value(message.values.add(), depth)
    elif name == "Value":
        fill_value(message, depth)
    else:
        return False
    return True


def fill_map(message, field, depth):
    entries = getattr(message, field.name)
    key, value = field.message_type.fields
    for _ in range(choose.randint(0, 3)):
        if value.message_type:
            fill(entries[scalar(key)], depth + 1)
        else:
            entries[scalar(key)] = scalar(value)


def fill_field(message, field, depth):
    if field.message_type and field.message_type.GetOptions().map_entry:
        fill_map(message, field, depth)
    elif field.label == field.LABEL_REPEATED and field.message_type:
        for _ in range(choose.randint(0, 2)):
            fill(getattr(message, field.name).add(), depth + 1)
    elif field.label == field.LABEL_REPEATED:
        getattr(message, field.name).extend(
            scalar(field) for _ in range(choose.randint(0, 3)))
    elif field.message_type:
        getattr(message, field.name).SetInParent()
        fill(getattr(message, field.name), depth + 1)
    else:
        setattr(message, field.name, scalar(field))


def fill(message, depth=0):
    if message.DESCRIPTOR.file.package == "google.protobuf" and fill_known(
            message, message.DESCRIPTOR.name, depth):
        return
    for field in message.DESCRIPTOR.fields:
        if choose.random() < (0.3 if depth < 2 else 0.05):
            fill_field(message, field, depth)


def ask(process, **payload):
    request = conformance_pb2.ConformanceRequest(
        message_type=Message.DESCRIPTOR.full_name, **payload).SerializeToString()
    process.stdin.write(struct.pack("<I", len(request)) + request)
    process.stdin.flush()
    size = struct.unpack("<I", process.stdout.read(4))[0]
    return conformance_pb2.ConformanceResponse.FromString(
        process.stdout.read(size))


def same(one, other):
    return one.SerializeToString(deterministic=True) == other.SerializeToString(
        deterministic=True)


def check(process, message):
    """What is wrong, or None."""
    answer = ask(process, protobuf_payload=message.SerializeToString(),
                 requested_output_format=conformance_pb2.JSON)
    if answer.WhichOneof("result") != "json_payload":
        return f"not written: {answer}"
    if not same(json_format.Parse(answer.json_payload, Message()), message):
        return f"Python reads something else: {answer.json_payload}"
    text = json_format.MessageToJson(message, indent=choose.choice([None, 2]))
    answer = ask(process, json_payload=text,
                 requested_output_format=conformance_pb2.PROTOBUF)
    if answer.WhichOneof("result") != "protobuf_payload":
        return f"{answer} for {text}"
    if not same(Message.FromString(answer.protobuf_payload), message):
        return f"we read something else: {text}"
    return None


def main():
    passed = failed = 0
    with subprocess.Popen([testee], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        for number in range(ROUNDS):
            message = Message()
            fill(message)
            problem = check(process, message)
            passed += problem is None
            failed += problem is not None
            if problem:
                print(f"message {number} of seed {SEED}: {problem[:2000]}")
        process.stdin.close()
        failed += process.wait() != 0
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
