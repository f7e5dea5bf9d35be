"""kvcached's worker protocol from Python's standard library: pickled dictionaries behind four bytes of length.

rank.py pickle              reads {"values": [...]} as JSON, prints each pickled, in hexadecimal
rank.py unpickle            reads hexadecimal pickles, one a line, prints each as JSON
rank.py socket NAME RANK    prints the path of a worker's socket
rank.py ask PATH JSON       sends one request, prints the answer's bytes in hexadecimal and as JSON
rank.py probe PATH          asks whether tensors exist, with the pickle of protocol 0 that needs no library
rank.py listen PATH COUNT   answers COUNT requests, prints each as JSON
"""
import json
import os
import pickle
import socket
import struct
import sys
import uuid


def receive(connection):
    def exactly(count):
        data = b""
        while len(data) < count:
            chunk = connection.recv(count - len(data))
            if not chunk:
                raise EOFError("closed early")
            data += chunk
        return data

    return exactly(struct.unpack(">I", exactly(4))[0])


def send(connection, body):
    connection.sendall(struct.pack(">I", len(body)) + body)


def exchange(path, body):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        send(connection, body)
        return receive(connection)


def main(command, *args):
    if command == "pickle":
        for value in json.load(sys.stdin)["values"]:
            print(pickle.dumps(value, protocol=4).hex())
    elif command == "unpickle":
        for line in sys.stdin:
            print(json.dumps(pickle.loads(bytes.fromhex(line.strip()))))
    elif command == "socket":
        name, rank = args
        digest = uuid.uuid5(uuid.NAMESPACE_DNS, name).hex[:8]
        print(f"/tmp/kvcached-tp-{name}-{digest}/w{rank}.sock")
    elif command == "ask":
        path, request = args
        answer = exchange(path, pickle.dumps(json.loads(request)))
        print(answer.hex())
        print(json.dumps(pickle.loads(answer)))
    elif command == "probe":
        probe = b"(dS'cmd'\nS'kv_tensors_created'\nsS'group_id'\nI0\ns."
        print(exchange(args[0], probe).hex())
    elif command == "listen":
        path, count = args
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen()
            print("ready", flush=True)
            for _ in range(int(count)):
                connection, _address = server.accept()
                with connection:
                    request = pickle.loads(receive(connection))
                    print(json.dumps(request), flush=True)
                    if request["cmd"] == "kv_tensors_created":
                        answer = {"status": "success", "created": True}
                    elif request.get("group_id") == 9:
                        answer = {"status": "error", "message": "no memory"}
                    else:
                        answer = {"status": "success"}
                    send(connection, pickle.dumps(answer))
        os.unlink(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
