"""Certificates for tests of TLS, by openssl."""
import subprocess

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def make_certificates(folder, names):
    """In `folder`: ca.pem, and signed by it server.pem and client.pem for `names` ("DNS:a,IP:127.0.0.1"); other.pem is nobody's. Each with its .key."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    (folder / "names").write_text("subjectAltName=%s\n" % names)
    for name in ("ca", "other"):
        openssl("req", "-x509", *KEY, "-days", "2", "-subj", "/CN=" + name, "-keyout", name + ".key", "-out", name + ".pem")
    for name in ("server", "client"):
        openssl("req", *KEY, "-subj", "/CN=" + name, "-keyout", name + ".key", "-out", name + ".csr")
        openssl("x509", "-req", "-days", "2", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-out", name + ".pem")
    return folder
