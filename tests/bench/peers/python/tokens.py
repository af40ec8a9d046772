"""Access tokens of Prbal: JWTs signed by ES256."""
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key

# Bits of the claim "caps", by the numbers of prbal.Role.
SEEKER = 1 << 5
PROVIDER = 1 << 6
ADMIN = 1 << 8

SKEW_SECONDS = 30


@dataclass(slots=True)
class Caller:
    user_id: str | None = None
    caps: int = 0

    def can(self, role):
        return self.caps & role != 0


NOBODY = Caller()


class InvalidToken(Exception):
    pass


class Tokens:
    def __init__(self, public_pem):
        self.key = load_pem_public_key(public_pem)

    def read(self, header):
        """The caller of an `authorization` header; None is nobody."""
        if header is None:
            return NOBODY
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise InvalidToken("the access token is not valid")
        try:
            claims = jwt.decode(
                token,
                self.key,
                algorithms=["ES256"],
                audience="prbal.v1",
                issuer="prbal",
                leeway=SKEW_SECONDS,
                options={"require": ["exp", "iat", "nbf", "sub"]},
            )
        except jwt.InvalidTokenError as error:
            raise InvalidToken("the access token is not valid") from error
        if claims.get("typ") != "access":
            raise InvalidToken("the access token is not valid")
        return Caller(claims["sub"], claims["caps"])
