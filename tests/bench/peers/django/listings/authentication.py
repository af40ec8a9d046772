"""Who calls, as DRF's request.user."""
import os
from pathlib import Path
from uuid import UUID

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed

import tokens

verifier = tokens.Tokens(Path(os.environ["TOKEN_KEY"]).read_bytes())


class Caller:
    """Nobody, unless a token says who."""

    def __init__(self, token=tokens.NOBODY):
        self.id = UUID(token.user_id) if token.user_id else None
        self.is_authenticated = self.id is not None
        self.is_admin = token.can(tokens.ADMIN)
        self.seeks = token.can(tokens.SEEKER)
        self.provides = token.can(tokens.PROVIDER)


class BearerToken(BaseAuthentication):
    def authenticate(self, request):
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        try:
            return Caller(verifier.read(header)), None
        except tokens.InvalidToken as error:
            raise AuthenticationFailed(str(error)) from error

    def authenticate_header(self, request):
        return "Bearer"
