"""Ways to write an address that leads inside; each is tried wherever an address can come from."""

import socket

# Loopback, private networks, link-local and the clouds' own, in the spellings that resolvers,
# browsers and libraries have been fooled with.
HOSTS = (
    "127.0.0.1", "127.1", "127.0.1", "127.000.000.001", "0177.0.0.1", "0177.0.0.01", "0x7f.0.0.1",
    "0x7f.0x0.0x0.0x1", "0x7f000001", "0X7F000001", "0x7f.1", "2130706433", "017700000001",
    "00000000177.0.0.1", "127.0.0.1.", "127.0.0.2", "127.255.255.254", "127.00.00.01",
    "4294967169", "0", "0.0.0.0", "0x0", "00", "0.0.0.0.", "localhost", "LOCALHOST", "LocalHost",
    "localhost.", "ip6-localhost", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000::1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]",
    "[::7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]", "[2002:7f00:0001::1]", "[2001:0:7f00:1::]", "[2001:db8::1]",
    "[fe80::1]", "[fe80::1%25lo]", "[fe80::1%lo]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]",
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.1.254",
    "100.64.0.1", "169.254.169.254", "169.254.170.2", "0xa9fea9fe", "2852039166",
    "0251.254.169.254",
    "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "168.63.129.16", "192.0.0.192", "192.0.2.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.250",
    "240.0.0.1", "255.255.255.255", "①②⑦.0.0.1", "127。0。0。1", "127\uff0e0\uff0e0\uff0e1",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
)  # fmt: skip
FORMS = (
    "http://{host}:{port}/",
    "https://{host}:{port}/",
    "http://{host}:{port}/latest/meta-data/?x=1",
    "http://user:word@{host}:{port}/",
)
ODD = (
    "http://example.com@127.0.0.1:{port}/", "http://example.com%40127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.com/", "http://127.0.0.1:{port}\\@example.com/",
    "http://example.com\\@127.0.0.1:{port}/", "http:\\\\127.0.0.1:{port}\\",
    "http:/127.0.0.1:{port}/", "http:127.0.0.1:{port}/", "//127.0.0.1:{port}/",
    "///127.0.0.1:{port}/", "http:///127.0.0.1:{port}/", "http://127.0.0.1:{port}%00.example.com/",
    "http://127.0.0.1%00:{port}/", "http://127.0.0.1%0d%0a:{port}/", "http://127.0.0.1\t:{port}/",
    "http://127.0.0.1\r\n:{port}/", " http://127.0.0.1:{port}/", "http://127.0.0.1 :{port}/",
    "http://127.0.0.1:{port} /", "http://[127.0.0.1]:{port}/", "http://[::1:{port}/",
    "http://::1:{port}/", "http://127.0.0.1:{port}:80/", "http://127.0.0.1:0{port}/",
    "http://127.0.0.1:+{port}/", "http://127.0.0.1:\uff10/", "HTTP://127.0.0.1:{port}/",
    "hTTp://LOCALHOST:{port}/", "file:///etc/passwd", "file://127.0.0.1:{port}/etc/passwd",
    "gopher://127.0.0.1:{port}/_GET%20/", "ftp://127.0.0.1:{port}/", "dict://127.0.0.1:{port}/",
    "ldap://127.0.0.1:{port}/", "ws://127.0.0.1:{port}/", "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/", "data:application/json,{{}}", "jar:http://127.0.0.1:{port}!/",
    "javascript:fetch('http://127.0.0.1:{port}')", "blob:http://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}/../../", "http://127.0.0.1:{port}/;@example.com", "",
)  # fmt: skip


def corpus(port: int) -> tuple[str, ...]:
    """Every address, with a port at which something listens that must not hear anything."""
    hosts = [*HOSTS, socket.gethostname()]
    written = [form.format(host=host, port=port) for form in FORMS for host in hosts]
    return tuple(dict.fromkeys([*written, *(each.format(port=port) for each in ODD)]))
