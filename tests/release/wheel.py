# A wheel of NAME and VERSION in the directory OUT, for this PYTHON; the same each time.
import base64
import hashlib
import sys
import zipfile

name, version, out, python = (sys.argv[1:] + ["py3"])[:4]
stem = f"{name}-{version}"
files = {f"{name}/__init__.py": "print('hello')\n",
  f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: says hello\n",
  f"{stem}.dist-info/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {python}-none-any\n"}
record = "".join(f"{p},sha256={base64.urlsafe_b64encode(hashlib.sha256(t.encode()).digest()).rstrip(b'=').decode()},{len(t)}\n" for p, t in files.items())
files[f"{stem}.dist-info/RECORD"] = record + f"{stem}.dist-info/RECORD,,\n"
with zipfile.ZipFile(f"{out}/{stem}-{python}-none-any.whl", "w") as made:
    for p, t in files.items(): made.writestr(zipfile.ZipInfo(p), t)
