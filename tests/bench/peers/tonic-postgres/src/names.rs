//! Enum values as the tables spell them: without the prefix of the .proto files.
use crate::prbal::v1::*;

pub trait Named: Sized + Copy + Into<i32> + TryFrom<i32> {
    const PREFIX: &'static str;
    fn full_name(&self) -> &'static str;
    fn from_full_name(name: &str) -> Option<Self>;
}

macro_rules! named {
    ($($type:ident $prefix:literal),* $(,)?) => {$(
        impl Named for $type {
            const PREFIX: &'static str = $prefix;
            fn full_name(&self) -> &'static str { self.as_str_name() }
            fn from_full_name(name: &str) -> Option<Self> { Self::from_str_name(name) }
        }
    )*};
}

named! {
    DeliveryMethod "DELIVERY_METHOD_",
    DurationUnit "DURATION_UNIT_",
    ModerationStatus "MODERATION_STATUS_",
    Occurrence "OCCURRENCE_",
    PaymentPolicy "PAYMENT_POLICY_",
    PricingUnit "PRICING_UNIT_",
    ServiceKind "SERVICE_KIND_",
    ServiceStatus "SERVICE_STATUS_",
    UserType "USER_TYPE_",
}

const NAME_MAX: usize = 64;

/// 0 for a text that is no value's name.
pub fn number<E: Named>(text: &str) -> i32 {
    let mut name = [0; NAME_MAX]; // a String would be one more allocation for each
    let size = E::PREFIX.len() + text.len();
    if size > NAME_MAX {
        return 0;
    }
    name[..E::PREFIX.len()].copy_from_slice(E::PREFIX.as_bytes());
    name[E::PREFIX.len()..size].copy_from_slice(text.as_bytes());
    let name = std::str::from_utf8(&name[..size]).unwrap_or_default();
    E::from_full_name(name).map_or(0, Into::into)
}

/// None for 0 and for what is no value.
pub fn text<E: Named>(number: i32) -> Option<&'static str> {
    let value = E::try_from(number).ok().filter(|_| number != 0)?;
    Some(&value.full_name()[E::PREFIX.len()..])
}
