//! Page tokens: the keys of the last row and a MAC over them, the method, the
//! caller and the request without its page, base64url.
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use aws_lc_rs::rand::SystemRandom;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::Message;
use tonic::Status;
use uuid::Uuid;

const SIZE_DEFAULT: i32 = 12;
const SIZE_MAX: i32 = 100;
const VERSION: u8 = 1;
const MAC_BYTES: usize = 16;

/// Makes and reads tokens, with a key of this process.
pub struct Tokens(Key);

/// What a token tells: the total, the key of the order, and the id.
pub struct Place {
    pub total: i64,
    pub key: String,
    pub service_id: Uuid,
}

pub fn size(wanted: i32) -> Result<usize, Status> {
    match wanted {
        0 => Ok(SIZE_DEFAULT as usize),
        1..=SIZE_MAX => Ok(wanted as usize),
        _ => Err(Status::invalid_argument(
            "page_size: must be at least 0 and at most 100",
        )),
    }
}

/// `request` has neither page_size nor page_token nor read_mask.
pub fn binding(method: &str, caller: Option<Uuid>, request: &impl Message) -> Vec<u8> {
    let mut bytes = format!("{method}\0{}\0", caller.unwrap_or_default()).into_bytes();
    request.encode(&mut bytes).expect("a Vec grows");
    digest(&SHA256, &bytes).as_ref().to_vec()
}

impl Tokens {
    pub fn new() -> Self {
        let key = Key::generate(HMAC_SHA256, &SystemRandom::new());
        Tokens(key.expect("the system has random bytes"))
    }

    fn mac(&self, binding: &[u8], keys: &[u8]) -> [u8; MAC_BYTES] {
        let covered = [&[VERSION], binding, keys].concat();
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(&sign(&self.0, &covered).as_ref()[..MAC_BYTES]);
        mac
    }

    pub fn write(&self, binding: &[u8], place: &Place) -> String {
        let keys = [
            place.total.to_string(),
            place.key.clone(),
            place.service_id.to_string(),
        ];
        let mut packed = Vec::with_capacity(96);
        for key in keys {
            packed.push(key.len() as u8);
            packed.extend_from_slice(key.as_bytes());
        }
        let mac = self.mac(binding, &packed);
        URL_SAFE_NO_PAD.encode([&[VERSION], &mac[..], &packed].concat())
    }

    /// None for the first page.
    pub fn read(&self, binding: &[u8], token: &str) -> Result<Option<Place>, Status> {
        if token.is_empty() {
            return Ok(None);
        }
        let place = self.open(binding, token);
        place.map(Some).ok_or_else(|| {
            Status::invalid_argument(
                "page_token: is not the token of a page of this list; start again without one",
            )
        })
    }

    fn open(&self, binding: &[u8], token: &str) -> Option<Place> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (head, keys) = bytes.split_at_checked(1 + MAC_BYTES)?;
        let mac = self.mac(binding, keys);
        if head[0] != VERSION
            || aws_lc_rs::constant_time::verify_slices_are_equal(&mac, &head[1..]).is_err()
        {
            return None;
        }
        let (total, rest) = key(keys)?;
        let (place, rest) = key(rest)?;
        let (id, _) = key(rest)?;
        Some(Place {
            total: total.parse().ok()?,
            key: place,
            service_id: id.parse().ok()?,
        })
    }
}

fn key(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (&length, rest) = bytes.split_first()?;
    let (key, rest) = rest.split_at_checked(length as usize)?;
    Some((String::from_utf8(key.to_vec()).ok()?, rest))
}
