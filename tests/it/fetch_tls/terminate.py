"""Speaks TLS for two servers that do not: prints two ports, reads the two of the servers, and passes
everything on until its input ends. Arguments: certificate, key, and the authority of clients, if
they have to show certificates."""
import socket
import ssl
import sys
import threading

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
if len(sys.argv) > 3:
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(sys.argv[3])
listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(listener.getsockname()[1] for listener in listeners), flush=True)
ports = [int(port) for port in sys.stdin.readline().split()]


def pass_on(source, sink):
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        sink.close()


def serve(raw, port):
    try:
        client = context.wrap_socket(raw, server_side=True)
    except OSError:
        return
    server = socket.create_connection(("127.0.0.1", port))
    threading.Thread(target=pass_on, args=(server, client), daemon=True).start()
    pass_on(client, server)


def accept(listener, port):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0], port), daemon=True).start()


for listener, port in zip(listeners, ports):
    threading.Thread(target=accept, args=(listener, port), daemon=True).start()
sys.stdin.read()
