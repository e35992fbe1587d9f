"""A throw-away CA with one ECDSA P-256 server and one client certificate."""
import os
import subprocess

EXTENSIONS = "subjectAltName={name}\nextendedKeyUsage={use}\nkeyUsage=digitalSignature\nbasicConstraints=CA:false\n"


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def make(folder):
    """Writes ca.crt, server.crt, server.key, server.pem (both), client.crt and client.key."""
    os.makedirs(folder)
    for who in ("ca", "server", "client"):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{folder}/{who}.key")
    openssl("req", "-x509", "-new", "-key", f"{folder}/ca.key", "-sha256", "-days", "30", "-subj", "/CN=bench CA",
            "-addext", "basicConstraints=critical,CA:true", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            "-out", f"{folder}/ca.crt")
    issue(folder, "server", "DNS:localhost,IP:127.0.0.1", "serverAuth")
    issue(folder, "client", "DNS:client", "clientAuth")
    with open(f"{folder}/server.pem", "w") as pem:
        for part in ("crt", "key"):
            with open(f"{folder}/server.{part}") as f:
                pem.write(f.read())


def issue(folder, who, name, use):
    with open(f"{folder}/{who}.ext", "w") as f:
        f.write(EXTENSIONS.format(name=name, use=use))
    openssl("req", "-new", "-key", f"{folder}/{who}.key", "-subj", f"/CN={who}", "-out", f"{folder}/{who}.csr")
    openssl("x509", "-req", "-in", f"{folder}/{who}.csr", "-CA", f"{folder}/ca.crt", "-CAkey", f"{folder}/ca.key",
            "-CAcreateserial", "-days", "30", "-sha256", "-extfile", f"{folder}/{who}.ext", "-out", f"{folder}/{who}.crt")
