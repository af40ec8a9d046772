//! Who is calling: what the access token says, verified by jsonwebtoken.
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use tonic::Status;
use tonic::metadata::MetadataMap;
use uuid::Uuid;

use crate::prbal::Role;
use crate::serving::Failure;

#[derive(Clone, Copy, Default)]
pub struct Caller {
    pub id: Option<Uuid>,
    roles: u32,
}

impl Caller {
    pub fn is(&self, role: Role) -> bool {
        self.roles & (1 << role as u32) != 0
    }

    pub fn is_admin(&self) -> bool {
        self.is(Role::Admin)
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: Uuid,
    caps: u32,
    typ: String,
}

pub struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

impl Verifier {
    pub fn new(public_pem: &[u8]) -> Result<Self, Failure> {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&["prbal"]);
        validation.set_audience(&["prbal.v1"]);
        validation.leeway = 0;
        Ok(Verifier {
            key: DecodingKey::from_ec_pem(public_pem)?,
            validation,
        })
    }

    /// Without a token nobody; UNAUTHENTICATED for a bad one.
    pub fn caller(&self, metadata: &MetadataMap) -> Result<Caller, Status> {
        let Some(value) = metadata.get("authorization") else {
            return Ok(Caller::default());
        };
        let invalid = || Status::unauthenticated("the access token is not valid");
        let token = value
            .as_bytes()
            .strip_prefix(b"Bearer ")
            .ok_or_else(invalid)?;
        let claims = decode::<Claims>(token, &self.key, &self.validation)
            .map_err(|_| invalid())?
            .claims;
        if claims.typ != "access" {
            return Err(invalid());
        }
        Ok(Caller {
            id: Some(claims.sub),
            roles: claims.caps,
        })
    }

    /// UNAUTHENTICATED without a token as well.
    pub fn signed_in(&self, metadata: &MetadataMap) -> Result<Caller, Status> {
        let caller = self.caller(metadata)?;
        if caller.id.is_none() {
            return Err(Status::unauthenticated(
                "sign in first: this needs an access token",
            ));
        }
        if !caller.is(Role::Any) {
            return Err(Status::permission_denied(
                "verify your e-mail address or phone number first",
            ));
        }
        Ok(caller)
    }
}
