"""A mail server on a free loopback port, made of aiosmtpd, with the faults that it is asked for.

Usage: mail_server.py DIRECTORY OPTIONS. Prints the port. OPTIONS is JSON:
  encryption   "none", "starttls" or "tls"; then `cert.pem` and `key.pem` are those of DIRECTORY
  login        [user, password], without which it takes no mail
  refused      recipients that it does not know
  later        how many recipients are told to come again
  later_mail   how many mails are told to come again, when all of them has been sent
  no           it takes no mail, when all of it has been sent
  end          what comes instead of an answer to a mail that it keeps: "closed" or "silent"
  stall        it says nothing more when it hears of a recipient

A mail that it keeps is NUMBER.eml, behind whom it is from and whom it is for; what it hears of recipients is in `heard`.
"""

import asyncio
import json
import ssl
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult

DIRECTORY, OPTIONS = Path(sys.argv[1]), json.loads(sys.argv[2])
ENCRYPTION = OPTIONS.get("encryption", "none")


class Handler:
    def __init__(self):
        self.kept = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        with open(DIRECTORY / "heard", "a") as heard:
            heard.write(address + "\n")
        if OPTIONS.get("stall"):
            await asyncio.sleep(3600)
        if OPTIONS.get("later", 0) > 0:
            OPTIONS["later"] -= 1
            return "451 4.7.1 greylisted, come again"
        if address in OPTIONS.get("refused", []):
            return f"550 5.1.1 no mailbox {address} here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if OPTIONS.get("later_mail", 0) > 0:
            OPTIONS["later_mail"] -= 1
            return "452 4.3.1 no room now"
        if OPTIONS.get("no"):
            return "554 5.7.1 looks like spam"
        self.kept += 1
        head = f"{envelope.mail_from} to {' '.join(envelope.rcpt_tos)}\r\n"
        unfinished = DIRECTORY / "unfinished"
        unfinished.write_bytes(head.encode() + envelope.content)
        unfinished.rename(DIRECTORY / f"{self.kept}.eml")
        if OPTIONS.get("end") == "closed":
            server.transport.abort()
        if OPTIONS.get("end") == "silent":
            await asyncio.sleep(3600)
        return "250 2.0.0 kept"


def authenticator(server, session, envelope, mechanism, data):
    is_right = [data.login.decode(), data.password.decode()] == OPTIONS["login"]
    return AuthResult(success=is_right, handled=False, message=None if is_right else "535 5.7.8 no such login")


async def main():
    context = None
    if ENCRYPTION != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(DIRECTORY / "cert.pem", DIRECTORY / "key.pem")
    login = {"authenticator": authenticator, "auth_required": True} if "login" in OPTIONS else {"auth_exclude_mechanism": ["LOGIN", "PLAIN"]}
    handler = Handler()

    def connection():
        starttls = context if ENCRYPTION == "starttls" else None
        return SMTP(
            handler,
            hostname="mail.example.org",
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_require_tls=starttls is not None,
            **login,
        )

    loop = asyncio.get_running_loop()
    whole = context if ENCRYPTION == "tls" else None
    server = await loop.create_server(connection, "127.0.0.1", 0, ssl=whole)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
