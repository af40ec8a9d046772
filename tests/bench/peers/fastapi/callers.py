"""Who calls: dependencies of the routes."""
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, HTTPException

import tokens

verifier = tokens.Tokens(Path(os.environ["TOKEN_KEY"]).read_bytes())


@dataclass(slots=True)
class Caller:
    id: UUID | None
    is_admin: bool
    seeks: bool
    provides: bool


async def anybody(authorization: Annotated[str | None, Header()] = None) -> Caller:
    try:
        token = verifier.read(authorization)
    except tokens.InvalidToken as error:
        raise HTTPException(401, str(error)) from error
    return Caller(
        id=UUID(token.user_id) if token.user_id else None,
        is_admin=token.can(tokens.ADMIN),
        seeks=token.can(tokens.SEEKER),
        provides=token.can(tokens.PROVIDER),
    )


async def somebody(caller: Annotated[Caller, Depends(anybody)]) -> Caller:
    if caller.id is None:
        raise HTTPException(401, "sign in first")
    return caller


Anybody = Annotated[Caller, Depends(anybody)]
Somebody = Annotated[Caller, Depends(somebody)]
