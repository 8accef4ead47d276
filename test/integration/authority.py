"""Certificates for tests, made by the openssl command when the test runs."""
import os
import subprocess


def openssl(*arguments, folder):
    subprocess.run(["openssl", *map(str, arguments)], check=True, cwd=folder, capture_output=True,
                   timeout=60)


class Authority:
    """Signs for a day. Files lie in `folder`: NAME.pem and NAME.key."""

    def __init__(self, folder, name="authority"):
        self.folder, self.name = folder, name
        self.file = folder / f"{name}.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", 1, "-subj", f"/CN={name}",
                folder=folder)

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1", days=1):
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={names}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}", folder=self.folder)
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", self.file, "-CAkey",
                f"{self.name}.key", "-set_serial", os.urandom(8).hex().join(["0x", ""]), "-days",
                days, "-extfile", f"{name}.ext", "-out", f"{name}.pem", folder=self.folder)
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def revoke(self, *names):
        """The list's file, in which these are."""
        (self.folder / "ca.conf").write_text(
            "[ca]\ndefault_ca=a\n[a]\ndatabase=index.txt\ndefault_md=sha256\n"
            "default_crl_days=1\n")
        (self.folder / "index.txt").touch()
        for name in names:
            openssl("ca", "-config", "ca.conf", "-cert", self.file, "-keyfile", f"{self.name}.key",
                    "-revoke", f"{name}.pem", folder=self.folder)
        openssl("ca", "-config", "ca.conf", "-cert", self.file, "-keyfile", f"{self.name}.key",
                "-gencrl", "-out", "list.new", folder=self.folder)
        os.replace(self.folder / "list.new", self.folder / "list.pem")
        return self.folder / "list.pem"
